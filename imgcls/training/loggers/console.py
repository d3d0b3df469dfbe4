"""A run in the terminal: plain lines, or a live bar above which they scroll."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from imgcls.data.manifest import lacking_notes
from imgcls.messages import Message, joined, plural
from imgcls.training import events

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class PlainConsole:
    """Plain lines for a pipe or a log file; how far something is every few seconds at the most."""

    EVERY = 2.0  # seconds

    def __init__(self, stream: TextIO | None = None) -> None:
        self._shown, self._stream = 0.0, stream

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Progress) or (isinstance(event, events.Note) and event.goes_on):
            if event.time - self._shown < self.EVERY:
                return
            self._shown = event.time
        for line in lines(event):
            print(line, flush=True, file=self._stream)


class BarConsole:
    """A live bar on stderr with loss, accuracy, images/s and time left; the plain lines scroll above it."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._steps: int | None = None

    def __enter__(self) -> BarConsole:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("steps", total=None, figures="")
        self._bar.start()

    def __call__(self, event: events.Event) -> None:
        work = event if isinstance(event, events.Note) and event.goes_on else None
        if self._bar is None and (work or isinstance(event, events.Started)):
            self._start()
        if self._bar and self._task is not None:
            if isinstance(event, events.Started):
                self._steps = event.total_steps
                steps = {"description": "steps", "total": event.total_steps, "completed": event.first_step}
                self._bar.update(self._task, **steps, figures="")
            if isinstance(event, events.Progress):
                figures = (
                    f"loss {event.loss:.4f}  accuracy {event.accuracy:.1%}  "
                    f"{event.images_per_second:,.0f} images/s  {clock(event.seconds_left)} left"
                )
                self._bar.update(
                    self._task, description="steps", total=self._steps, completed=event.step, figures=figures
                )
                return
            if work:
                said = "; ".join(map(str, lines(work)))
                self._bar.update(self._task, description="%", total=100, completed=int(100 * work.share), figures=said)
                return
        if self._bar and isinstance(event, events.ENDINGS):
            self._bar.stop()
        for line in lines(event):
            if self._bar:
                self._bar.console.print(str(line), highlight=False, markup=False)
            else:
                print(line, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """75 -> "1:15", 3675 -> "1:01:15"."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def lines(event: events.Event) -> list[Message]:
    """What a log says of an event; nothing for what is only of passing interest."""
    say = _LINES.get(type(event))
    return say(event) if say else []


PARTS = {
    "train": Message("training"),
    "val": Message("validation"),
    "test": Message("test"),
}


def _started(event: events.Started) -> list[Message]:
    going_on = Message("going on at step {step:,}", step=event.first_step)
    begin = going_on if event.first_step else Message("run {name}", name=event.run)
    made = [begin]
    for part, count in event.images.items():
        made.append(
            plural(
                "{count:,} {part} image",
                "{count:,} {part} images",
                count=count,
                part=PARTS.get(part, part),
            )
        )
    made.append(plural("{count:,} class", "{count:,} classes", count=len(event.classes)))
    made.append(
        Message(
            "{trainable:,} of {parameters:,} parameters learn", trainable=event.trainable, parameters=event.parameters
        )
    )
    made.append(Message("{device}, {precision}", device=event.device, precision=event.precision))
    return [joined(made), *(Message("note: {note}", note=note) for note in event.notes)]


def _threads(event: events.ThreadsChosen) -> list[Message]:
    rates = ", ".join(f"{n}: {rate:,.0f}" for n, rate in event.rates.items())
    made = Message("threads {threads}", threads=event.threads)
    if rates:
        made = Message("threads {threads} (images/s by threads: {rates})", threads=event.threads, rates=rates)
    if event.exact_until is None:
        return [made]
    inexact = Message("from step {step:,} on this run can no longer be repeated bit for bit", step=event.exact_until)
    return [joined([made, inexact])]


def _progress(event: events.Progress) -> list[Message]:
    return [
        Message(
            "epoch {epoch:.2f}  step {step}  loss {loss:.4f}  accuracy {accuracy:.2%}  {rate:,.0f} images/s  "
            "{left} left",
            epoch=event.epoch,
            step=event.step,
            loss=event.loss,
            accuracy=event.accuracy,
            rate=event.images_per_second,
            left=clock(event.seconds_left),
        )
    ]


def _epoch(event: events.EpochEnded) -> list[Message]:
    return [
        Message(
            "epoch {epoch} done: train loss {train_loss:.4f}, accuracy {train_accuracy:.2%}; val loss {val_loss:.4f}, "
            "accuracy {val_accuracy:.2%}{best}; {rate:,.0f} images/s, {time}",
            epoch=event.epoch,
            train_loss=event.train_loss,
            train_accuracy=event.train_accuracy,
            val_loss=event.val_loss,
            val_accuracy=event.val_accuracy,
            best=Message(" (best)") if event.best else "",
            rate=event.images_per_second,
            time=clock(event.seconds),
        )
    ]


def _note(event: events.Note) -> list[Message]:
    if event.message is None:
        return []
    left = event.seconds_left
    if not event.goes_on or left is None:
        return [event.message]
    return [Message("{what}, {time} left", what=event.message, time=clock(left))]


REASONS = {
    "done": Message("finished"),
    "patience": Message("no better for long: finished"),
    "time_limit": Message("time limit reached: finished"),
}


def _finished(event: events.Finished) -> list[Message]:
    tested = event.test_accuracy is not None
    return [
        plural(
            "{reason} after {count} epoch in {time}; best epoch {best}: val accuracy {accuracy:.2%}{test}",
            "{reason} after {count} epochs in {time}; best epoch {best}: val accuracy {accuracy:.2%}{test}",
            count=event.epochs,
            reason=REASONS.get(event.reason, REASONS["done"]),
            time=clock(event.seconds),
            best=event.best_epoch,
            accuracy=event.best_val_accuracy,
            test=Message(", test accuracy {accuracy:.2%}", accuracy=event.test_accuracy) if tested else "",
        ),
        *(Message("note: {note}", note=note) for note in lacking_notes({"val": event.lacking})),
    ]


def _stopped(event: events.Stopped) -> list[Message]:
    if not event.step:
        return [Message("stopped before the first step")]
    return [Message("stopped and saved at step {step} (epoch {epoch:.2f})", step=event.step, epoch=event.epoch)]


_LINES: dict[type[events.Event], Callable[[Any], list[Message]]] = {
    events.Started: _started,
    events.ThreadsChosen: _threads,
    events.Progress: _progress,
    events.EpochEnded: _epoch,
    events.Note: _note,
    events.Finished: _finished,
    events.Stopped: _stopped,
    events.Failed: lambda e: [],  # whoever runs it says the sentence once, as an error
}
