"""What a run or an init lab is doing, written down: `state.json`, replaced atomically under one lock a workspace.

    queued -> starting -> running -> stopping -> finished, stopped or failed

Whoever changes a state, or counts states before making one, holds the workspace's lock; whoever shows one only reads.
A state that needs a process names it, with the time that process began: once it is gone the state is `interrupted`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from imgcls.errors import RunError, StorageError
from imgcls.files import storage_error, write_bytes
from imgcls.messages import Message
from imgcls.processes import ProcessId
from imgcls.workspace import Workspace

LIVE = ("starting", "running", "stopping")
ENDED = ("finished", "stopped", "failed")
STATES = ("queued", *LIVE, *ENDED)
LOCK_TIMEOUT_S = 60.0  # to wait for the lock, which is held for some milliseconds at a time


@dataclass(frozen=True)
class Owner:
    """Who started a run: `id` is opaque and known to that person's browser alone, `nickname` is shown. `address`: a
    digest of where it was started from, the same for all nicknames of one computer."""

    id: str
    nickname: str = ""
    address: str = ""


@dataclass(frozen=True)
class RunState:
    """`id` tells a run from an earlier one of its name. `part_of`: the lab whose process works on the run.

    Of a sweep's run: `parent`, the sweep; `until`, the epoch after which it rests until others are as far, 0 for none;
    `kills`, how often its process was ended from outside.
    """

    state: str = "starting"
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    created: float = field(default_factory=time.time)
    process: ProcessId | None = None
    part_of: str = ""
    owner: Owner | None = None
    place: float = 0.0  # in the queue: the lowest is next
    at_once: int = 0  # so many runs may go on when a queued one starts
    expected: float | None = None  # seconds from its start to its end
    resume: bool = False  # a queued one goes on from its last save
    parent: str = ""
    until: int = 0
    kills: int = 0
    message: Message | None = None  # why a lab failed, or a run that never began; a run's events say it

    @property
    def status(self) -> str:
        """`state`, or interrupted when its process is gone."""
        gone = self.state in LIVE and not (self.process and self.process.alive())
        return "interrupted" if gone else self.state

    @property
    def is_active(self) -> bool:
        return self.status in LIVE

    def to(self, state: str, **changes: Any) -> RunState:
        return dataclasses.replace(self, state=state, **changes)

    def to_json(self) -> bytes:
        values = dataclasses.asdict(self) | {"message": self.message.as_dict() if self.message else None}
        return json.dumps(values, indent=2).encode()

    @classmethod
    def from_json(cls, text: str) -> RunState:
        """Raises ValueError, KeyError or TypeError for what is none; fields of a newer version are left out."""
        values = json.loads(text)
        names = {f.name for f in dataclasses.fields(cls)}
        values = {name: value for name, value in values.items() if name in names}
        for name, kind in (("process", ProcessId), ("owner", Owner)):
            if values.get(name) is not None:
                values[name] = kind(**values[name])
        if values.get("message") is not None:
            values["message"] = Message.from_dict(values["message"])
        if values["state"] not in STATES:
            raise ValueError(values["state"])
        return cls(**values)


def read_state(folder: Path) -> RunState | None:
    """None where there is none: a run of an earlier version, or nothing."""
    path = folder / "state.json"
    try:
        stat = path.stat()
        return _read(path, stat.st_ino, stat.st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _read(path: Path, _inode: int, _written: int) -> RunState | None:
    """A state is written by replacing its file: the same inode and time are the same state."""
    try:
        return RunState.from_json(path.read_text("utf-8"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def write_state(folder: Path, state: RunState) -> RunState:
    """Only under the workspace's lock. Raises StorageError."""
    write_bytes(folder / "state.json", state.to_json())
    return state


@contextlib.contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Alone with every run's state, over all processes; not to be taken twice in one thread."""
    folder = workspace.train_logs
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock").acquire(timeout=LOCK_TIMEOUT_S, poll_interval=0.01)
    except Timeout:
        raise RunError(
            "Another process has been changing the runs in {folder} for a minute: end it, then try again.",
            folder=folder,
        ) from None
    except OSError as error:
        raise storage_error(folder, error) from None
    with lock:
        yield


def change(workspace: Workspace, folder: Path, state: str, **changes: Any) -> RunState | None:
    """Move a run on to `state`; None, and nothing done, where no state could be read or written.

    A full disk must not end what works: the process's absence, and the run's own events, then tell how it ended.
    """
    try:
        with locked(workspace):
            state_before = read_state(folder)
            return state_before and write_state(folder, state_before.to(state, **changes))
    except (StorageError, RunError):
        return None
