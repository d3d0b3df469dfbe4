"""What many open pages ask of the same runs and checkpoints: read once, never of a run that is gone, never waiting for
another run's file."""

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from run_folders import a_run

from imgcls.checkpoints.store import is_shipped
from imgcls.errors import CheckpointError, DatasetError
from imgcls.files import write_bytes
from imgcls.progress import with_progress
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.runs.state import RunState, write_state
from imgcls.runs.store import Run
from imgcls.training import events
from imgcls.web.evaluate.tab import EvaluateTab
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.run_cache import LISTED, RunCache
from imgcls.web.train.tab import TrainTab
from imgcls.workspace import PROJECT


def progress(step, time=2.0):
    return events.Progress(
        time=time,
        step=step,
        epoch=step / 100,
        loss=1.0,
        accuracy=0.5,
        lr=0.1,
        images_per_second=100.0,
        seconds_left=1.0,
    )


def made(name, workspace, points=3):
    run = Run(name, workspace)
    settings = with_recipe({"dataset": "mnist", "name": name})
    write_bytes(run.logs / "settings.json", settings.model_dump_json().encode())
    for step in range(1, points + 1):
        run.append_event(progress(step))
    run.append_event(events.Stopped(time=3.0, step=points, epoch=0.1, seconds=1.0, checkpoint=None))
    return run


def test_sixty_runs_are_read_once(workspace):
    runs = [made(f"r{i}", workspace) for i in range(60)]
    cache = RunCache(workspace)
    for run in runs:
        assert len(cache.view(run.name).progress) == 3
    for run in runs:  # whoever reads a file from its beginning now finds nothing in it
        run.events.write_bytes(b"\n" * run.events.stat().st_size)
        cache.forget(run.name)
    assert [len(cache.view(run.name).progress) for run in runs] == [3] * 60
    assert len(cache.runs()) == LISTED and cache.latest() in {run.name for run in runs}


def test_a_run_of_the_same_name_is_another_run(workspace):
    cache = RunCache(workspace)
    run = made("r0", workspace, points=50)
    assert len(cache.view("r0").progress) == 50
    os.utime(run.logs / "settings.json", (1, 1))
    shutil.rmtree(run.logs)
    made("r0", workspace, points=5)
    cache.forget("r0")
    assert [p.step for p in cache.view("r0").progress] == [1, 2, 3, 4, 5]
    shutil.rmtree(run.logs)
    assert cache.view("r0") is None


def test_a_page_in_the_making_sees_no_later_event(workspace):
    cache, run = RunCache(workspace), made("r0", workspace)
    before = cache.view("r0")
    log, points = iter(before.log), list(before.progress)
    next(log)
    for step in range(10, 20):
        run.append_event(events.Note(time=4.0, code="resuming"))
        run.append_event(progress(step))
    cache.forget("r0")
    assert len(cache.view("r0").progress) == 13
    assert list(before.progress) == points and list(log) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
def test_no_run_waits_for_another_ones_file(workspace):
    slow, _ = made("slow", workspace), made("quick", workspace)
    slow.events.unlink()
    os.mkfifo(slow.events)  # whoever reads it waits for somebody to write
    cache = RunCache(workspace)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(cache.view, "slow") for _ in range(2)]
        try:
            assert len(pool.submit(cache.view, "quick").result(timeout=30).progress) == 3
            assert pool.submit(cache.checkpoints).result(timeout=30)
            assert not any(one.done() for one in waiting)
        finally:
            slow.events.write_bytes(b"")
        assert all(one.result(timeout=30).run.name == "slow" for one in waiting)


@pytest.mark.parametrize("name", ["", None, "..", "../r0", "/etc", "a" * 100_000, "r\0", "r0\n", "other"])
def test_what_is_no_run_is_none(workspace, name):
    made("r0", workspace)
    assert RunCache(workspace).view(name) is None


def test_once_for_all_who_ask_at_once(workspace):
    cache, calls, all_here = RunCache(workspace), [], threading.Barrier(8)

    def make():
        calls.append(1)
        all_here.wait(30)
        return "report"

    def ask(i):
        if i:  # the others are on their way while the first one makes it
            all_here.wait(30)
        return cache.once("flowers", ("report",), make)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == ["report"] * 8
    assert calls == [1]
    (workspace.data / "flowers" / "rose").mkdir(parents=True)
    assert cache.once("flowers", ("report",), lambda: "another") == "another"


def test_what_fails_is_told_to_all_and_tried_again(workspace):
    cache = RunCache(workspace)

    def fails():
        raise DatasetError("There is nothing.")

    for _ in range(2):
        with pytest.raises(DatasetError):
            cache.once("flowers", ("report",), fails)
    assert cache.once("flowers", ("report",), lambda: 1) == 1


def test_a_checkpoint_is_there_as_soon_as_it_is_saved(workspace):
    cache = RunCache(workspace)
    assert cache.checkpoint("lenet-digits/best").is_file()
    for wrong in ("r0/best", "../lenet-digits/best", "", None, "/etc/passwd", "x" * 1_000_000):
        with pytest.raises(CheckpointError) as error:
            cache.checkpoint(wrong)
        assert len(str(error.value)) < 200
    (workspace.checkpoints / "r0").mkdir(parents=True)
    shutil.copy(PROJECT / "checkpoints/lenet-mnist/best.safetensors", workspace.checkpoints / "r0/best.safetensors")
    assert cache.checkpoint("r0/best") == workspace.checkpoints / "r0" / "best.safetensors"


def test_runs_of_an_initialisation_lab_are_listed_there_only(workspace, monkeypatch):
    from imgcls.runs.init_lab import create_lab

    create_run(with_recipe({"name": "own"}), workspace)
    lab = create_lab(with_recipe({"name": "lab"}), ["default", "too-small"], workspace)
    create_run(lab.settings.model_copy(update={"name": lab.run("default").name}), workspace, lab="lab")
    cache = RunCache(workspace)
    assert [run.name for run in cache.runs()] == ["own"]
    assert cache.view("lab-default") is not None
    # A link to one of them, to a run that is gone, and to one that the list has no place for.
    tab = TrainTab.__new__(TrainTab)
    tab.run_cache, tab.translate = cache, Translator("en")
    assert "is part of lab: it is shown in the Init lab" in tab.why_not_shown("lab-default")
    assert "no run called “gone” here" in tab.why_not_shown("gone")
    assert not any(map(tab.why_not_shown, ("own", "..", "", None)))
    monkeypatch.setattr("imgcls.web.shared.run_cache.LISTED", 0)
    choices = tab.list_runs("own")
    assert [value for _, value in choices["choices"]] == ["own"] and "value" not in choices


def test_of_a_sweeps_runs_the_best_alone_is_listed_and_evaluate_begins_with_the_run_that_train_shows(workspace):
    shipped = PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors"
    for name in ("first", "s_0.1_s1", "s_0.2_s1", "newest"):
        run = a_run(workspace, name)
        write_state(run.logs, RunState("finished", parent="s" if name.startswith("s_") else ""))
        for kind in ("best", "last"):
            write_bytes(run.checkpoints / f"{kind}.safetensors", shipped.read_bytes())
    cache = RunCache(workspace)
    listed = {(info.run, info.kind) for info in cache.checkpoints() if not is_shipped(info.path)}
    assert listed == {(name, "best") for name in ("first", "s_0.1_s1", "s_0.2_s1", "newest")} | {
        ("first", "last"), ("newest", "last")
    }  # fmt: skip
    tab = EvaluateTab.__new__(EvaluateTab)
    own = SimpleNamespace(may_stop=lambda written: True)
    tab.context = SimpleNamespace(people=SimpleNamespace(visitor=lambda request: own))
    tab.run_cache, tab.first_key = cache, "lenet-digits/best"
    assert tab._usual(None, "s_0.1_s1") == ["s_0.1_s1/best"] and tab._usual(None, "first") == ["first/best"]
    assert tab._usual(None, None) == tab._usual(None, "gone") != []


def test_whoever_leaves_does_not_take_the_answer_from_those_who_wait(workspace):
    """The work of one who closed the page stops; the next who asks for the same makes it."""
    cache, begun, done = RunCache(workspace), threading.Event(), []

    def first(progress):
        for n in range(1, 1001):
            progress(n, 1000)
            begun.set()
            time.sleep(0.01)
            done.append(n)
        return "first"

    leaving = with_progress(lambda p: cache.once("flowers", ("report",), lambda: first(p)), first=0.01)
    assert next(leaving)[1] == 1000
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(cache.once, "flowers", ("report",), lambda: "second")
        assert begun.wait(20)
        leaving.close()
        assert waits.result(20) == "second" and len(done) < 1000
