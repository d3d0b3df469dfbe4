"""A run's events as lines of JSON on the disk: what every screen reads."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

from imgcls.training import events

MAX_WAITING_LINES = 10_000  # lines that wait for a full disk to have room again


class EventLog:
    """Appends each event to `folder`/events.jsonl, a whole line at a time, so that a reader never waits.

    What cannot be written raises OSError, waits, and is written with the next event that can.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "events.jsonl"
        self._end_half_line(path)
        self._file = open(path, "ab", buffering=0)
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING_LINES)

    @staticmethod
    def _end_half_line(path: Path) -> None:
        """A process killed while writing leaves half a line; what follows must not be glued to it."""
        if path.is_file() and path.stat().st_size:
            with open(path, "rb+") as file:
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, event: events.Event) -> None:
        self._waiting.append(events.to_line(event).encode() + b"\n")
        while self._waiting:
            self._write(self._waiting[0])
            self._waiting.popleft()

    def _write(self, line: bytes) -> None:
        begin, written = self._file.seek(0, os.SEEK_END), 0
        try:
            while written < len(line):  # a nearly full disk takes a part
                written += self._file.write(line[written:]) or 0
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(begin)
            raise
