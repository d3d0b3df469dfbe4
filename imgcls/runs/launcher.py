"""Start a run, or go on with one, in a process that outlives the page, the server and the terminal.

Counting what goes on, claiming a place and starting the process are one step under the workspace's lock: of fifty
starts at once, in however many servers, as many begin as may.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from imgcls.errors import ImgclsError, RunError
from imgcls.messages import plural
from imgcls.processes import ProcessId
from imgcls.runs import queue
from imgcls.runs.lifecycle import check_resumable, check_run, claim_run, mark_resuming
from imgcls.runs.state import Owner, RunState, locked, write_state
from imgcls.runs.store import Job, Run, move_to_trash, running
from imgcls.runs.warm_worker import WarmWorker
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace, child_environment

TURN = 2.0  # seconds between two looks at who is next; a run's own process looks when it ends
_warm_worker: WarmWorker | None = None


def start_run(
    settings: TrainSettings,
    workspace: Workspace,
    *,
    at_once: int | None = None,
    wait: bool = False,
    each: int = queue.WAITING_EACH,
    owner: Owner | None = None,
    expected: float | None = None,
) -> Run:
    """Create a run and start its process; where `at_once` go on already it waits in the queue, if it may `wait`,
    `each` of one person or address at the most. `expected`: seconds that it will take, for those who wait behind it.

    Raises ImgclsError with nothing left behind.
    """
    check_run(settings, workspace)
    with locked(workspace):
        state = admitted(RunState(owner=owner, expected=expected), workspace, at_once, wait, each)
        run = claim_run(settings, workspace, state)
        start_claimed(run, state, "work", run.name)
    return run


def resume_run(
    run: Run,
    *,
    settings: TrainSettings | None = None,
    at_once: int | None = None,
    wait: bool = False,
    each: int = queue.WAITING_EACH,
    owner: Owner | None = None,
) -> Run:
    """Start a stopped or interrupted run again from where it last saved, from now on with `settings` where they are
    given. Limits as in `start_run`."""
    with locked(run.workspace):
        saved_state = check_resumable(run)
        state = saved_state.to("starting", resume=True, part_of="", message=None, owner=saved_state.owner or owner)
        state = admitted(state, run.workspace, at_once, wait, each)
        mark_resuming(run, state, settings=settings)
        start_claimed(run, state, "work", run.name, "--resume", previous=saved_state)
    return run


def start_next(workspace: Workspace, *, at_once: int | None = None) -> list[str]:
    """Start the runs and labs whose turn has come, and return their names.

    `at_once` instead of what they were queued under.
    """
    started: list[str] = []
    if not queue.waiting(workspace):  # the usual case, and no reason to take the lock
        return started
    with locked(workspace):
        for name, state in queue.waiting(workspace):
            if len(running(workspace)) >= (at_once or state.at_once):
                break
            job = Job(name, workspace)
            command = ["work-lab" if (job.logs / "lab.json").is_file() else "work", name]
            try:
                _launch(job, state, *command, *(["--resume"] if state.resume else []))
            except ImgclsError as error:
                write_state(job.logs, state.to("failed", message=error.message))
                continue
            started.append(name)
    return started


def start_claimed(job: Job, state: RunState, *command: str, previous: RunState | None = None) -> None:
    """Under the workspace's lock: the process of a job whose folder was just made, unless it has to wait. Where none
    can be started the folder goes again; one that goes on has its state of `previous` again."""
    if state.state == "queued":
        return
    try:
        _launch(job, state, *command)
    except ImgclsError:
        if previous is None:
            shutil.rmtree(move_to_trash(job.logs), ignore_errors=True)
        else:
            write_state(job.logs, previous)
        raise


def keep_queue_moving(workspace: Workspace, at_once: int) -> None:
    """From now on, as long as this process lives, runs start when their turn comes, however the one before ended."""

    def move() -> None:
        while True:
            with contextlib.suppress(ImgclsError):
                start_next(workspace, at_once=at_once)
            time.sleep(TURN)

    threading.Thread(target=move, daemon=True).start()


def admitted(state: RunState, workspace: Workspace, at_once: int | None, wait: bool, each: int) -> RunState:
    """Under the workspace's lock: the state a new or resumed job begins with, starting or queued. Raises RunError."""
    me = ProcessId.current()
    if at_once is None:
        return state.to("starting", process=me)
    if wait:
        queue.check_open(workspace)
    waiting = queue.waiting(workspace)
    if not waiting and len(running(workspace)) < at_once:
        return state.to("starting", process=me)
    if not wait:
        raise RunError(
            plural(
                "There is {count} run going on already: wait until it ends, or stop it.",
                "There are {count} runs going on already: wait until one ends, or stop it.",
                count=len(running(workspace)),
            )
        )
    queue.check_room(workspace, state.owner, each)
    last = waiting[-1][1].place if waiting else 0.0
    return state.to("queued", process=None, place=last + 1, at_once=at_once)


def _launch(job: Job, state: RunState, *arguments: str) -> None:
    """Its pid goes into the job's state."""
    pid = launch(job.workspace, arguments, log=job.logs / "log.txt")
    write_state(job.logs, state.to("starting", process=ProcessId.of(pid)))


def launch(workspace: Workspace, arguments: Sequence[str], *, log: Path) -> int:
    """The pid of a process that outlives everything; one that stands by, or a new one. Raises RunError."""
    try:
        pid = _warm_worker and _warm_worker.hand_over(workspace, arguments, log)
        if not pid:
            with open(log, "ab") as file:
                pid = launch_detached(workspace, arguments, stdin=subprocess.DEVNULL, output=file, errors=file).pid
    except OSError as error:
        raise RunError("The run's process could not be started ({reason}).", reason=error.strerror) from None
    return pid


def allow_warm_worker(workspace: Workspace) -> None:
    """A process may stand by for the runs of this one, which is a server: see `keep_worker_warm`."""
    global _warm_worker
    _warm_worker = WarmWorker(workspace, launch_detached)


def keep_worker_warm() -> None:
    """Somebody is about to train: from now on a process stands by, where one may, until this one ends."""
    if _warm_worker is not None:
        _warm_worker.ready()


def launch_detached(
    workspace: Workspace, arguments: Sequence[str], *, stdin: int, output: IO[bytes] | int, errors: IO[bytes] | int
) -> subprocess.Popen:
    """`python -m imgcls ARGUMENTS` in a session of its own, where no terminal's Ctrl-C reaches it."""
    environment = child_environment(IMGCLS_HOME=str(workspace.root), PYTHONUNBUFFERED="1")
    apart: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    process = subprocess.Popen(
        [sys.executable, "-m", "imgcls", *arguments],
        stdin=stdin,
        stdout=output,
        stderr=errors,
        env=environment,
        **apart,
    )
    # Waited for, so that a run that ends while the server lives leaves no zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return process
