"""A Python without the lab's packages: what it runs instead, or the sentence that it says."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from imgcls.environment import PACKAGES
from imgcls.workspace import PROJECT

BARE = [sys.executable, "-S"]  # without what pip installed
OPTIONAL = {"IPython", "onnx", "onnxruntime", "onnxscript", "ray", "openvino"}
COMMANDS = {"module": ["-m", "imgcls", "runs"], "page": ["app.py", "--port", "0"]}


@pytest.fixture
def clone(tmp_path):
    """The project's own files, in a folder without an environment."""
    (tmp_path / "imgcls").symlink_to(PROJECT / "imgcls")
    shutil.copy(PROJECT / "app.py", tmp_path)  # a script's folder is that of the file itself
    return tmp_path


@pytest.fixture(params=["nothing", "most"])
def installed(request, tmp_path):
    """A folder with none of the packages, or all but one: many a Python has some of them."""
    folder = tmp_path / "installed"
    folder.mkdir()
    for entry in Path(filelock.__file__).parents[1].iterdir() if request.param == "most" else ():
        if not entry.name.startswith(("filelock", "_distutils", "distutils")):
            (folder / entry.name).symlink_to(entry)
    return folder


def ran(clone, *command, installed=""):
    outside = os.environ | {"PYTHONSAFEPATH": "", "PYTHONPATH": str(installed), "IMGCLS_HOME": str(clone)}
    return subprocess.run([*BARE, *command], cwd=clone, env=outside, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_without_an_environment_a_sentence_says_how_to_make_one(clone, installed, command):
    done = ran(clone, *command, installed=installed)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("imgcls: This Python (") and done.stderr.count("\n") == 1
    assert "python start.py" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_environment_that_start_made_runs_the_command(clone, installed, command):
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\nexit 7\n')
    python.chmod(0o755)
    done = ran(clone, *command, installed=installed)
    assert (done.returncode, done.stdout.split()) == (7, ["-S", *command]), done.stderr


def test_the_library_says_it_too(clone):
    done = ran(clone, "-c", "import imgcls; imgcls.train('mnist')")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: This Python (") and "python start.py" in last


def test_every_package_that_the_lab_imports_is_known():
    imported = set()
    for path in (PROJECT / "imgcls").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module)
    roots = {name.partition(".")[0] for name in imported} - {*sys.stdlib_module_names, "imgcls"}
    assert roots - OPTIONAL == PACKAGES
