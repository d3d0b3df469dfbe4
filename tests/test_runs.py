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

from imgcls import runs
from imgcls.errors import ImgclsError, RunError
from imgcls.follow import Follower, view
from imgcls.recipes import with_recipe


def small(**values):
    plain = {"train_images": 500, "val_split": 300, "epochs": 1, "batch_size": 32, "threads": 1, "device": "cpu"}
    return with_recipe({**plain, **values})


def endless(**values):
    return small(train_images=2000, epochs=1000, batch_size=8, schedule="constant", lr=1e-3, **values)


def wait(follower, until, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = follower.look()
        if until(seen):
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{follower.view.state}: {(follower.view.run.logs / 'log.txt').read_text()}")


def process_of(run):
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] and process.info["cmdline"][-2:] == ["work", run.name]:
            return process
    raise AssertionError("no process")


def test_a_run_finishes_on_its_own_and_anyone_can_read_it(home):
    run = runs.start(small(), home)
    first, second = Follower(run), Follower(run)
    assert first.look().state == "starting"
    seen = wait(first, lambda v: not v.live)
    assert seen.state == "finished" and seen.share == 1 and len(seen.epochs) == 1
    assert seen.ending.test_accuracy > 0.2
    assert second.look().state == "finished"
    assert run.best.is_file()
    assert {"settings.json", "events.jsonl", "log.txt"} <= {p.name for p in run.logs.iterdir()}
    assert [r.name for r in runs.list_runs(home)] == [run.name]
    with pytest.raises(RunError, match="nothing to go on"):
        runs.go_on(run)


def test_stop_saves_and_resume_goes_on(home):
    run = runs.start(endless(name="long"), home)
    follower = Follower(run)
    wait(follower, lambda v: v.progress)
    assert view(run).state == "running"
    run.stop()
    seen = wait(follower, lambda v: not v.live)
    assert seen.state == "stopped" and run.can_go_on
    step = seen.ending.step
    runs.go_on(run)
    seen = wait(follower, lambda v: v.progress and v.progress[-1].step > step)
    assert seen.started.first_step == step and seen.state == "running"
    run.stop()
    wait(follower, lambda v: v.state == "stopped")
    runs.delete(run)
    assert not run.logs.exists() and not run.checkpoints.exists()


def test_a_killed_run_is_seen_as_dead_and_goes_on_from_its_last_save(home):
    run = runs.start(endless(name="killed"), home)
    follower = Follower(run)
    wait(follower, lambda v: v.epochs and v.progress[-1].step > v.epochs[-1].step)
    with pytest.raises(RunError, match="still running"):
        runs.go_on(run)
    with pytest.raises(RunError, match="stop it first"):
        runs.delete(run)
    process = process_of(run)
    process.kill()
    process.wait(10)
    seen = wait(follower, lambda v: v.state == "died", 5)
    reached = seen.progress[-1].step
    saved = seen.epochs[-1].step
    runs.go_on(run)
    seen = wait(follower, lambda v: v.progress and v.progress[-1].step > reached)
    assert 0 < seen.started.first_step <= reached and seen.started.first_step >= saved
    steps = [p.step for p in seen.progress]
    assert steps == sorted(set(steps))
    run.stop()
    wait(follower, lambda v: not v.live)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send")
def test_a_terminated_run_saves(home):
    run = runs.start(endless(name="terminated"), home)
    follower = Follower(run)
    wait(follower, lambda v: v.progress)
    process_of(run).send_signal(signal.SIGTERM)
    assert wait(follower, lambda v: not v.live).state == "stopped"


def test_a_run_outlives_the_process_that_started_it(home):
    code = (
        "from imgcls import runs; from imgcls.home import Home; from imgcls.recipes import with_recipe;"
        "s = with_recipe(dict(train_images=500, val_split=300, epochs=1, threads=1, device='cpu', name='orphan'));"
        "runs.start(s, Home.from_environment())"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert wait(Follower(runs.Run("orphan", home)), lambda v: not v.live).state == "finished"


def test_a_failed_run_says_its_sentence(home):
    run = runs.start(small(optimizer="sgd", lr=100, schedule="constant", train_images=3000), home)
    seen = wait(Follower(run), lambda v: not v.live)
    assert seen.state == "failed" and "smaller lr" in seen.ending.message and not seen.ending.unexpected
    assert "Traceback" not in (run.logs / "log.txt").read_text()


@pytest.mark.parametrize(
    "values",
    [{"dataset": "cats"}, {"dataset": "../../etc"}, {"val_split": 60000}, {"name": "taken"}, {"name": "lenet-mnist"}],
    ids=str,
)
def test_what_cannot_start_leaves_nothing(home, values):
    (home.checkpoints / "taken").mkdir(parents=True)
    before = sorted(home.root.rglob("*"))
    with pytest.raises(ImgclsError) as caught:
        runs.start(small(**values), home)
    assert "\n" not in str(caught.value)
    assert [p for p in sorted(home.root.rglob("*")) if p.name != "train_logs"] == before


def test_of_many_that_ask_for_one_name_one_gets_it(home):
    def ask(_):
        try:
            return runs.create(small(name="one"), home)
        except RunError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(ask, range(16)))
    assert sum(isinstance(m, runs.Run) for m in made) == 1


def test_default_names_never_collide(home):
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: runs.create(small(), home).name, range(8)))
    assert len(set(names)) == 8


def test_half_a_line_in_the_stream_is_mended(home):
    run = runs.create(small(), home)
    run.events.write_text('{"event": "Progr')
    from imgcls.sinks import EventStream

    with EventStream(run) as stream:
        from imgcls.events import Failed

        stream(Failed(message="no"))
    lines = run.events.read_text().splitlines()
    assert json.loads(lines[1])["message"] == "no"
    assert view(run).state == "failed"
