"""What a class has reached: points that its members have sent, each an accuracy with the settings that led to it.

    train_logs/.class-board.json    [{"id": ..., "who": ..., "nickname": ..., "accuracy": ..., "settings": {...}}, ...]

A point says a nickname, figures and settings; no drawing, no weights. Somebody has at most POINTS_EACH of them, the
newest; the board MAX_POINTS: beyond that the oldest goes of the address that has most.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from imgcls.data.collect import hashed
from imgcls.data.registry import is_builtin
from imgcls.errors import ImgclsError, RunError, SettingsError
from imgcls.filenames import validate
from imgcls.files import storage_error, write_bytes
from imgcls.runs.page_runs import PageRun
from imgcls.runs.state import Owner, locked
from imgcls.workspace import Workspace

FILE = ".class-board.json"  # in train_logs/
POINTS_EACH, MAX_POINTS = 10, 400  # points
PAUSE = 2.0  # seconds between two points of one person
MINUTE, A_MINUTE = 60.0, 60  # seconds, and points of one address in them: a class is behind one
MAX_SECONDS = 86_400.0  # seconds of training
SETTINGS_SHOWN = (
    "epochs",
    "batch_size",
    "optimizer",
    "lr",
    "schedule",
    "augment",
    "init",
    "momentum",
    "activation",
    "pool",
)


@dataclass(frozen=True)
class Point:
    """`who`, `address`: hashed, nobody is shown them; `seconds`: of training; `sent`: when, seconds since 1970."""

    nickname: str
    who: str
    accuracy: float
    seconds: float
    dataset: str
    model: str
    images: int
    settings: dict[str, Any]
    address: str = ""
    hidden: bool = False
    sent: float = 0.0
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))

    def shown(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in ("who", "address")}


class ClassBoard:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @property
    def file(self) -> Path:
        return self.workspace.train_logs / FILE

    def points(self, *, host: bool = False) -> list[Point]:
        """The oldest first; what is hidden is the host's alone."""
        return [point for point in self._read() if host or not point.hidden]

    def send(self, sent: Mapping[str, Any], owner: Owner) -> Point:
        """Raises ImgclsError where a figure is none, or where somebody sends too fast."""
        point = _checked(sent, owner)
        with locked(self.workspace):
            points = self._read()
            own = [other for other in points if other.who == point.who]
            near = [other for other in points if other.address == point.address and point.sent - other.sent < MINUTE]
            if any(point.sent - other.sent < PAUSE for other in own) or len(near) >= A_MINUTE:
                raise RunError("One at a time: wait a moment, then send it again.")
            if len(own) >= POINTS_EACH:
                points.remove(own[0])
            if len(points) >= MAX_POINTS:
                points.remove(_of_the_fullest(points))
            self._write([*points, point])
        return point

    def hide(self, id: Any, *, hidden: bool) -> None:
        with locked(self.workspace):
            self._write([replace(point, hidden=hidden) if point.id == id else point for point in self._read()])

    def clear(self) -> None:
        with locked(self.workspace):
            self._write([])

    def _read(self) -> list[Point]:
        """A damaged file is an empty board."""
        try:
            return [Point(**fields) for fields in json.loads(self.file.read_text("utf-8"))]
        except (OSError, ValueError, TypeError):
            return []

    def _write(self, points: list[Point]) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(self.file.parent, error) from None
        write_bytes(self.file, json.dumps([asdict(point) for point in points]).encode())


def _of_the_fullest(points: list[Point]) -> Point:
    """The oldest of the address that has most."""
    address, _ = Counter(point.address for point in points).most_common(1)[0]
    return next(point for point in points if point.address == address)


def _checked(sent: Mapping[str, Any], owner: Owner) -> Point:
    try:
        accuracy, seconds = float(sent["accuracy"]), float(sent["seconds"])
        run = PageRun(str(sent["dataset"])[:80], str(sent["model"])[:40], int(sent["images"]), dict(sent["settings"]))
        if not (
            0 <= accuracy <= 1 and 0 <= seconds <= MAX_SECONDS and 0 <= run.images <= 10**7 and math.isfinite(seconds)
        ):
            raise ValueError
        if not is_builtin(run.dataset) and validate(run.dataset) is not None:  # a path
            raise ValueError
        settings = run.settings()  # of the right kind and size, whatever was sent
    except (ValueError, KeyError, TypeError, OverflowError, ImgclsError):
        raise SettingsError("The board takes an accuracy and settings: train in this browser, then send it.") from None
    shown = {name: getattr(settings, name) for name in SETTINGS_SHOWN}
    who, address, now = hashed(owner.id), owner.address, time.time()
    return Point(owner.nickname, who, accuracy, seconds, run.dataset, run.model, run.images, shown, address, sent=now)
