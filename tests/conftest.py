"""Every test gets a workspace of its own; nothing is written into the project."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

HERE = str(Path(__file__).resolve().parent)
PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
# Beside another worker of pytest-xdist two threads would wait for each other at every operator.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a shell; tests send it
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("lab", deadline=None)  # how long an example takes is the machine's business
settings.load_profile("lab")

# A worker of pytest-xdist takes whole files in this order. Those that last a minute begin first: in the end none
# works alone. Measured; a file that is missing here costs a little time and nothing else.
LONGEST_FILES = (
    "browser/test_class.py",
    "browser/test_choices.py",
    "test_exact.py",
    "browser/test_browser_training.py",
    "test_cli.py",
    "browser/test_page.py",
    "test_served.py",
    "browser/test_rooms.py",
    "test_memory.py",
    "test_start.py",
    "test_packaging.py",
    "test_notebooks.py",
    "browser/test_handout.py",
    "test_full_disk.py",
    "browser/test_live.py",
    "test_killed_saves.py",
    "browser/test_accessible.py",
    "test_sweep.py",
    "test_docs.py",
    "test_rows.py",
    "browser/test_runs_panel.py",
    "test_adopt.py",
    "browser/test_preset_choice.py",
    "test_library.py",
    "test_port.py",
    "test_write_faults.py",
)


def pytest_collection_modifyitems(items):
    begins = {Path(HERE, name): place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: begins.get(item.path, len(begins)))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty lab; what ships (MNIST, pen digits, two checkpoints) is still found."""
    from imgcls.workspace import Workspace

    made = Workspace(tmp_path / "lab")
    made.root.mkdir()
    monkeypatch.setenv("IMGCLS_HOME", str(made.root))
    return made


@pytest.fixture(scope="module")
def few_digits():
    """The name of a small built-in set that is known in this process, and in those that it begins, for one file."""
    from few_digits import NAME, SPEC

    from imgcls.data import registry

    registry.register(SPEC)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("IMGCLS_PLUGINS", "few_digits")
        patched.setenv("PYTHONPATH", os.pathsep.join(filter(None, (HERE, os.environ.get("PYTHONPATH")))))
        yield NAME
    del registry.DATASETS[NAME]
    registry.REGISTERED.remove(NAME)
