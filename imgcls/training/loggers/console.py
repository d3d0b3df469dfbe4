"""A run in the terminal: plain lines, or a live bar above which they scroll."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any, TextIO

from imgcls.training import events

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class PlainConsole:
    """Plain lines for a pipe or a log file; progress every few seconds at the most."""

    EVERY = 2.0  # seconds

    def __init__(self, stream: TextIO | None = None) -> None:
        self._shown, self._stream = 0.0, stream

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Progress):
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

    def __enter__(self) -> BarConsole:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def _start(self, event: events.Started) -> None:
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
        self._task = self._bar.add_task("steps", total=event.total_steps, completed=event.first_step, figures="")
        self._bar.start()

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Started):
            self._start(event)
        if self._bar and self._task is not None and isinstance(event, events.Progress):
            figures = (
                f"loss {event.loss:.4f}  accuracy {event.accuracy:.1%}  "
                f"{event.images_per_second:,.0f} images/s  {clock(event.seconds_left)} left"
            )
            self._bar.update(self._task, completed=event.step, figures=figures)
            return
        if self._bar and isinstance(event, events.ENDINGS):
            self._bar.stop()
        for line in lines(event):
            if self._bar:
                self._bar.console.print(line, highlight=False, markup=False)
            else:
                print(line, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """75 -> "1:15", 3675 -> "1:01:15"."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def lines(event: events.Event) -> list[str]:
    """What a log says of an event, in English; nothing for what is only of passing interest."""
    say = _LINES.get(type(event))
    return say(event) if say else []


def _started(event: events.Started) -> list[str]:
    images = ", ".join(f"{count:,} {part}" for part, count in event.images.items())
    begin = f"going on at step {event.first_step:,}" if event.first_step else f"run {event.run}"
    return [
        f"{begin}: {images} images, {len(event.classes)} classes; "
        f"{event.trainable:,} of {event.parameters:,} parameters learn; {event.device}, {event.precision}",
        *(f"note: {note}" for note in event.notes),
    ]


def _threads(event: events.ThreadsChosen) -> list[str]:
    rates = ", ".join(f"{n}: {rate:,.0f}" for n, rate in event.rates.items())
    return [f"threads {event.threads} (images/s by threads: {rates})"]


def _progress(event: events.Progress) -> list[str]:
    return [
        f"epoch {event.epoch:.2f}  step {event.step}  loss {event.loss:.4f}  accuracy {event.accuracy:.2%}  "
        f"{event.images_per_second:,.0f} images/s  {clock(event.seconds_left)} left"
    ]


def _epoch(event: events.EpochEnded) -> list[str]:
    return [
        f"epoch {event.epoch} done: train loss {event.train_loss:.4f}, accuracy {event.train_accuracy:.2%}; "
        f"val loss {event.val_loss:.4f}, accuracy {event.val_accuracy:.2%}{' (best)' if event.best else ''}; "
        f"{event.images_per_second:,.0f} images/s, {clock(event.seconds)}"
    ]


def _finished(event: events.Finished) -> list[str]:
    test = "" if event.test_accuracy is None else f", test accuracy {event.test_accuracy:.2%}"
    why = {"done": "finished", "patience": "no better for long: finished", "time_limit": "time limit reached: finished"}
    return [
        f"{why.get(event.reason, 'finished')} after {event.epochs} epochs in {clock(event.seconds)}; "
        f"best epoch {event.best_epoch}: val accuracy {event.best_val_accuracy:.2%}{test}"
    ]


def _note(event: events.Note) -> list[str]:
    sentences: dict[str, str] = {
        "resuming": "going on from where it was saved",
        "reading": "making the images ready, this once: {done:,} of {images:,}",
        "caching_features": "the frozen backbone runs once over the images: {done:,} of {images:,}",
        "cached_features": "features kept after {seconds} s",
    }
    values: dict[str, Any] = dataclasses.asdict(event)["values"]
    return [sentences.get(event.code, event.code).format(**values)]


_LINES: dict[type[events.Event], Any] = {
    events.Started: _started,
    events.ThreadsChosen: _threads,
    events.Progress: _progress,
    events.EpochEnded: _epoch,
    events.Note: _note,
    events.Finished: _finished,
    events.Stopped: lambda e: [
        f"stopped and saved at step {e.step} (epoch {e.epoch:.2f})" if e.step else "stopped before the first step"
    ],
    events.Failed: lambda e: [],  # whoever runs it says the sentence once, as an error
}
