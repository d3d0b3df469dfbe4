"""What a run needs before it can begin, its data and its weights, with a word now and then on how far that is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from imgcls.data.datasets import DataSet, as_answered, load_dataset
from imgcls.data.manifest import Lineage, Manifest
from imgcls.messages import Message
from imgcls.models.pretrained import resolve_weights
from imgcls.models.registry import model_spec
from imgcls.progress import SLOWEST_REPORT_S, Progress, with_progress
from imgcls.recipes import preprocess_for
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.meters import Stopwatch
from imgcls.training.provenance import lineage_of
from imgcls.workspace import Workspace

T = TypeVar("T")
MB = 1_000_000
FIRST_REPORT_S, REPORT_EVERY_S = 0.5, 2.0  # seconds between two words on a download


def load_run_data(
    settings: TrainSettings,
    workspace: Workspace,
    *,
    progress: Progress | None = None,
    lineage: Lineage | None = None,
    manifest: Manifest | None = None,
) -> DataSet:
    """A run's data, brought to its network as the recipe says; lineage, manifest: as in `load_dataset`. Raises
    DatasetError."""
    form = preprocess_for(settings)
    return load_dataset(settings, workspace, form, progress=progress, lineage=lineage, manifest=manifest)


def load_with_progress(
    settings: TrainSettings,
    workspace: Workspace,
    should_stop: Callable[[], bool],
    *,
    resume: bool = False,
    began: Manifest | None = None,
) -> Generator[events.Note, None, DataSet | None]:
    """Notes on the way, then a run's data as the generator's return value; None when somebody asked to stop. began: the
    images that a run began with which goes on, where it wrote them down.

    Raises DatasetError, WeightsError where pre-trained weights are not to be had, and CheckpointError where the network
    that the run starts from is not, or may not be started from.
    """
    # A checkpoint brings its own, and so does the state of a run that goes on.
    wanted = settings.transfer != "scratch" and not settings.start_from and not resume
    if wanted and not (yield from _fetch_weights(settings, workspace, should_stop)):
        return None
    # What such a run starts from has a say in which images validate it; going on, it may be gone by now.
    again = began if began is not None and (settings.start_from or began.earlier or began.earlier_unknown) else None

    def load(progress: Progress) -> DataSet:
        lineage = None if resume else lineage_of(settings, workspace)
        data = load_run_data(settings, workspace, progress=progress, lineage=lineage, manifest=again)
        if settings.transfer == "head" or wanted:  # a head learns the images as it will be asked about them, too
            as_answered(data, data.train, progress=progress)
        return data

    return (
        yield from _told(
            "reading",
            lambda done, total: Message(
                "making the images ready, this once: {done:,} of {images:,}", done=done, images=total
            ),
            load,
            should_stop,
        )
    )


def _fetch_weights(
    settings: TrainSettings, workspace: Workspace, should_stop: Callable[[], bool]
) -> Generator[events.Note, None, bool]:
    """Until they are on this computer; False when somebody asked to stop: what has come by then is kept."""
    title = model_spec(settings.model).title

    def said(done: int, total: int) -> Message:
        if not total:
            return Message("fetching the weights of {model}: {done:.1f} MB", model=title, done=done / MB)
        return Message(
            "fetching the weights of {model}: {done:.1f} of {total:.1f} MB",
            model=title,
            done=done / MB,
            total=total / MB,
        )

    path = yield from _told(
        "fetching_weights",
        said,
        lambda progress: resolve_weights(
            settings.weights, model=settings.model, folder=workspace.weight, progress=progress
        ),
        should_stop,
        first=FIRST_REPORT_S,
        seldom=REPORT_EVERY_S,
    )
    return path is not None


def _told(
    code: str,
    said: Callable[[int, int], Message],
    work: Callable[[Progress], T],
    should_stop: Callable[[], bool],
    *,
    first: float = FIRST_REPORT_S,
    seldom: float = SLOWEST_REPORT_S,
) -> Generator[events.Note, None, T | None]:
    watch = Stopwatch()
    going = with_progress(work, should_stop=should_stop, first=first, seldom=seldom)
    while True:
        try:
            done, total = next(going)
        except StopIteration as end:
            return end.value
        yield events.note_of_work(code, said(done, total), done, total, watch.seconds)
