"""The house as docs/architecture.md draws it: who may import whom, checked on the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
FILES = sorted((PROJECT / "imgcls").rglob("*.py"))


def imports(path):
    """Every module that a file imports, wherever in the file the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def users_of(package):
    return {
        path.relative_to(PROJECT).as_posix()
        for path in FILES
        if any(name == package or name.startswith(package + ".") for name in imports(path))
    }


def test_only_the_page_knows_gradio():
    assert all(user.startswith("imgcls/ui/") for user in users_of("gradio"))


def test_no_torch_in_the_page():
    assert not {user for user in users_of("torch") if user.startswith("imgcls/ui/")}


def test_only_the_sinks_know_tensorboard():
    assert users_of("torch.utils.tensorboard") == {"imgcls/sinks.py"} and not users_of("tensorboard")


FORBIDDEN = {
    "imgcls/predictor.py": ("imgcls.trainer", "imgcls.data", "imgcls.runs", "imgcls.learner"),
    "imgcls/checkpoint.py": ("imgcls.trainer", "imgcls.data", "imgcls.runs"),
    "imgcls/trainer.py": ("imgcls.runs", "imgcls.sinks", "imgcls.cli", "imgcls.worker", "rich"),
    "imgcls/strokes.py": ("imgcls.data", "imgcls.models", "torch"),
    "imgcls/preprocess.py": ("imgcls.data", "imgcls.models"),
    "imgcls/evaluate.py": ("imgcls.checkpoint", "imgcls.data"),
}


@pytest.mark.parametrize("path", sorted(FORBIDDEN))
def test_data_flows_one_way(path):
    named = imports(PROJECT / path)
    for package in FORBIDDEN[path]:
        assert not any(name == package or name.startswith(package + ".") for name in named), package


def test_models_know_neither_data_nor_trainer():
    for path in FILES:
        if "/models/" in path.as_posix():
            assert not {n for n in imports(path) if n.startswith(("imgcls.data", "imgcls.trainer", "imgcls.runs"))}


@pytest.mark.parametrize("word", ["pickle", "marshal", "shelve", "dill", "joblib"])
def test_nothing_is_unpickled(word):
    assert not users_of(word)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), path


def test_help_needs_no_torch_and_predict_no_gradio():
    code = "import sys; from imgcls.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'gradio', 'numpy'} & set(sys.modules), set(sys.modules) & {'torch', 'gradio'}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT, capture_output=True)
    code = (
        "import sys, imgcls.commands.predict, imgcls.commands.train, imgcls.trainer; assert 'gradio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT)
