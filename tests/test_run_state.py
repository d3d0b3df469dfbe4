"""What a run is doing, written down: claimed once however many ask, by whoever asks; gone with its process."""

import json
import os
import subprocess
import sys

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcls.errors import ImgclsError, RunError
from imgcls.processes import ProcessId
from imgcls.recipes import with_recipe
from imgcls.runs import init_lab
from imgcls.runs.launcher import resume_run, start_run
from imgcls.runs.lifecycle import create_run, prepare_resume, remove_workspace_leftovers
from imgcls.runs.reader import EventLogReader, view
from imgcls.runs.state import Owner, RunState, change, locked, read_state, write_state
from imgcls.runs.store import Run, delete_run, list_runs, running, states
from imgcls.runs.worker import work
from imgcls.training import events

SMALL = {"train_images": 300, "val_split": 100, "epochs": 1, "batch_size": 32, "threads": 1, "device": "cpu"}
DEAD = ProcessId(2**22 + 7, 1.0)  # above Linux's largest pid


def small(**values):
    return with_recipe({**SMALL, **values})


def stopped(workspace, name="r", **values):
    """A run that looks as if it had been stopped."""
    run = create_run(small(name=name, **values), workspace)
    run.append_event(events.Stopped(step=3, epoch=0.1, seconds=2.0, checkpoint=None))
    change(workspace, run.logs, "stopped", process=None)
    run.checkpoints.mkdir(parents=True)
    (run.checkpoints / "resume.safetensors").write_bytes(b"")
    return run


def end(run):
    """Kill the run's process and wait for it."""
    process = psutil.Process(run.read_state().process.pid)
    process.kill()
    process.wait(60)


STATES = st.builds(
    RunState,
    state=st.sampled_from(["queued", "starting", "running", "stopping", "finished", "stopped", "failed"]),
    created=st.floats(0, 1e10),
    process=st.none() | st.builds(ProcessId, st.integers(1, 2**22), st.floats(0, 1e10)),
    owner=st.none() | st.builds(Owner, st.text(max_size=9), st.text(max_size=9)),
    place=st.floats(0, 1e6),
    resume=st.booleans(),
)


@given(STATES)
@settings(max_examples=50, deadline=None)
def test_a_state_comes_back(state):
    assert RunState.from_json(state.to_json().decode()) == state


@given(st.text(max_size=60) | st.dictionaries(st.sampled_from(["state", "process", "owner", "id"]), st.integers()))
@settings(max_examples=50, deadline=None)
def test_what_is_no_state_is_none(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("run")
    (folder / "state.json").write_text(written if isinstance(written, str) else json.dumps(written), "utf-8")
    assert read_state(folder) is None


HAMMER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from imgcls.errors import RunError
from imgcls.recipes import with_recipe
from imgcls.runs.launcher import start_run
from imgcls.workspace import Workspace

def ask(number):
    long = dict(train_images=2000, val_split=100, epochs=1000, batch_size=8, threads=1, device="cpu")
    try:
        return start_run(with_recipe(long), Workspace.from_environment(), at_once=2).name
    except RunError as error:
        assert "2 runs going on" in str(error), error

sys.stdin.readline()
with ThreadPoolExecutor(4) as pool:
    print(sum(name is not None for name in pool.map(ask, range(25))))
"""


def test_of_fifty_starts_in_two_servers_as_many_begin_as_may(workspace):
    servers = [
        subprocess.Popen([sys.executable, "-c", HAMMER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for server in servers:
            server.stdin.write("go\n")
            server.stdin.flush()
        assert sum(int(server.communicate(timeout=300)[0]) for server in servers) == 2
        assert len(running(workspace)) == 2
        with pytest.raises(RunError, match="2 runs going on"):
            start_run(small(), workspace, at_once=2)
        with pytest.raises(RunError, match="2 runs going on"):
            resume_run(stopped(workspace), at_once=2)
        with pytest.raises(RunError, match="2 runs going on"):
            init_lab.start_lab(small(name="lab"), ["default"], workspace, at_once=2)
        assert not (workspace.train_logs / "lab").exists() and view(Run("r", workspace)).state == "stopped"
    finally:
        for name in running(workspace):
            end(Run(name, workspace))
    assert running(workspace) == [] and {view(run).state for run in list_runs(workspace)} == {"interrupted", "stopped"}


def test_a_live_run_counts_however_many_others_there_are(workspace):
    first = create_run(small(name="first"), workspace)
    for number in range(60):
        change(workspace, create_run(small(name=f"later-{number}"), workspace).logs, "finished", process=None)
    assert list_runs(workspace)[-1] == first and running(workspace) == ["first"]
    with pytest.raises(RunError, match="There is 1 run going on already"):
        start_run(small(), workspace, at_once=1)


def test_a_lab_counts_once_with_the_run_it_is_at(workspace):
    lab = init_lab.create_lab(small(name="lab"), ["default"], workspace)
    create_run(small(name="lab-default"), workspace, lab="lab")
    assert running(workspace) == ["lab"] and lab.state() == "starting"


@pytest.mark.parametrize("process", [DEAD, ProcessId(os.getpid(), 1.0), None], ids=["gone", "recycled", "nobody"])
@pytest.mark.parametrize("state", ["starting", "running", "stopping"])
def test_without_its_process_a_run_is_interrupted_at_once(workspace, state, process):
    run = create_run(small(name="r"), workspace)
    change(workspace, run.logs, state, process=process)
    assert view(run).state == "interrupted" and not run.is_active() and running(workspace) == []
    with pytest.raises(RunError, match="is not running"):
        run.stop()
    with pytest.raises(RunError, match="nothing to go on from"):
        prepare_resume(run)
    (run.checkpoints).mkdir(parents=True)
    (run.checkpoints / "resume.safetensors").write_bytes(b"")
    prepare_resume(run)
    assert run.is_active() and view(run).state == "starting"


def test_what_goes_on_is_neither_resumed_nor_deleted_nor_done_twice(workspace):
    run = create_run(small(name="r"), workspace)
    with pytest.raises(RunError, match="still running"):
        resume_run(run)
    with pytest.raises(RunError, match="stop it first"):
        delete_run(run)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    change(workspace, run.logs, "running", process=ProcessId.of(other.pid))
    with pytest.raises(RunError, match="another process"):
        work(run)
    other.communicate()
    with pytest.raises(RunError, match="is not running"):
        work(run)


def test_a_resumed_run_keeps_what_the_limits_made_of_its_settings(workspace):
    run = stopped(workspace)
    made = run.settings()
    others = stopped(workspace, "later")
    os.utime(run.logs / "settings.json", (1_000_000_000, 1_000_000_000))
    resume_run(run, settings=made.model_copy(update={"time_limit": 15.0}))
    end(run)
    assert run.settings() == made.model_copy(update={"time_limit": 15.0})
    assert list_runs(workspace) == [others, run]  # it is as old as it was


def test_a_run_of_the_previous_layout_is_read(workspace):
    run = create_run(small(name="old"), workspace)
    (run.logs / "state.json").unlink()
    (run.logs / "lock").touch()
    assert view(run).state == "interrupted"
    run.append_event(events.Stopped(step=3, epoch=0.1, seconds=2.0, checkpoint=None))
    assert view(run).state == "stopped" and list_runs(workspace) == [run]
    run.checkpoints.mkdir(parents=True)
    (run.checkpoints / "resume.safetensors").write_bytes(b"")
    prepare_resume(run)
    assert view(run).state == "starting"
    lab = init_lab.create_lab(small(name="lab"), ["default"], workspace)
    (lab.logs / "state.json").unlink()
    assert lab.state() == "interrupted"
    (lab.logs / "ended.json").write_text('{"state": "failed", "message": "no {braces}"}')
    assert lab.state() == "failed" and str(lab.failure()) == "no {braces}"


def test_a_state_that_could_not_be_written_does_not_hide_how_a_run_ended(workspace):
    run = create_run(small(name="r"), workspace)
    run.append_event(events.Stopped(step=3, epoch=0.1, seconds=2.0, checkpoint=None))
    change(workspace, run.logs, "running", process=DEAD)
    assert view(run).state == "stopped"


def test_a_name_is_free_again_where_the_folder_could_not_be_filled(workspace):
    workspace.train_logs.write_text("a file where the folder should be")
    with pytest.raises(ImgclsError):
        create_run(small(name="r"), workspace)
    workspace.train_logs.unlink()
    (workspace.train_logs / "r").mkdir(parents=True)
    (workspace.train_logs / "r" / "settings.json").mkdir()  # not in the way of another name
    with pytest.raises(RunError, match="there already"):
        create_run(small(name="r"), workspace)
    assert create_run(small(name="s"), workspace).name == "s"


def test_a_deleted_run_does_not_haunt_the_next_of_its_name(workspace):
    run = create_run(small(name="r"), workspace)
    reader = EventLogReader(run)
    for step in range(400):
        run.append_event(
            events.Progress(step=step, epoch=0, loss=1, accuracy=0, lr=1, images_per_second=1, seconds_left=1)
        )
    before = reader.read()
    assert len(before.progress) == 400
    change(workspace, run.logs, "stopped", process=None)
    delete_run(run)
    again = create_run(small(name="r", epochs=7), workspace)
    again.append_event(events.Progress(step=1, epoch=0, loss=1, accuracy=0, lr=1, images_per_second=1, seconds_left=1))
    seen = reader.read()
    assert len(seen.progress) == 1 and seen.settings.epochs == 7 and seen.state == "starting"
    assert len(before.progress) == 400  # a snapshot, whatever happens afterwards


def test_time_taken_is_time_trained(workspace):
    run = create_run(small(name="r"), workspace)
    started = {
        "run": "r", "classes": ("a",), "images": {}, "parameters": 1, "trainable": 1, "device": "cpu",
        "precision": "fp32", "total_steps": 100, "steps_per_epoch": 10,
    }  # fmt: skip
    progress = {"epoch": 0.0, "loss": 1.0, "accuracy": 0.0, "lr": 1.0, "images_per_second": 1.0, "seconds_left": 1.0}
    for event in (
        events.Started(time=1000, **started),
        events.Progress(time=1040, step=40, **progress),
        events.Note(time=90_000, code="resuming"),  # a day later
        events.Started(time=90_010, first_step=30, **started),
        events.Progress(time=90_020, step=50, **progress),
    ):
        run.append_event(event)
    change(workspace, run.logs, "running", process=DEAD)
    assert view(run).seconds == 50
    run.append_event(events.Stopped(time=90_021, step=50, epoch=5.0, seconds=48.5, checkpoint=None))
    assert view(run).seconds == 48.5


def test_only_what_nobody_works_on_is_swept(workspace):
    live, dead = create_run(small(name="live"), workspace), create_run(small(name="dead"), workspace)
    change(workspace, dead.logs, "running", process=DEAD)
    for run in (live, dead):
        run.checkpoints.mkdir(parents=True)
        (run.checkpoints / "features.f32").write_bytes(b"f")
        (run.checkpoints / f".best.safetensors.{DEAD.pid}-1000.abcdef.tmp").write_bytes(b"half")
    (workspace.data / f".cats.{DEAD.pid}-1000.abcdef.tmp" / "cat").mkdir(parents=True)
    (workspace.data / "dogs").mkdir()
    remove_workspace_leftovers(workspace)
    assert [p.name for p in live.checkpoints.iterdir()] == ["features.f32"] and not list(dead.checkpoints.iterdir())
    assert [p.name for p in workspace.data.iterdir()] == ["dogs"]


def test_the_lock_is_waited_for(workspace):
    """Two threads that both change states never lose a change."""
    from concurrent.futures import ThreadPoolExecutor

    run = create_run(small(name="r"), workspace)

    def one_more(_):
        with locked(workspace):
            state = run.read_state()
            write_state(run.logs, state.to("running", place=state.place + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one_more, range(40)))
    assert run.read_state().place == 40 and set(states(workspace)) == {"r"}
