"""A run's data, with a word now and then on how far the reading is."""

from __future__ import annotations

from collections.abc import Callable, Generator

from imgcls.data.datasets import DataSet, load_dataset
from imgcls.data.loading import with_progress
from imgcls.messages import Message
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.workspace import Workspace


def load_with_progress(
    settings: TrainSettings, workspace: Workspace, should_stop: Callable[[], bool]
) -> Generator[events.Note, None, DataSet | None]:
    """Notes on the way, then a run's data as the generator's return value; None when somebody asked to stop.

    Raises DatasetError.
    """
    work = with_progress(lambda progress: load_dataset(settings, workspace, progress=progress), should_stop=should_stop)
    while True:
        try:
            done, images = next(work)
        except StopIteration as end:
            return end.value
        yield events.Note(
            code="reading",
            message=Message("making the images ready, this once: {done:,} of {images:,}", done=done, images=images),
        )
