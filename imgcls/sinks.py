"""Consumers of a run's events: the event stream on disk, TensorBoard, the terminal. The trainer knows none of them."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any, TextIO

from imgcls import events
from imgcls.runs import Run
from imgcls.settings import TrainSettings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class EventStream:
    """Appends each event to the run's events.jsonl, a line at a time, so that a reader never waits."""

    def __init__(self, run: Run) -> None:
        run.logs.mkdir(parents=True, exist_ok=True)
        self._end_half_line(run)
        self._file = open(run.events, "a", encoding="utf-8")

    @staticmethod
    def _end_half_line(run: Run) -> None:
        """A process killed while writing leaves half a line; what follows must not be glued to it."""
        if run.events.is_file() and run.events.stat().st_size:
            with open(run.events, "rb+") as file:
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, event: events.Event) -> None:
        self._file.write(events.to_line(event) + "\n")
        self._file.flush()


class TensorBoard:
    """Curves, the learning rate, images/s, a grid of training images, the graph, and settings with final figures."""

    def __init__(self, run: Run, settings: TrainSettings) -> None:
        self._settings = settings
        self._writer = self.writer_class()(str(run.logs), max_queue=1000, flush_secs=5)

    @staticmethod
    def writer_class() -> type:
        """Imported here and not above: it costs a second that most commands need not pay."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def __call__(self, event: events.Event) -> None:
        write = {
            events.Started: self._started,
            events.Progress: self._progress,
            events.EpochEnded: self._epoch,
            events.Finished: self._finished,
        }.get(type(event))
        if write:
            write(event)
        if isinstance(event, events.ENDINGS):
            self._writer.flush()

    def _started(self, event: events.Started) -> None:
        if event.sample is not None:
            self._writer.add_images("training images as the network gets them", event.sample)
        if event.model is not None and event.example is not None and not event.first_step:
            self._graph(event)
        self._writer.add_text("settings", f"```\n{self._settings.model_dump_json(indent=2)}\n```")

    def _graph(self, event: events.Started) -> None:
        """Tracing runs the network once: in eval mode, so that dropout and BatchNorm are as they were."""
        import warnings

        modes = {module: module.training for module in event.model.modules()}
        event.model.eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's remarks on shapes help nobody here
            self._writer.add_graph(event.model, event.example)
        for module, training in modes.items():
            module.training = training

    def _progress(self, event: events.Progress) -> None:
        for name, value in (
            ("loss/train", event.loss),
            ("accuracy/train", event.accuracy),
            ("learning rate", event.lr),
            ("images per second", event.images_per_second),
        ):
            self._writer.add_scalar(name, value, event.step, walltime=event.time)

    def _epoch(self, event: events.EpochEnded) -> None:
        for name, value in (
            ("loss/val", event.val_loss),
            ("accuracy/val", event.val_accuracy),
            ("epoch/loss train", event.train_loss),
            ("epoch/accuracy train", event.train_accuracy),
        ):
            self._writer.add_scalar(name, value, event.step, walltime=event.time)

    def _finished(self, event: events.Finished) -> None:
        figures = {
            "final/val accuracy": event.best_val_accuracy,
            "final/val loss": event.best_val_loss,
            "final/test accuracy": event.test_accuracy,
            "final/test loss": event.test_loss,
        }
        settings = {k: v for k, v in self._settings.model_dump().items() if isinstance(v, int | float | str | bool)}
        self._writer.add_hparams(settings, {k: v for k, v in figures.items() if v is not None}, run_name=".")


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
