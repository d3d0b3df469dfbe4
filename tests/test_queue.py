"""A class on one computer: further starts wait, in order, through every restart; each person's own are theirs."""

import subprocess
import sys

import psutil
import pytest

from imgcls.cli.main import main
from imgcls.errors import RunError
from imgcls.processes import ProcessId
from imgcls.recipes import with_recipe
from imgcls.runs import init_lab, queue
from imgcls.runs.launcher import start_next, start_run
from imgcls.runs.lifecycle import create_run
from imgcls.runs.reader import view
from imgcls.runs.state import Owner, change
from imgcls.runs.store import Run, list_runs, running

SMALL = {"train_images": 300, "val_split": 100, "epochs": 1, "batch_size": 32, "threads": 1, "device": "cpu"}
ANN, BEN = Owner("a1", "Ann"), Owner("b2", "Ben")


def small(**values):
    return with_recipe({**SMALL, **values})


@pytest.fixture
def first(workspace):
    """A run that goes on: its process is this one."""
    return create_run(small(name="first"), workspace)


def ask(workspace, name, owner=None, **more):
    return start_run(small(name=name), workspace, at_once=1, wait=True, owner=owner, **more)


def names(workspace):
    return [name for name, _ in queue.waiting(workspace)]


def test_further_starts_wait_in_the_order_they_came(workspace, first):
    runs = [ask(workspace, name) for name in ("c", "a", "b")]
    assert names(workspace) == ["c", "a", "b"] and [queue.position(run) for run in runs] == [1, 2, 3]
    assert {view(run).state for run in runs} == {"queued"} and running(workspace) == ["first"]
    assert queue.position(first) is None and start_next(workspace) == []
    with pytest.raises(RunError, match="There is 1 run going on already"):
        start_run(small(), workspace, at_once=1)


def test_nobody_overtakes_the_queue_when_a_place_is_free(workspace, first):
    ask(workspace, "second")
    change(workspace, first.logs, "finished", process=None)
    assert view(ask(workspace, "third")).state == "queued" and names(workspace) == ["second", "third"]


def test_the_next_one_starts_however_the_one_before_ended(workspace):
    """Nothing but files: whoever looks next, a server that was started again for one, starts it; and each only once."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run = create_run(small(name="first"), workspace)
    change(workspace, run.logs, "running", process=ProcessId.of(other.pid))
    ask(workspace, "second")
    init_lab.start_lab(small(name="lab"), ["default"], workspace, at_once=1, wait=True)
    other.kill()
    other.wait()
    other.stdin.close()
    code = (
        "from imgcls.runs.launcher import start_next; from imgcls.workspace import Workspace;"
        "print(start_next(Workspace.from_environment()))"
    )
    servers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(server.communicate(timeout=120)[0].strip() for server in servers) == ["['second']", "[]"]
    second = Run("second", workspace)
    process = psutil.Process(second.read_state().process.pid)
    assert "second" in process.cmdline() and view(run).state == "interrupted"
    process.wait(180)  # its own process starts the next one as it ends
    assert view(second).state == "finished"
    lab = init_lab.find_lab("lab", workspace)
    assert lab.state() != "queued"
    psutil.Process(lab.read_state().process.pid).kill()


def test_a_waiting_run_is_withdrawn_and_leaves_nothing(workspace, first, capsys):
    ask(workspace, "second")
    ask(workspace, "third")
    assert main(["stop", "second"]) == 0 and "not in the queue any more" in capsys.readouterr().out
    assert names(workspace) == ["third"] and [run.name for run in list_runs(workspace)] == ["third", "first"]
    assert main(["runs"]) == 0 and "queued (1)" in capsys.readouterr().out
    lab = init_lab.start_lab(small(name="lab"), ["default"], workspace, at_once=1, wait=True)
    lab.stop()
    assert not lab.logs.exists()


def test_what_is_ones_own_and_the_host(workspace, first):
    run = ask(workspace, "second", ANN)
    for somebody in (BEN, None, Owner("", "Ann")):
        with pytest.raises(RunError, match="Only Ann"):
            queue.stop(run, somebody)
    with pytest.raises(RunError, match="or the lab's host"):
        queue.stop(first, ANN)  # nobody's: started in the terminal
    queue.stop(run, ANN)
    assert names(workspace) == []
    queue.stop(first, None, host=True)
    assert view(first).state == "stopping" and first.stop_requested()


def test_the_host_reorders_and_closes(workspace, first):
    for name in ("a", "b", "c"):
        ask(workspace, name)
    queue.reorder(workspace, ["c", "gone", "c", "first"])
    assert names(workspace) == ["c", "a", "b"]
    queue.close(workspace)
    with pytest.raises(RunError, match="queue is closed"):
        ask(workspace, "d")
    assert names(workspace) == ["c", "a", "b"] and not (workspace.train_logs / "d").exists()
    queue.reopen(workspace)
    ask(workspace, "d")
    assert names(workspace) == ["c", "a", "b", "d"]


def test_about_how_long_it_waits(workspace, first):
    """What goes on was estimated at 100 s and has not begun to train; those ahead say what they need."""
    change(workspace, first.logs, "running", expected=100.0)
    runs = [ask(workspace, name, expected=60.0) for name in ("a", "b", "c")]
    assert [queue.turn_of(run).seconds for run in runs] == [100, 160, 220]
    assert queue.turn_of(first) is None
    # One that nobody has measured: a limit of half an hour says nothing about a run of ten seconds.
    change(workspace, runs[0].logs, "queued", expected=None)
    assert [queue.turn_of(run).seconds for run in runs] == [100, None, None]
    assert [queue.turn_of(run).ahead for run in runs] == [1, 2, 3]


def test_the_next_one_waits_for_all_that_a_terminal_has_started_beside_it(workspace, first):
    change(workspace, first.logs, "running", expected=10.0)
    for name, seconds in (("second", 500.0), ("third", 1000.0)):
        change(workspace, create_run(small(name=name), workspace).logs, "running", expected=seconds)
    assert queue.turn_of(ask(workspace, "waits", expected=60.0)).seconds == 1000
