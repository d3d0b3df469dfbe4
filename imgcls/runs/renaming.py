"""A run's two folders get another name together, whatever happens in between.

What is meant is written down before anything moves: whoever next looks at the run after a kill finishes it. All of it
under the workspace's lock. Whether a run may have that name is `store.rename_run`'s to say.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from imgcls.errors import ImgclsError, StorageError
from imgcls.files import write_bytes
from imgcls.runs.state import locked
from imgcls.settings import NAME
from imgcls.workspace import Workspace

INTENT = "renaming"  # a file in the folder of a run that is being renamed: the new name


def begun(logs: Path) -> bool:
    return (logs / INTENT).exists()


def rename(logs: Path, name: str, workspace: Workspace) -> None:
    """`logs`: the run's folder under train_logs/. Raises StorageError, and then everything is as it was."""
    write_bytes(logs / INTENT, name.encode())
    try:
        finish(logs, workspace)
    except ImgclsError:
        if logs.is_dir():  # nothing has moved that would not move back
            _move(workspace.checkpoints / name, workspace.checkpoints / logs.name)
            (logs / INTENT).unlink(missing_ok=True)
        raise


def finish(logs: Path, workspace: Workspace) -> None:
    """Make the run's folders what it says it is to be called, wherever a kill left them. Raises StorageError."""
    try:
        name = (logs / INTENT).read_text("utf-8")
    except OSError:  # somebody else has finished it
        return
    if not NAME.fullmatch(name):
        (logs / INTENT).unlink(missing_ok=True)
        return
    to = workspace.train_logs / name
    if logs != to:
        old_folder, after = workspace.checkpoints / logs.name, workspace.checkpoints / name
        if to.exists() or (old_folder.is_dir() and after.exists()):  # the name has gone to another run
            (logs / INTENT).unlink(missing_ok=True)
            return
        _move(old_folder, after)
        _move(logs, to)
    path = to / "settings.json"
    with contextlib.suppress(OSError, ValueError, TypeError, StorageError):  # its name is its folder's in any case
        stat, settings = path.stat(), json.loads(path.read_text("utf-8"))
        write_bytes(path, json.dumps(settings | {"name": name}, indent=2).encode())
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # its time is when the run was made
    (to / INTENT).unlink(missing_ok=True)


def finish_all(workspace: Workspace) -> None:
    """All that killed processes have left."""
    for path in workspace.train_logs.glob(f"*/{INTENT}"):
        with locked(workspace):
            finish(path.parent, workspace)


def _move(folder: Path, to: Path) -> None:
    """Nothing where there is no such folder. Raises StorageError."""
    if not folder.is_dir():
        return
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        os.rename(folder, to)
    except OSError as error:
        raise StorageError(
            "{folder} could not be renamed ({reason}): close what has its files open.",
            folder=folder,
            reason=error.strerror,
        ) from None
