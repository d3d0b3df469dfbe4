"""Runs as folders and real processes: they outlive whoever started them, stop, die, and go on."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from imgcls.errors import ImgclsError, RunError
from imgcls.recipes import with_recipe
from imgcls.runs.launcher import resume_run, start_run
from imgcls.runs.lifecycle import create_run
from imgcls.runs.reader import EventLogReader, view
from imgcls.runs.store import Run, delete_run, list_runs


def small(**values):
    plain = {"train_images": 500, "val_split": 300, "epochs": 1, "batch_size": 32, "threads": 1, "device": "cpu"}
    return with_recipe({**plain, **values})


def endless(**values):
    return small(train_images=2000, epochs=1000, batch_size=8, schedule="constant", lr=1e-3, **values)


def wait(follower, until, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = follower.read()
        if until(seen):
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{follower.view.state}: {(follower.run.logs / 'log.txt').read_text()}")


def test_a_run_finishes_on_its_own_and_anyone_can_read_it(workspace):
    run = start_run(small(), workspace)
    first, second = EventLogReader(run), EventLogReader(run)
    assert first.read().state == "starting"
    seen = wait(first, lambda v: not v.is_active)
    assert seen.state == "finished" and seen.share == 1 and len(seen.epochs) == 1
    assert seen.ending.test_accuracy > 0.2
    assert second.read().state == "finished"
    assert run.best.is_file()
    assert {"settings.json", "events.jsonl", "log.txt"} <= {p.name for p in run.logs.iterdir()}
    assert [r.name for r in list_runs(workspace)] == [run.name]
    with pytest.raises(RunError, match="nothing to go on"):
        resume_run(run)


def test_stop_saves_and_resume_goes_on(workspace):
    run = start_run(endless(name="long"), workspace)
    follower = EventLogReader(run)
    wait(follower, lambda v: v.progress)
    assert view(run).state == "running"
    run.stop()
    seen = wait(follower, lambda v: not v.is_active)
    assert seen.state == "stopped" and run.can_resume
    step = seen.ending.step
    resume_run(run)
    seen = wait(follower, lambda v: v.progress and v.progress[-1].step > step)
    assert seen.started.first_step == step and seen.state == "running"
    run.stop()
    wait(follower, lambda v: v.state == "stopped")
    delete_run(run)
    assert not run.logs.exists() and not run.checkpoints.exists()


def test_a_killed_run_is_seen_as_dead_and_goes_on_from_its_last_save(workspace):
    run = start_run(endless(name="killed"), workspace)
    follower = EventLogReader(run)
    wait(follower, lambda v: v.epochs and v.progress[-1].step > v.epochs[-1].step)
    with pytest.raises(RunError, match="still running"):
        resume_run(run)
    with pytest.raises(RunError, match="stop it first"):
        delete_run(run)
    process = psutil.Process(run.read_state().process.pid)
    process.kill()
    process.wait(60)
    seen = wait(follower, lambda v: v.state == "interrupted")
    reached = seen.progress[-1].step
    saved = seen.epochs[-1].step
    resume_run(run)
    seen = wait(follower, lambda v: v.progress and v.progress[-1].step > reached)
    assert 0 < seen.started.first_step <= reached and seen.started.first_step >= saved
    steps = [p.step for p in seen.progress]
    assert steps == sorted(set(steps))
    run.stop()
    wait(follower, lambda v: not v.is_active)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_a_terminated_run_saves(workspace):
    run = start_run(endless(name="terminated"), workspace)
    follower = EventLogReader(run)
    wait(follower, lambda v: v.progress)
    os.kill(run.read_state().process.pid, signal.SIGTERM)
    assert wait(follower, lambda v: not v.is_active).state == "stopped"


def test_a_run_outlives_the_process_that_started_it(workspace):
    code = (
        "from imgcls.runs.launcher import start_run; from imgcls.workspace import Workspace;"
        "from imgcls.recipes import with_recipe;"
        "s = with_recipe(dict(train_images=500, val_split=300, epochs=1, threads=1, device='cpu', name='orphan'));"
        "start_run(s, Workspace.from_environment())"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert wait(EventLogReader(Run("orphan", workspace)), lambda v: not v.is_active).state == "finished"


def test_a_failed_run_says_its_sentence(workspace):
    run = start_run(small(optimizer="sgd", lr=100, schedule="constant", train_images=3000), workspace)
    seen = wait(EventLogReader(run), lambda v: not v.is_active)
    assert seen.state == "failed" and "diverged" in str(seen.ending.message) and not seen.ending.unexpected
    assert "Traceback" not in (run.logs / "log.txt").read_text()


@pytest.mark.parametrize(
    "values",
    [{"dataset": "cats"}, {"dataset": "../../etc"}, {"val_split": 60000}, {"name": "taken"}, {"name": "lenet-mnist"}],
    ids=str,
)
def test_what_cannot_start_leaves_nothing(workspace, values):
    (workspace.checkpoints / "taken").mkdir(parents=True)
    before = sorted(workspace.root.rglob("*"))
    with pytest.raises(ImgclsError) as caught:
        start_run(small(**values), workspace)
    assert "\n" not in str(caught.value)
    assert [p for p in sorted(workspace.root.rglob("*")) if p.name not in ("train_logs", ".lock")] == before


def test_of_many_that_ask_for_one_name_one_gets_it(workspace):
    def ask(_):
        try:
            return create_run(small(name="one"), workspace)
        except RunError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(ask, range(16)))
    assert sum(isinstance(m, Run) for m in made) == 1


def test_default_names_never_collide(workspace):
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: create_run(small(), workspace).name, range(8)))
    assert len(set(names)) == 8


def test_half_a_line_in_the_stream_is_mended(workspace):
    run = create_run(small(), workspace)
    run.events.write_text('{"event": "Progr')
    from imgcls.training.loggers.event_log import EventLog

    with EventLog(run.logs) as stream:
        from imgcls.messages import Message
        from imgcls.training.events import Failed

        stream(Failed(message=Message("no")))
    lines = run.events.read_text().splitlines()
    assert json.loads(lines[1])["message"]["text"] == "no"
    assert isinstance(view(run).ending, Failed)
