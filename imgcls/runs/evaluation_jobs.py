"""An evaluation in a process of its own: asked for by the page, looked at while it goes on, stopped.

    data/.imgcls-cache/evaluations/jobs/<key>/job.json        what was asked
                                              progress.json   how far it is, or why it failed
                                              stop            there when somebody asked it to stop
                                              lock            held by its process while it lives
                                              log.txt         what its process printed

Its result is the kept evaluation itself. Two who ask for the same share one process.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from imgcls.data.loading import Interrupted
from imgcls.errors import ImgclsError, RunError
from imgcls.files import write_bytes
from imgcls.messages import Message
from imgcls.runs.evaluations import evaluate_checkpoint, evaluation_key, is_kept
from imgcls.runs.launcher import launch
from imgcls.workspace import Workspace

TELL = 0.2  # seconds between two words of progress
ON_ITS_WAY = 30.0  # seconds in which a process that was just started takes its lock
AT_ONCE = 2
State = Literal["finished", "running", "stopped", "failed", "none"]


@dataclass(frozen=True)
class Asked:
    """`dataset`, `part`: as in `evaluate_checkpoint`."""

    checkpoint: Path
    dataset: str = ""
    part: str = ""


@dataclass(frozen=True)
class Progress:
    """`done` of `total` images; `message`: why it failed."""

    state: State
    done: int = 0
    total: int = 0
    message: Message | None = None


def start(asked: Asked, workspace: Workspace) -> None:
    """Have it evaluated, unless it is kept already or somebody is at it. Raises ImgclsError where it cannot be."""
    if look(asked, workspace).state in ("finished", "running"):
        return
    folder = _folder(asked, workspace)
    jobs = folder.parent
    jobs.mkdir(parents=True, exist_ok=True)
    with FileLock(jobs / ".starting"):
        going = [other for other in jobs.iterdir() if other.is_dir() and _alive(other)]
        if folder in going:
            return
        if len(going) >= AT_ONCE:
            raise RunError("There are {count} evaluations going on already: wait, or stop one.", count=AT_ONCE)
        for other in jobs.iterdir():
            if other.is_dir() and other not in going:
                shutil.rmtree(other, ignore_errors=True)
        prepare(asked, workspace)
    launch(workspace, ["work-evaluate", str(folder)], log=folder / "log.txt")


def prepare(asked: Asked, workspace: Workspace) -> Path:
    """The folder of a job that `work` can take up."""
    folder = _folder(asked, workspace)
    folder.mkdir(parents=True, exist_ok=True)
    said = {"checkpoint": str(asked.checkpoint), "dataset": asked.dataset, "part": asked.part}
    write_bytes(folder / "job.json", json.dumps(said).encode())
    return folder


def look(asked: Asked, workspace: Workspace) -> Progress:
    """How far it is; "none" where nobody has asked for it yet."""
    if is_kept(asked.checkpoint, workspace, dataset=asked.dataset, part=asked.part):
        return Progress("finished")
    folder = _folder(asked, workspace)
    written = _read(folder / "progress.json")
    if "failed" in written:
        return Progress("failed", message=Message.from_dict(written["failed"]))
    if _alive(folder):
        return Progress("running", int(written.get("done", 0)), int(written.get("total", 0)))
    if not (folder / "job.json").is_file():
        return Progress("none")
    if not (folder / "stop").exists():
        if is_kept(asked.checkpoint, workspace, dataset=asked.dataset, part=asked.part):
            return Progress("finished")  # it ended between the two looks
        return Progress("failed", message=Message("The evaluation's process ended without a word: try again."))
    return Progress("stopped")


def stop(asked: Asked, workspace: Workspace) -> None:
    """It ends after the images it is at; nothing of it stays."""
    folder = _folder(asked, workspace)
    if folder.is_dir():
        (folder / "stop").touch()


def work(folder: Path, workspace: Workspace) -> int:
    """In its own process: evaluate what job.json asks. The exit code."""
    told = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if (folder / "stop").exists():
            raise Interrupted
        if time.monotonic() - told >= TELL:
            told = time.monotonic()
            _write(folder, {"done": done, "total": total})

    with FileLock(folder / "lock"):
        asked = _read(folder / "job.json")
        try:
            evaluate_checkpoint(
                Path(asked["checkpoint"]), workspace, dataset=asked["dataset"], part=asked["part"], progress=progress
            )
        except Interrupted:
            return 0
        except ImgclsError as error:
            _write(folder, {"failed": error.message.as_dict()})
            return 1
    return 0


def _folder(asked: Asked, workspace: Workspace) -> Path:
    """One folder of jobs for the whole lab, so that AT_ONCE counts all of them."""
    key = evaluation_key(asked.checkpoint, workspace, dataset=asked.dataset, part=asked.part)
    return workspace.data / ".imgcls-cache" / "evaluations" / "jobs" / key


def _alive(folder: Path) -> bool:
    """Whether a process holds it, or is on its way."""
    try:
        with FileLock(folder / "lock").acquire(timeout=0):
            pass
    except (Timeout, OSError):
        return (folder / "lock").exists()
    if (folder / "progress.json").exists() or (folder / "stop").exists():
        return False
    try:
        return time.time() - (folder / "job.json").stat().st_mtime < ON_ITS_WAY
    except OSError:
        return False


def _read(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text("utf-8"))
        return said if isinstance(said, dict) else {}
    except (OSError, ValueError):
        return {}


def _write(folder: Path, said: dict[str, Any]) -> None:
    write_bytes(folder / "progress.json", json.dumps(said, default=str).encode())
