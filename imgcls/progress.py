"""Long readings told on the way: decoding photos, rendering pen drawings, looking through a folder.

The work goes on in a thread; whoever waits for it hears how far it is, and may stop it. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
Progress = Callable[[int, int], None]  # (done, in all)
FIRST_REPORT_S = 1.0  # seconds before the first word
SLOWEST_REPORT_S = 10.0  # seconds between two words in the end: some dozens of lines however long it takes


class Interrupted(Exception):
    """Somebody asked to stop."""


def with_progress(
    work: Callable[[Progress], T],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    first: float = FIRST_REPORT_S,
    seldom: float = SLOWEST_REPORT_S,
    only_news: bool = True,
) -> Generator[tuple[int, int], None, T | None]:
    """(done, in all) now and then, `work`'s result as the generator's return value; None when asked to stop.

    `work` is given a function to call as it goes; what `work` raises is raised here. Closing the generator stops the
    work at its next call; it is heard only when the generator speaks, so one that may be left says the same again
    where nothing is new (`only_news=False`).
    """
    at, closed = (0, 0), False

    def progress(done: int, total: int) -> None:
        nonlocal at
        at = (done, total)
        if closed or should_stop():
            raise Interrupted

    said, pause = at, first
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        working = pool.submit(work, progress)
        while not wait([working], timeout=pause).done:
            if at != said or not only_news:
                said, pause = at, min(seldom, pause * 1.5)
                try:
                    yield said
                except GeneratorExit:
                    closed = True
                    raise
        try:
            return working.result()
        except Interrupted:
            return None
