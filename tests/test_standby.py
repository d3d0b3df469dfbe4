"""The process that waits for a run: it takes the run over, and it goes when the server goes."""

import time

import psutil
import pytest

from imgcls.errors import DatasetError
from imgcls.recipes import with_recipe
from imgcls.runs import launcher
from imgcls.runs.launcher import allow_warm_worker, keep_worker_warm, start_run
from imgcls.runs.reader import view
from imgcls.workspace import Workspace

SMALL = {"train_images": 300, "val_split": 100, "epochs": 1, "threads": 1, "device": "cpu"}


@pytest.fixture
def waiting(workspace, monkeypatch):
    monkeypatch.setattr(launcher, "_warm_worker", None)
    keep_worker_warm()  # not yet: nothing is a server
    assert launcher._warm_worker is None
    allow_warm_worker(workspace)
    assert launcher._warm_worker._process is None
    keep_worker_warm()
    worker = launcher._warm_worker
    process = worker._process
    yield worker
    if not process.stdin.closed:
        process.stdin.close()
    process.wait(120)


def finished(run):
    end = time.monotonic() + 180
    while time.monotonic() < end:
        if not (seen := view(run)).is_active:
            return seen
        time.sleep(0.1)
    raise AssertionError("it did not end")


def end(run):
    process = psutil.Process(run.read_state().process.pid)
    assert run.name in process.cmdline()
    process.kill()
    process.wait(60)


def test_it_becomes_the_run(workspace, waiting):
    process = waiting._process
    assert waiting.ready_to_work.wait(180)
    run = start_run(with_recipe({**SMALL, "name": "first"}), workspace)
    assert run.read_state().process.pid == process.pid
    assert finished(run).state == "finished" and process.wait(60) == 0
    assert (workspace.train_logs / "first" / "log.txt").exists()


def test_before_it_is_ready_a_run_has_a_process_of_its_own(workspace, waiting):
    waiting.ready_to_work.clear()
    run = start_run(with_recipe({**SMALL, "name": "first"}), workspace)
    assert run.read_state().process.pid != waiting._process.pid
    end(run)


def test_one_that_has_died_takes_no_run_with_it(workspace, waiting):
    assert waiting.ready_to_work.wait(180)
    process = waiting._process
    process.kill()
    run = start_run(with_recipe({**SMALL, "name": "first"}), workspace)
    assert run.read_state().process.pid != process.pid and run.is_active()
    end(run)


def test_it_goes_when_the_server_goes(waiting):
    process = waiting._process
    process.stdin.close()  # what the system does for a server that was killed
    assert process.wait(120) == 0


def test_another_workspace_gets_a_process_of_its_own(tmp_path, waiting):
    other = Workspace(tmp_path / "other")
    assert waiting.ready_to_work.wait(180)
    run = start_run(with_recipe({**SMALL, "name": "r"}), other)
    assert run.read_state().process.pid != waiting._process.pid
    end(run)


def test_rehearsing_changes_no_later_random_number():
    import torch

    from imgcls.training.warmup import warm_up

    before = torch.get_rng_state()
    warm_up()
    assert torch.equal(torch.get_rng_state(), before)


def test_what_was_read_beforehand_is_taken_once_and_only_as_long_as_its_files_stay(workspace, monkeypatch):
    import shutil

    import torch

    from imgcls.data import download, readers
    from imgcls.data.registry import dataset_spec

    place = workspace.data / "MNIST" / "raw"
    shutil.copytree(dataset_spec("mnist").in_workspace(workspace), place)
    read, real = [], readers.read_idx
    monkeypatch.setattr(readers, "read_idx", lambda path, shape: read.append(path.name) or real(path, shape))
    download.prefetch("mnist", workspace)
    once = len(read)
    first = download.load_arrays("mnist", workspace)
    assert len(read) == once == 4
    again = download.load_arrays("mnist", workspace)  # the first may have been changed by whoever had it
    assert len(read) == 2 * once and all(torch.equal(a, b) for a, b in zip(first["test"], again["test"], strict=True))

    download.prefetch("mnist", workspace)
    labels = place / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-100])
    with pytest.raises(DatasetError, match="cut off"):
        download.load_arrays("mnist", workspace)
