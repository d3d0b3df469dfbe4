"""A data set gone through for whoever asks: how far it is told on the way, within the time that a shared lab gives."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from typing import TypeVar

from imgcls.progress import Progress, with_progress
from imgcls.web.shared.run_cache import RunCache

T = TypeVar("T")
FIRST_S, SELDOM_S = 0.5, 1.0  # seconds before the first word, between two


def long_reading(
    run_cache: RunCache, data_set: str, what: str, make: Callable[[Progress], T], *, user: str, seconds: float
) -> Generator[tuple[int, int], None, T | None]:
    """(done, in all) now and then, (0, 0) in the line; what `make` makes as the generator's return value.

    None where it takes longer than `seconds` (0: no limit), which count from its beginning: the line is nobody's
    fault. Closing the generator ends the work, or takes it out of the line. Raises what `make` raises.
    """
    end = math.inf

    def made(progress: Progress) -> T:
        def begun() -> T:
            nonlocal end
            end = time.monotonic() + (seconds or math.inf)
            return make(progress)

        return run_cache.once(data_set, (what,), begun, user, in_line=lambda: progress(0, 0))

    return with_progress(
        made, should_stop=lambda: time.monotonic() > end, first=FIRST_S, seldom=SELDOM_S, only_news=False
    )
