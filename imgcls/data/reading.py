"""Long readings told on the way: decoding photos, rendering pen drawings, looking through a folder.

The work goes on in a thread; whoever waits for it hears how far it is, and may stop it. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from imgcls import events
from imgcls.data import sets
from imgcls.home import Home
from imgcls.settings import TrainSettings

T = TypeVar("T")
Progress = Callable[[int, int], None]  # (done, in all)
FIRST = 1.0  # seconds before the first word
SELDOM = 10.0  # seconds between two words in the end: some dozens of lines however long it takes


class Interrupted(Exception):
    """Somebody asked to stop."""


def told(
    work: Callable[[Progress], T],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    first: float = FIRST,
    seldom: float = SELDOM,
) -> Generator[tuple[int, int], None, T | None]:
    """(done, in all) now and then, `work`'s result as the generator's return value; None when asked to stop.

    `work` is given a function to call as it goes; what `work` raises is raised here.
    """
    at = (0, 0)

    def progress(done: int, total: int) -> None:
        nonlocal at
        at = (done, total)
        if should_stop():
            raise Interrupted

    said, pause = at, first
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        working = pool.submit(work, progress)
        while not wait([working], timeout=pause).done:
            if at != said:
                said, pause = at, min(seldom, pause * 1.5)
                yield said
        try:
            return working.result()
        except Interrupted:
            return None


def load(
    settings: TrainSettings, home: Home, should_stop: Callable[[], bool]
) -> Generator[events.Note, None, sets.DataSet | None]:
    """Notes on the way, then a run's data as the generator's return value; None when somebody asked to stop.

    Raises DatasetError.
    """
    work = told(lambda progress: sets.load(settings, home, progress=progress), should_stop=should_stop)
    while True:
        try:
            done, images = next(work)
        except StopIteration as end:
            return end.value
        yield events.Note(code="reading", values={"done": done, "images": images})
