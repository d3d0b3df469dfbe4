"""What every open page asks again and again, answered once: runs as they stand, checkpoints to choose from.

Thirty students watching one run cost one reader of its file. Knows no page.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from imgcls.checkpoints.store import CheckpointInfo, is_shipped, list_checkpoints
from imgcls.errors import CheckpointError, RunError
from imgcls.runs.reader import EventLogReader, RunView
from imgcls.runs.store import Run, find_run, list_runs
from imgcls.web.i18n.words import Words
from imgcls.workspace import Workspace

AGAIN = 0.4  # seconds in which the last answer is good enough
LISTED = 40  # runs and checkpoints in a list; the rest are reached from the terminal
FOLLOWED = 32
KEPT = 64  # reports and samples, some 100 KB each
T = TypeVar("T")


class RunCache:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._followers: OrderedDict[str, tuple[EventLogReader, float]] = OrderedDict()
        self._made: OrderedDict[tuple, tuple[float, Any]] = OrderedDict()
        self._checkpoints: tuple[float, list[CheckpointInfo]] = (0.0, [])

    def view(self, name: str | None) -> RunView | None:
        """The run as it stands; None where there is none of that name."""
        if not name:
            return None
        with self._lock:
            follower, looked = self._followers.get(name, (None, 0.0))
            try:
                run = find_run(name, self.workspace)
            except RunError:
                self._followers.pop(name, None)
                return None
            if follower is None:
                follower = EventLogReader(run)
            if time.monotonic() - looked > AGAIN:
                follower.look()
                looked = time.monotonic()
            self._followers[name] = (follower, looked)
            self._followers.move_to_end(name)
            while len(self._followers) > FOLLOWED:
                self._followers.popitem(last=False)
            return follower.view

    def forget(self, name: str) -> None:
        """The next view is looked up anew: something has just been done to the run."""
        with self._lock:
            if name in self._followers:
                self._followers[name] = (self._followers[name][0], 0.0)

    def once(self, data_set: str, what: tuple, make: Callable[[], T]) -> T:
        """What `make` makes of a data set: its report, a sample. Made anew when photos have come or gone.

        Raises what `make` raises.
        """
        stamp, key = _touched(self.workspace, data_set), (data_set, *what)
        with self._lock:
            known = self._made.get(key)
        if known and known[0] == stamp:
            return known[1]
        made = make()
        with self._lock:
            self._made[key] = (stamp, made)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        return made

    def runs(self) -> list[Run]:
        return list_runs(self.workspace)[:LISTED]

    def foremost(self) -> str | None:
        """The run that a page opens with: the newest that is going on, otherwise the newest."""
        listed = self.runs()
        return next((run.name for run in listed if run.alive()), listed[0].name if listed else None)

    def checkpoints(self) -> list[CheckpointInfo]:
        """The shipped ones that read drawings first, then the newest."""
        with self._lock:
            looked, known = self._checkpoints
            if time.monotonic() - looked > AGAIN:
                known = list_checkpoints(self.workspace)
                self._checkpoints = (time.monotonic(), known)
        shipped = [info for info in known if is_shipped(info.path) and info.kind == "best"]
        own = [info for info in known if not is_shipped(info.path)]
        return shipped + own[:LISTED]

    def checkpoint(self, chosen: str | None) -> Path:
        """The file behind a choice of the list: only what is listed can be opened. Raises CheckpointError."""
        for info in list_checkpoints(self.workspace):
            if key(info) == chosen:
                return info.path
        raise CheckpointError("There is no checkpoint {path}.", path=chosen)


def _touched(workspace: Workspace, name: str) -> float:
    """When a file last came or went in a folder of photos: its folders' own times tell, two levels down."""
    root = workspace.data / name
    try:
        return max(p.stat().st_mtime for p in (root, *root.glob("*/"), *root.glob("*/*/")))
    except (OSError, ValueError):
        return 0.0


def key(info: CheckpointInfo) -> str:
    return f"{info.run}/{info.kind}"


def checkpoint_title(info: CheckpointInfo, words: Words) -> str:
    """ "lenet-digits · reads drawings · 99.3%" """
    parts = [info.run]
    if is_shipped(info.path):
        parts.append(words(f"shipped_{info.run}"))
    else:
        parts.append(words(info.kind))
    accuracy = info.metrics.get("test_accuracy") or info.metrics.get("val_accuracy")
    if accuracy is not None:
        parts.append(f"{accuracy:.1%}")
    return " · ".join(parts)
