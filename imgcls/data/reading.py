"""The data of a run, with a word now and then where making them ready takes long; can be stopped meanwhile.

Photos are decoded and pen drawings rendered once and kept: seconds to minutes the first time, nothing later. Knows
nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait

from imgcls import events
from imgcls.data import sets
from imgcls.home import Home
from imgcls.settings import TrainSettings

PATIENCE = 1.0  # seconds before the first word; later ones come ever more seldom


class Interrupted(Exception):
    """Somebody asked to stop while the data were being made ready."""


def load(
    settings: TrainSettings, home: Home, should_stop: Callable[[], bool]
) -> Generator[events.Note, None, sets.DataSet | None]:
    """Notes on the way, then the data as the generator's return value; None when somebody asked to stop.

    Raises DatasetError.
    """
    at: list[tuple[int, int]] = [(0, 0)]

    def progress(done: int, total: int) -> None:
        at[0] = (done, total)
        if should_stop():
            raise Interrupted

    told, pause = (0, 0), PATIENCE
    with ThreadPoolExecutor(1, thread_name_prefix="load") as pool:
        loading = pool.submit(sets.load, settings, home, progress=progress)
        while not wait([loading], timeout=pause).done:
            if at[0] != told:
                told, pause = at[0], min(10.0, pause * 1.5)
                yield events.Note(code="reading", values={"done": told[0], "images": told[1]})
        try:
            return loading.result()
        except Interrupted:
            return None
