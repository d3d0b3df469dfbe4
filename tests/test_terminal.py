"""What the terminal says to people: examples, the word that was meant, figures that are never cut, completion."""

import os
import re
import subprocess
import sys

import pytest

from imgcls.cli.commands.runs import table
from imgcls.cli.main import main
from imgcls.cli.parser import COMMANDS, make_parser, visible
from imgcls.workspace import PROJECT

HIDDEN = [command.name for command in COMMANDS if command.hidden]


def said(capsys, *arguments):
    """The exit code, and what stands on either stream."""
    try:
        code = main([*arguments])
    except SystemExit as leaving:
        code = leaving.code
    out, err = capsys.readouterr()
    return code, out + err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["trian"], "train"),
        (["eval"], "evaluate"),
        (["data-sets"], "datasets"),
        (["train", "--epoch-count", "3"], "--epochs"),
        (["predict", "--checkpoint", "x", "--jsno", "a.png"], "--json"),
        (["predict", "--checkpoint", "lenet-digit", "a.png"], "lenet-digits"),
        (["train", "--dataset", "cifar", "--model", "lenet"], "cifar10"),
        (["train", "--dataset", "mnist", "--model", "resent18"], "resnet18"),
    ],
)
def test_the_word_that_was_meant_is_named(capsys, workspace, words, meant):
    code, text = said(capsys, *words)
    assert code == 2 and meant in text and "Traceback" not in text
    assert not [name for name in HIDDEN if re.search(rf"(^|[ ,{{])({name})([ ,}}.]|$)", text)]


def test_a_run_s_name_that_is_nearly_right(capsys, workspace):
    folder = workspace.train_logs / "first-try"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text("{}")
    assert "did you mean first-try?" in said(capsys, "resume", "first-tyr")[1]
    assert "imgcls runs" in said(capsys, "resume", "something-else")[1]


def test_help_has_examples_that_parse_and_no_empty_default(capsys):
    code, text = said(capsys, "--help")
    assert code == 0 and "imgcls serve" in text and not [name for name in HIDDEN if f" {name} " in text]
    for command in COMMANDS:
        if command.hidden:
            continue
        _, text = said(capsys, command.name, "--help")
        assert "default )" not in text and command.examples
        for line in command.examples:
            assert f"imgcls {line}" in text
            arguments = make_parser().parse_args(line.split())
            assert arguments.command == command.module


ROW = {"state": "finished", "place": None, "epochs": 12, "settings": {"epochs": 20}, "val_accuracy": 0.94713}
ROW |= {"pinned": False, "tags": [], "note": ""}


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_figures_are_never_cut(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    name = "lenet-mnist-20261130-" + "x" * 28 + "-the-end"
    table([ROW | {"name": name, "test_accuracy": 0.95001}, ROW | {"name": "b", "test_accuracy": None}])
    lines = capsys.readouterr().out.splitlines()
    assert "finished" in lines[1] and "12/20" in lines[1] and "94.71%" in lines[1] and "95.00%" in lines[1]
    assert lines[1].startswith("len") and "nd" in lines[1].split()[0]
    assert width < 200 or name in lines[1]


def completions(line, workspace):
    """What the shell is offered at the end of `line`: argcomplete's own protocol, on file descriptor 8."""
    read, write = os.pipe()
    environment = os.environ | {
        "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "IFS": "\n", "_ARGCOMPLETE_IFS": "\n",
        "IMGCLS_HOME": str(workspace.root), "_ARGCOMPLETE_STDOUT_FILENAME": f"/dev/fd/{write}",
    }  # fmt: skip
    code = "import sys; from imgcls.cli.main import main; sys.argv = ['imgcls']; main()"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, pass_fds=[write], timeout=120)
    os.close(write)
    with open(read, encoding="utf-8") as file:
        return [word.strip() for word in file.read().split("\n")]


@pytest.mark.skipif(os.name == "nt", reason="completion is for POSIX shells")
def test_the_shell_completes_commands_checkpoints_and_data_sets(workspace):
    assert set(completions("imgcls ", workspace)) >= set(visible())
    assert not set(completions("imgcls ", workspace)) & set(HIDDEN)
    assert {"lenet-digits", "lenet-mnist"} <= set(completions("imgcls predict --checkpoint len", workspace))
    assert "fashion-mnist" in completions("imgcls train --dataset fash", workspace)
    assert "resnet18" in completions("imgcls train --model res", workspace)
