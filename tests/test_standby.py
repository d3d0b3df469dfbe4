"""The process that waits for a run: it takes the run over, and it goes when the server goes."""

import time

import pytest

from imgcls.recipes import with_recipe
from imgcls.runs import launcher
from imgcls.runs.launcher import keep_worker_warm, start_run
from imgcls.runs.reader import view
from imgcls.workspace import Workspace

SMALL = {"train_images": 300, "val_split": 100, "epochs": 1, "threads": 1, "device": "cpu"}


@pytest.fixture
def waiting(workspace, monkeypatch):
    monkeypatch.setattr(launcher, "_warm_worker", None)
    keep_worker_warm(workspace)
    process = launcher._warm_worker._process
    yield process
    if not process.stdin.closed:
        process.stdin.close()
    process.wait(60)


def finished(run):
    for _ in range(600):
        if not (seen := view(run)).live:
            return seen
        time.sleep(0.1)
    raise AssertionError("it did not end")


def test_it_becomes_the_run(workspace, waiting):
    seen = finished(start_run(with_recipe({**SMALL, "name": "first"}), workspace))
    assert seen.state == "finished" and waiting.wait(20) == 0
    assert (workspace.train_logs / "first" / "log.txt").exists()
    seen = finished(start_run(with_recipe({**SMALL, "name": "second"}), workspace))  # none waits yet: one of its own
    assert seen.state == "finished"


def test_it_goes_when_the_server_goes(waiting):
    waiting.stdin.close()  # what the system does for a server that was killed
    assert waiting.wait(60) == 0


def test_another_home_gets_a_process_of_its_own(tmp_path, waiting):
    other = Workspace(tmp_path / "other")
    assert finished(start_run(with_recipe({**SMALL, "name": "r"}), other)).state == "finished"
