"""A run's events as lines of JSON on the disk: what every screen reads."""

from __future__ import annotations

from pathlib import Path

from imgcls.training import events


class EventLog:
    """Appends each event to `folder`/events.jsonl, a line at a time, so that a reader never waits."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "events.jsonl"
        self._end_half_line(path)
        self._file = open(path, "a", encoding="utf-8")

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
        self._file.write(events.to_line(event) + "\n")
        self._file.flush()
