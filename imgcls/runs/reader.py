"""What a run has said so far, read from its folder: state, curves, figures, log. Reads on from where it stopped.

Any number of readers may read one run; each look gives a snapshot that nobody changes any more.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from imgcls.errors import ImgclsError
from imgcls.messages import Message
from imgcls.runs.state import LIVE, RunState
from imgcls.runs.store import Run
from imgcls.settings import TrainSettings
from imgcls.training import events

LOG_LINES = 200
NOTES = 10  # of a start: an earlier version named every broken photo


@dataclass(frozen=True)
class RunView:
    """A run at a glance. `state`: queued, starting, running, stopping, finished, stopped, failed, or interrupted."""

    run: Run
    settings: TrainSettings | None = None
    state: str = "starting"
    written: RunState | None = None  # None for a run of an earlier version
    started: events.Started | None = None
    threads: events.ThreadsChosen | None = None
    progress: tuple[events.Progress, ...] = ()
    epochs: tuple[events.EpochEnded, ...] = ()
    ending: events.Event | None = None
    log: tuple[events.Event, ...] = ()
    created: float = 0.0
    last_time: float = 0.0
    trained: float = 0.0  # seconds, all sittings together, up to the last word

    @property
    def is_active(self) -> bool:
        return self.state in LIVE

    @property
    def is_idle(self) -> bool:
        """Neither a process nor a place in the queue: it can be deleted or taken up again."""
        return not self.is_active and self.state != "queued"

    @property
    def best(self) -> events.EpochEnded | None:
        return next((e for e in reversed(self.epochs) if e.best), None)

    @property
    def exact_until(self) -> int | None:
        """The step from which on the run can no longer be repeated bit for bit; None when all of it can."""
        return self.threads.exact_until if self.threads else None

    @property
    def work(self) -> events.Note | None:
        """What is going on before the steps begin: weights that are fetched, features that are made."""
        last = self.log[-1] if self.log and self.is_active else None
        begun = self.progress[-1].time if self.progress else 0.0
        going_on = isinstance(last, events.Note) and last.done is not None and last.time >= begun
        return last if isinstance(last, events.Note) and going_on else None

    @property
    def finishing(self) -> bool:
        """Whether all steps are done, and it is tested, calibrated and saved: after its last epoch, or wherever else
        its training has ended."""
        if not self.is_active or self.settings is None or self.started is None:
            return False
        since = max(e.time for e in (self.started, *self.epochs[-1:]))
        told = any(isinstance(e, events.Note) and e.code == "testing" and e.time >= since for e in self.log)
        return told or len(self.epochs) >= self.settings.epochs

    @property
    def share(self) -> float:
        """How much is done, 0 to 1: of what goes on before the steps while that goes on, then of the steps."""
        if self.state == "finished":
            return 1.0
        if self.work is not None:
            return self.work.share
        last = max((e.step for e in (*self.progress[-1:], *self.epochs[-1:])), default=0)
        return min(1.0, last / self.started.total_steps) if self.started and self.started.total_steps else 0.0

    @property
    def seconds_left(self) -> float | None:
        if self.work is not None:
            return self.work.seconds_left
        return self.progress[-1].seconds_left if self.is_active and self.progress else None

    @property
    def seconds(self) -> float:
        """How long it has trained: not while it lay stopped, waited in a queue, or read its images."""
        if self.is_active and self.started:
            return self.trained + max(0.0, time.time() - max(self.last_time, self.started.time))
        return self.trained

    @property
    def failure(self) -> Message | None:
        """Why it failed, where it did."""
        if self.state != "failed":
            return None
        if isinstance(self.ending, events.Failed):
            return self.ending.message
        return self.written.message if self.written else None


class EventLogReader:
    """`read()` reads what is new and returns a snapshot. One reader, one thread."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._begin(run.read_state())

    def _begin(self, written: RunState | None) -> None:
        settings_file = self.run.logs / "settings.json"
        try:
            created = written.created if written else settings_file.stat().st_mtime
        except OSError:
            created = 0.0
        self.view = RunView(self.run, settings=self._settings(), written=written, created=created, last_time=created)
        self._offset, self._earlier = 0, 0.0
        self._progress: list[events.Progress] = []
        self._epochs: list[events.EpochEnded] = []
        self._log: deque[events.Event] = deque(maxlen=LOG_LINES)

    def _settings(self) -> TrainSettings | None:
        try:
            return self.run.settings()
        except ImgclsError:
            return None  # made by another version: its events can still be read

    def read(self) -> RunView:
        # The state is read before the events: a run that ends in between has then said how.
        written = self.run.read_state()
        known = self.view.written
        if written and known and written.id != known.id:  # deleted, and another run has its name
            self._begin(written)
        changes: dict[str, Any] = {}
        for event in self._new_events():
            changes |= self._take(event, changes)
        if changes:
            changes |= {
                "progress": tuple(self._progress),
                "epochs": tuple(self._epochs),
                "log": tuple(self._log),
            }
        self.view = dataclasses.replace(self.view, written=written, **changes)
        self.view = dataclasses.replace(self.view, state=self._state())
        return self.view

    def _new_events(self) -> list[events.Event]:
        try:
            with open(self.run.events, "rb") as file:
                file.seek(self._offset)
                new = file.read()
        except OSError:
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        new_events = (events.from_line(line) for line in whole.decode("utf-8", "replace").splitlines())
        return [event for event in new_events if event is not None]

    def _take(self, event: events.Event, changes: dict[str, Any]) -> dict[str, Any]:
        """What the event changes in the view, beside the lists."""
        started = changes.get("started", self.view.started)
        updates: dict[str, Any] = {"last_time": max(changes.get("last_time", self.view.last_time), event.time)}
        if isinstance(event, events.Started):
            # What a killed run did after it last saved is done again: the lines of the first time go.
            self._progress = [p for p in self._progress if p.step <= event.first_step]
            self._epochs = [e for e in self._epochs if e.step <= event.first_step]
            self._earlier = changes.get("trained", self.view.trained)
            event = dataclasses.replace(event, notes=event.notes[:NOTES])
            updates |= {"started": event, "ending": None}
            started = None  # of the last sitting: what has passed since is no training
        elif isinstance(event, events.Note) and event.code == "resuming":
            updates |= {"started": None, "ending": None, "settings": self._settings()}  # it may have more epochs now
            started = None
        elif isinstance(event, events.ThreadsChosen):
            updates["threads"] = event
        elif isinstance(event, events.ENDINGS):
            updates["ending"] = event
        if isinstance(started, events.Started):
            updates["trained"] = self._earlier + max(0.0, event.time - started.time)
        if isinstance(event, events.Finished | events.Stopped):
            updates["trained"] = event.seconds
        self._keep(event)
        return updates

    def _keep(self, event: events.Event) -> None:
        """In the lists that it belongs to."""
        if isinstance(event, events.Progress):
            self._progress.append(event)
            return
        if isinstance(event, events.EpochEnded):
            # An epoch that a time limit cut short ends once more where the run goes on.
            self._epochs = [e for e in self._epochs if e.epoch < event.epoch]
            self._epochs.append(event)
        if _goes_on_from(self._log[-1] if self._log else None, event):
            self._log.pop()  # one line that follows the work
        self._log.append(event)

    def _state(self) -> str:
        view = self.view
        ending = type(view.ending).__name__.lower() if view.ending else None
        if view.written is None:  # an earlier version's
            return ending or "interrupted"
        now = view.written.status
        # A full disk may have taken its last words but one: what it said itself then counts.
        return ending or now if now == "interrupted" else now


def _goes_on_from(previous: events.Event | None, event: events.Event) -> bool:
    """Whether both are words on one and the same work."""
    if not (isinstance(previous, events.Note) and isinstance(event, events.Note)):
        return False
    return event.done is not None and previous.done is not None and previous.code == event.code


def view(run: Run) -> RunView:
    return EventLogReader(run).read()
