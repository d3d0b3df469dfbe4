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


LONG = "a" * 100_000
HOSTILE = [LONG, "~nobody-here/x", "\x1b[31mred\nand more", "gar\u202eten", "a\0b"]
ASKED = [["predict", "--checkpoint", "@", "x.png"], ["predict", "--checkpoint", "lenet-digits", "@"],
         ["evaluate", "--checkpoint", "@"], ["evaluate", "--checkpoint", "lenet-digits", "--part", "@"],
         ["report", "@"], ["runs", "@"], ["datasets", "@"], ["fetch", "@"], ["adopt", "@"], ["export", "page", "@"],
         ["train", "--weights", "@", "--model", "alexnet", "--transfer", "head"], ["@"]]  # fmt: skip


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
@pytest.mark.parametrize("hostile", HOSTILE, ids=["long", "nobody's home", "escapes", "turned", "NUL"])
def test_whatever_is_typed_is_answered_with_one_bounded_sentence(capsys, workspace, words, hostile):
    try:
        code = main([hostile if word == "@" else word for word in words])
    except SystemExit as error:
        code = error.code
    out, said = capsys.readouterr()
    sentence = said.removesuffix("\n").split("\nSee `")[0]
    assert code and sentence.startswith("imgcls") and len(sentence) < 3_000, sentence[-300:]
    assert all(c.isprintable() for c in sentence) and not re.search("[\x00-\x08\x1b\u202e]", out), sentence


def test_a_link_that_leads_nowhere_ends_no_walk(capsys, workspace):
    from photos import flowers

    root = flowers(workspace.data / "plants", each=3)
    for folder in (root, root / "rose"):
        (folder / "loop.jpg").symlink_to("loop.jpg")
        (folder / "round").symlink_to("round")
    assert main(["datasets", "plants"]) == 0 and "rose" in capsys.readouterr().out
    assert main(["predict", "--checkpoint", "imagenet", str(root / "rose")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_folder_without_images_is_told(capsys, workspace, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    assert main(["predict", "--checkpoint", "lenet-digits", str(tmp_path)]) == 2
    assert f"There is no image in {tmp_path}" in capsys.readouterr().err


def test_a_closed_output_ends_no_training(workspace):
    train = f"{sys.executable} -m imgcls train --epochs 1 --train-images 32 --val-split 16 --name quiet >&- 2>&-"
    there = {**os.environ, "IMGCLS_HOME": str(workspace.root), "OMP_NUM_THREADS": "1"}
    assert subprocess.run(train, shell=True, cwd=PROJECT, env=there).returncode == 0
    assert (workspace.checkpoints / "quiet" / "best.safetensors").is_file()


def test_a_place_that_is_none_is_not_called_full(capsys, workspace, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMGCLS_HOME", str(tmp_path / "file"))
    assert main(["train", "--epochs", "1", "--train-images", "32", "--val-split", "16"]) == 2
    said = capsys.readouterr().err
    assert "could not be written" in said and "free some space" not in said
