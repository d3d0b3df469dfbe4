"""What a run has said so far, read from its folder: state, curves, figures, log. Reads on from where it stopped.

Knows no trainer, no torch and no page; any number of followers may read one run.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from imgcls.errors import ImgclsError
from imgcls.runs.store import Run
from imgcls.settings import TrainSettings
from imgcls.training import events

STARTING = 60.0  # seconds until a process that has said nothing is given up
LOG_LINES = 200


@dataclass
class RunView:
    """A run at a glance. `state`: starting, running, stopping, finished, stopped, failed, or died."""

    run: Run
    settings: TrainSettings | None = None
    state: str = "starting"
    started: events.Started | None = None
    threads: events.ThreadsChosen | None = None
    progress: list[events.Progress] = field(default_factory=list)
    epochs: list[events.EpochEnded] = field(default_factory=list)
    ending: events.Event | None = None
    log: deque[events.Event] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    created: float = 0.0
    last_time: float = 0.0

    @property
    def live(self) -> bool:
        return self.state in ("starting", "running", "stopping")

    @property
    def best(self) -> events.EpochEnded | None:
        return next((e for e in reversed(self.epochs) if e.best), None)

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        if self.state == "finished":
            return 1.0
        last = max((e.step for e in (*self.progress[-1:], *self.epochs[-1:])), default=0)
        return min(1.0, last / self.started.total_steps) if self.started and self.started.total_steps else 0.0

    @property
    def seconds_left(self) -> float | None:
        return self.progress[-1].seconds_left if self.live and self.progress else None

    @property
    def seconds(self) -> float:
        """Since the run was made until now or its last word."""
        return max(0.0, (time.time() if self.live else self.last_time) - self.created)


class EventLogReader:
    """`look()` reads what is new and returns the view. One follower, one thread."""

    def __init__(self, run: Run) -> None:
        self.view = RunView(run)
        self._offset = 0
        try:
            self.view.settings = run.settings()
        except ImgclsError:
            self.view.settings = None  # made by another version: its events can still be read
        made = run.logs / "settings.json"
        self.view.created = self.view.last_time = made.stat().st_mtime if made.exists() else 0.0

    def look(self) -> RunView:
        # The lock is asked before the file is read: a run that ends in between has then said how.
        alive = self.view.run.alive()
        try:
            with open(self.view.run.events, "rb") as file:
                file.seek(self._offset)
                new = file.read()
        except OSError:
            new = b""
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            event = events.from_line(line)
            if event is not None:
                self._take(event)
        self.view.state = self._state(alive)
        return self.view

    def _take(self, event: events.Event) -> None:
        view = self.view
        view.last_time = max(view.last_time, event.time)
        if isinstance(event, events.Started):
            # What a killed run did after it last saved is done again: the lines of the first time go.
            view.progress = [p for p in view.progress if p.step <= event.first_step]
            view.epochs = [e for e in view.epochs if e.step <= event.first_step]
            view.started, view.ending = event, None
        elif isinstance(event, events.Note) and event.code == "resuming":
            view.started, view.ending = None, None
        elif isinstance(event, events.ThreadsChosen):
            view.threads = event
        elif isinstance(event, events.Progress):
            view.progress.append(event)
        elif isinstance(event, events.EpochEnded):
            view.epochs.append(event)
        elif isinstance(event, events.ENDINGS):
            view.ending = event
        if not isinstance(event, events.Progress):
            view.log.append(event)

    def _state(self, alive: bool) -> str:
        view = self.view
        if alive:
            if view.run.stop_asked():
                return "stopping"
            return "running" if view.started else "starting"
        if view.ending is not None:
            return type(view.ending).__name__.lower()
        if view.started is None and time.time() - view.last_time < STARTING:
            return "starting"
        return "died"


def view(run: Run) -> RunView:
    return EventLogReader(run).look()
