"""Train from Python. A run made here is a run like any other: the terminal and the page show it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from imgcls import errors
from imgcls.errors import ImgclsError, RunError
from imgcls.library.catalog import dataset_name
from imgcls.library.html import Chart, Line, html
from imgcls.library.progress import Display
from imgcls.plugins import load_plugins
from imgcls.recipes import with_recipe
from imgcls.runs import lifecycle, store, worker
from imgcls.runs.launcher import start_next
from imgcls.runs.reader import RunView, view
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.distributed import processes
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.library.nets import Net

TRAINING_COLOUR, VALIDATION_COLOUR = "#3987e5", "#c98500"


@dataclass(frozen=True)
class Run:
    """A training run, by its name. What it says is read from the run's folder each time it is asked.

    In a notebook it shows itself: status, best figures and curves. Raises RunError where there is no such run.
    """

    name: str
    workspace: Workspace = field(default_factory=Workspace.from_environment, repr=False)

    def __post_init__(self) -> None:
        store.find_run(self.name, self.workspace)

    @property
    def _stored(self) -> store.Run:
        return store.find_run(self.name, self.workspace)

    @property
    def _view(self) -> RunView:
        return view(self._stored)

    @property
    def status(self) -> str:
        """ "queued", "starting", "running", "stopping", "finished", "stopped", "failed" or "interrupted"."""
        return self._view.state

    @property
    def settings(self) -> TrainSettings:
        """Everything that the run was told."""
        return self._stored.settings()

    @property
    def history(self) -> tuple[events.EpochEnded, ...]:
        """What each epoch ended with: training and validation loss and accuracy, learning rate, images a second."""
        return self._view.epochs

    @property
    def val_accuracy(self) -> float | None:
        """Of the best epoch, 0 to 1; None before the first epoch's end."""
        best = self._view.best
        return best.val_accuracy if best else None

    @property
    def test_accuracy(self) -> float | None:
        """Of the best epoch's weights, measured once at the end; None before that, or without a test split."""
        ending = self._view.ending
        return ending.test_accuracy if isinstance(ending, events.Finished) else None

    @property
    def checkpoint(self) -> Path | None:
        """The best epoch's weights, with all that using them needs; None before the first epoch's end."""
        return self._stored.best if self._stored.best.is_file() else None

    @property
    def folder(self) -> Path:
        """Settings, events, log and TensorBoard's files."""
        return self._stored.logs

    def load(self) -> Net:
        """The network, to be called with images."""
        from imgcls.library.nets import load

        return load(self)

    @overload
    def resume(self, *, epochs: int | None = None, stream: Literal[False] = False, progress: bool = True) -> Run: ...

    @overload
    def resume(
        self, *, epochs: int | None = None, stream: Literal[True], progress: bool = True
    ) -> Generator[events.Event]: ...

    def resume(
        self, *, epochs: int | None = None, stream: bool = False, progress: bool = True
    ) -> Run | Generator[events.Event]:
        """Go on with a stopped or interrupted run from exactly where it was saved. `epochs`: train longer, so many in
        all, also a finished run; its log says what becomes of the learning rate. Other arguments as for `train`."""
        load_plugins()
        stored = self._stored
        lifecycle.check_resumable(stored, longer=epochs is not None)

        def make() -> store.Run:
            lifecycle.prepare_resume(stored, epochs=epochs)
            return stored

        return _begin(make, stream=stream, progress=progress, resume=True)

    def stop(self) -> None:
        """Ask it to save and end, in whatever process it trains."""
        self._stored.stop()

    def delete(self) -> None:
        """Remove it, its checkpoints too. Raises RunError while it trains."""
        store.delete_run(self._stored)

    def _repr_html_(self) -> str:
        return run_html(self._view)


@overload
def train(
    dataset: str | os.PathLike[str] = ..., *, stream: Literal[False] = False, progress: bool = True, **settings: Any
) -> Run: ...


@overload
def train(
    dataset: str | os.PathLike[str] = ..., *, stream: Literal[True], progress: bool = True, **settings: Any
) -> Generator[events.Event]: ...


def train(
    dataset: str | os.PathLike[str] = "mnist", *, stream: bool = False, progress: bool = True, **settings: Any
) -> Run | Generator[events.Event]:
    """Train a network in this process.

    Ctrl-C, or a notebook's interrupt, saves and stops: the run's status is then "stopped", and `run.resume()` goes on
    from exactly there.

    Args:
        dataset: the name of a data set (see `datasets`), or the path of a folder with a folder of images a class.
        stream: return an iterator of typed events (see `events`) instead: the run trains as they are taken, and
            closing the iterator saves and stops it.
        progress: show a progress bar; in a notebook, curves that grow.
        settings: the settings of `imgcls train`, with _ for -: model, epochs, batch_size, lr, optimizer, augment,
            init, transfer, weights, preset, seed, name and so on. `TrainSettings` has each one with its range; what
            is left out comes from the recipe for this network and this data.

    Returns the finished or stopped run. Raises ImgclsError, with one sentence that says what to do: SettingsError for a
    wrong setting, DatasetError, WeightsError, DeviceError, or DivergedError where the loss is no longer a number.
    """
    load_plugins()
    if processes()[1] > 1:
        raise RunError("Several processes train together from the terminal only: see `imgcls train --help`.")
    workspace = Workspace.from_environment()
    chosen = with_recipe({"dataset": dataset_name(dataset), **{name: plain(value) for name, value in settings.items()}})
    lifecycle.check_run(chosen, workspace)
    make = partial(lifecycle.create_run, chosen, workspace)
    return _begin(make, stream=stream, progress=progress, resume=False)


def runs() -> list[Run]:
    """Every run, newest first, wherever it was started: here, in the terminal or on the page."""
    workspace = Workspace.from_environment()
    return [Run(run.name, workspace) for run in store.list_runs(workspace)]


def _begin(
    make: Callable[[], store.Run], *, stream: bool, progress: bool, resume: bool
) -> Run | Generator[events.Event]:
    """The run is made now, or where events are asked for with the first of them: no run waits for nobody."""
    if stream:
        return _streamed(make, progress=progress, resume=resume)
    run = make()
    for _ in _events(run, progress=progress, resume=resume):
        pass
    return Run(run.name, run.workspace)


def _streamed(make: Callable[[], store.Run], *, progress: bool, resume: bool) -> Generator[events.Event]:
    yield from _events(make(), progress=progress, resume=resume)


def _events(run: store.Run, *, progress: bool, resume: bool) -> Generator[events.Event]:
    """Train in this process. An error ends the run, and is raised after its last event."""
    with Display(lambda: run_html(view(run)), shown=progress) as display:
        try:
            for event in worker.stream(run, loggers=[display.told], resume=resume):
                yield event
                if isinstance(event, events.Failed):
                    raise _error(event)
        finally:
            start_next(run.workspace)  # of a class that waits in the queue


def _error(event: events.Failed) -> ImgclsError:
    """What ended the run, of the class that it was raised as."""
    kind = getattr(errors, event.error or "", RunError)
    return kind(event.message) if isinstance(kind, type) and issubclass(kind, ImgclsError) else RunError(event.message)


def plain(value: Any) -> Any:
    """As a setting has it: a run by its name, a path as text."""
    if isinstance(value, Run):
        return value.name
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def run_html(run_view: RunView) -> str:
    """A run as a notebook shows it."""
    steps = run_view.started.steps_per_epoch if run_view.started else 1
    epochs = run_view.epochs
    best = run_view.best
    test = run_view.ending.test_accuracy if isinstance(run_view.ending, events.Finished) else None
    figures = [f"best validation accuracy {best.val_accuracy:.2%} (epoch {best.epoch})"] if best else []
    figures += [] if test is None else [f"test accuracy {test:.2%}"]
    charts = [
        Chart(
            title,
            (
                Line("training", [(p.step / steps, getattr(p, name)) for p in run_view.progress], TRAINING_COLOUR),
                Line("validation", [(e.epoch, getattr(e, f"val_{name}")) for e in epochs], VALIDATION_COLOUR, True),
            ),
            percent=name == "accuracy",
        )
        for title, name in (("Loss", "loss"), ("Accuracy", "accuracy"))
    ]
    return html(
        "run",
        name=run_view.run.name,
        status=run_view.state,
        figures=figures,
        message="" if run_view.failure is None else str(run_view.failure),
        share=run_view.share if run_view.is_active else None,
        charts=charts if run_view.progress or epochs else [],
    )
