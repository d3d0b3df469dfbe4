"""A Python without the lab's packages: what it runs instead, or the sentence that it says."""

import os
import shutil
import subprocess
import sys

import pytest

from imgcls.workspace import PROJECT

BARE = [sys.executable, "-S"]  # without what pip installed
COMMANDS = {"module": ["-m", "imgcls", "runs"], "page": ["app.py", "--port", "0"]}


@pytest.fixture
def clone(tmp_path):
    """The project's own files, in a folder without an environment."""
    (tmp_path / "imgcls").symlink_to(PROJECT / "imgcls")
    shutil.copy(PROJECT / "app.py", tmp_path)  # a script's folder is that of the file itself
    return tmp_path


def ran(clone, *command):
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONSAFEPATH": ""}
    return subprocess.run([*BARE, *command], cwd=clone, env=outside, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_without_an_environment_a_sentence_says_how_to_make_one(clone, command):
    done = ran(clone, *command)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("imgcls: This Python (") and done.stderr.count("\n") == 1
    assert "python start.py" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_environment_that_start_made_runs_the_command(clone, command):
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\nexit 7\n')
    python.chmod(0o755)
    done = ran(clone, *command)
    assert (done.returncode, done.stdout.split()) == (7, ["-S", *command]), done.stderr


def test_the_library_says_it_too(clone):
    done = ran(clone, "-c", "import imgcls; imgcls.train('mnist')")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: This Python (") and "python start.py" in last
