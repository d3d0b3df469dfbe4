"""Start a run, or go on with one, in a process that outlives the page, the server and the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from imgcls.errors import RunError
from imgcls.runs.store import Run, create_run, delete_run, prepare_resume
from imgcls.runs.warm_worker import WarmWorker
from imgcls.settings import TrainSettings
from imgcls.workspace import PROJECT, Workspace

_keeper: WarmWorker | None = None


def start_run(settings: TrainSettings, workspace: Workspace) -> Run:
    """Create a run and start its process. Raises ImgclsError with nothing left behind."""
    run = create_run(settings, workspace)
    try:
        launch_detached(run.logs, workspace, "work", run.name)
    except OSError as error:
        delete_run(run)
        raise RunError("The run's process could not be started ({reason}).", reason=error.strerror) from None
    return run


def resume_run(run: Run) -> Run:
    """Start a stopped or dead run again from where it last saved."""
    prepare_resume(run)
    launch_detached(run.logs, run.workspace, "work", run.name, "--go-on")
    return run


def launch_detached(logs: Path, workspace: Workspace, *arguments: str) -> None:
    """A process that outlives the page, the server and the terminal; one that stands by, or a new one."""
    if _keeper and _keeper.hand_over(workspace, arguments, logs / "log.txt"):
        return
    with open(logs / "log.txt", "ab") as log:
        _apart(workspace, arguments, stdin=subprocess.DEVNULL, output=log)


def keep_worker_warm(workspace: Workspace) -> None:
    """From now on a process stands by, until this one ends."""
    global _keeper
    _keeper = WarmWorker(
        workspace, lambda arguments, stdin: _apart(workspace, arguments, stdin=stdin, output=subprocess.DEVNULL)
    )
    _keeper.ready()


def _apart(workspace: Workspace, arguments: Sequence[str], *, stdin: int, output: IO[bytes] | int) -> subprocess.Popen:
    """In a session of its own, where no terminal's Ctrl-C reaches it."""
    environment = os.environ | {"IMGCLS_HOME": str(workspace.root), "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    apart: dict[str, object] = {"start_new_session": True}
    if os.name == "nt":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    process = subprocess.Popen(
        [sys.executable, "-m", "imgcls", *arguments],
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT if output is not subprocess.DEVNULL else output,
        env=environment,
        **apart,
    )
    # Waited for, so that a run that ends while the server lives leaves no zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return process
