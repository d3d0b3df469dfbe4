"""Work for the page in a process of its own, beside runs: begun, looked at while it goes on, stopped.

    data/.imgcls-cache/<kind>/jobs/<key>/job.json        what was asked
                                         progress.json   how far it is, or why it failed
                                         stop            there when somebody asked it to stop
                                         terms.json      whose it is, and how long it may take
                                         process.json    who does it, until it is done
                                         log.txt         what its process printed

What it makes is kept elsewhere: whoever asks looks there first. Two who ask for the same share one process.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from imgcls.errors import ImgclsError, RunError
from imgcls.files import write_bytes
from imgcls.messages import Message
from imgcls.processes import ProcessId
from imgcls.progress import Interrupted
from imgcls.runs.launcher import launch
from imgcls.workspace import Workspace

TELL = 0.2  # seconds between two words of progress
JOBS_AT_ONCE = 2
STARTING = ".starting"  # a lock in the folder of jobs: held while one is begun, and while one ends
State = Literal["finished", "running", "stopped", "failed", "none"]


@dataclass(frozen=True)
class JobStatus:
    """`done` of `total` images; `message`: why it failed."""

    state: State
    done: int = 0
    total: int = 0
    message: Message | None = None


@dataclass(frozen=True)
class Terms:
    """On which a visitor's job is begun where others want theirs, too. who: of whom one goes on at a time, "" for
    anybody; seconds: after which it is ended, 0 for no end."""

    who: str = ""
    seconds: float = 0.0


FREE = Terms()


def jobs_folder(kind: str, workspace: Workspace) -> Path:
    """Of one kind for the whole lab, so that JOBS_AT_ONCE counts all of them."""
    return workspace.data / ".imgcls-cache" / kind / "jobs"


def start(folder: Path, request: dict[str, Any], command: str, workspace: Workspace, terms: Terms = FREE) -> None:
    """Have `python -m imgcls COMMAND FOLDER` do what is asked, unless somebody is at it. Raises ImgclsError."""
    jobs = folder.parent
    jobs.mkdir(parents=True, exist_ok=True)
    with FileLock(jobs / STARTING):
        going = [other for other in jobs.iterdir() if other.is_dir() and _alive(other)]
        if folder in going:
            return
        if terms.who and any(_read(other / "terms.json").get("who") == terms.who for other in going):
            raise RunError("One that was begun from your address still goes on: wait until it is done.")
        if len(going) >= JOBS_AT_ONCE:
            raise RunError(
                "The lab is busy with {count} others like it: wait until one is done, or stop one.", count=JOBS_AT_ONCE
            )
        for other in jobs.iterdir():
            if other.is_dir() and other not in going:
                shutil.rmtree(other, ignore_errors=True)
        prepare(folder, request)
        write_bytes(folder / "terms.json", json.dumps(asdict(terms)).encode())
        pid = launch(workspace, [command, str(folder)], log=folder / "log.txt")
        write_bytes(folder / "process.json", json.dumps(asdict(ProcessId.of(pid))).encode())


def prepare(folder: Path, request: dict[str, Any]) -> Path:
    """The folder of a job that `run` can take up."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "job.json", json.dumps(request).encode())
    return folder


def status(folder: Path, is_kept: Callable[[], bool]) -> JobStatus:
    """How far it is; "none" where nobody has asked for it yet. is_kept: whether what it makes is there."""
    if is_kept():
        return JobStatus("finished")
    written = _read(folder / "progress.json")
    if "failed" in written:
        return JobStatus("failed", message=Message.from_dict(written["failed"]))
    if _alive(folder):
        return JobStatus("running", int(written.get("done", 0)), int(written.get("total", 0)))
    if not (folder / "job.json").is_file():
        return JobStatus("none")
    if not (folder / "stop").exists():
        if is_kept():
            return JobStatus("finished")  # it ended between the two looks
        return JobStatus("failed", message=Message("Its process ended without a word: try again."))
    return JobStatus("stopped")


def stop(folder: Path) -> None:
    """It ends after the images it is at; nothing of it stays."""
    if folder.is_dir():
        (folder / "stop").touch()


def run(
    folder: Path,
    make: Callable[[dict[str, Any], Callable[[int, int], None]], None],
    *,
    more: Callable[[], bool] = lambda: False,
) -> int:
    """In its own process: `make` what job.json asks, telling how far it is. The exit code. more: whether something was
    asked since that nobody else will do: `start` found this process, and relies on it."""
    while True:
        try:
            code = _run_once(folder, make)
        except BaseException:
            (folder / "process.json").unlink(missing_ok=True)
            raise
        with FileLock(folder.parent / STARTING):
            if code or (folder / "stop").exists() or not more():
                (folder / "process.json").unlink(missing_ok=True)
                return code


def _run_once(folder: Path, make: Callable[[dict[str, Any], Callable[[int, int], None]], None]) -> int:
    last_report, began = 0.0, time.monotonic()
    seconds = float(_read(folder / "terms.json").get("seconds") or math.inf)

    def progress(done: int, total: int) -> None:
        nonlocal last_report
        if (folder / "stop").exists():
            raise Interrupted
        if time.monotonic() - began > seconds:
            raise RunError(
                "This takes longer than the {minutes:g} minutes that a shared lab allows: choose fewer images, or do "
                "it on your own computer.",
                minutes=seconds / 60,
            )
        if time.monotonic() - last_report >= TELL:
            last_report = time.monotonic()
            _write(folder, {"done": done, "total": total})

    try:
        make(_read(folder / "job.json"), progress)
    except Interrupted:
        return 0
    except ImgclsError as error:
        _write(folder, {"failed": error.message.as_dict()})
        return 1
    return 0


def _alive(folder: Path) -> bool:
    """Whether its process is there. Asked of the process: of a lock it could only be told by taking it, and two who ask
    at once would see each other."""
    try:
        return ProcessId(**_read(folder / "process.json")).alive()
    except TypeError:
        return False


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
        return content if isinstance(content, dict) else {}
    except (OSError, ValueError):
        return {}


def _write(folder: Path, record: dict[str, Any]) -> None:
    write_bytes(folder / "progress.json", json.dumps(record, default=str).encode())
