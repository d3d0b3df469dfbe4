"""How many processor threads to step with: measured on the run's own steps, now and then, because cores are shared.

OpenMP waits for its slowest thread at every operator, so one thread too many on a busy machine costs far more than one
too few: measured on two cores, LeNet's steps with two threads run at 12,500 images/s alone and at 300 beside two busy
processes, with one thread at 7,200 and 9,000. The steps that are timed are real training steps: nothing is wasted but
the slower ones' time. Knows no network.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

FIRST_CHECK = 5.0  # seconds after a choice until it is checked
LONGEST_CHECK = 30.0  # the interval doubles up to this
TRIAL = 0.04  # seconds to time one number of threads, and at least TRIAL_STEPS steps
TRIAL_STEPS = 3
SLUMP = 0.6  # a rate below this share of the chosen one's asks for a check at once


def available_cores() -> int:
    """Cores this process may run on."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def candidates(cores: int) -> list[int]:
    """1, 2, 4, ... and all of the cores, at most 16: beyond that these networks' steps do not gain."""
    counts = {min(cores, 16)}
    n = 1
    while n < min(cores, 16):
        counts.add(n)
        n *= 2
    return sorted(counts)


class ThreadTuner:
    """Call `step(images)` after every step. It returns the rates it measured when it has just made a choice."""

    def __init__(
        self,
        *,
        fixed: int = 0,
        set_threads: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        cores: int | None = None,
    ) -> None:
        if set_threads is None:
            import torch

            set_threads = torch.set_num_threads
        self._set, self._clock = set_threads, clock
        self._counts = [fixed] if fixed else candidates(cores or available_cores())
        self.threads = self._counts[-1]
        self._rates: dict[int, float] = {}
        self._todo: list[int] = []
        self._wait, self._chosen_rate = FIRST_CHECK, 0.0
        self._slump_images, self._slump_since = 0, 0.0
        if len(self._counts) == 1:
            self._next_check = float("inf")
            self._use(self.threads)
        else:
            self._next_check = 0.0
            self._begin()

    def step(self, images: int) -> dict[int, float] | None:
        now = self._clock()
        if self._todo:
            return self._trial(images, now)
        if now >= self._next_check or self._slumped(images, now):
            self._begin()
        return None

    def skip(self) -> None:
        """Time passed that was not a step (validation, saving): it does not count."""
        self._since, self._steps, self._images = None, 0, 0
        self._slump_images, self._slump_since = 0, self._clock()

    def _begin(self) -> None:
        # The present choice is timed first and again last is not needed: trials are short against what they decide.
        self._todo = [self.threads, *(c for c in reversed(self._counts) if c != self.threads)]
        self._rates = {}
        self._use(self._todo[0])

    def _use(self, count: int) -> None:
        self._set(count)
        self._since, self._steps, self._images = None, 0, 0

    def _trial(self, images: int, now: float) -> dict[int, float] | None:
        if self._since is None:  # the first step after a change starts threads: not counted
            self._since = now
            return None
        self._steps += 1
        self._images += images
        seconds = now - self._since
        best = max(self._rates.values(), default=0.0)
        rate = self._images / max(seconds, 1e-9)
        hopeless = rate < best / 2
        if not hopeless and (seconds < TRIAL or self._steps < TRIAL_STEPS) and seconds < 5:
            return None
        self._rates[self._todo.pop(0)] = rate
        if self._todo:
            self._use(self._todo[0])
            return None
        return self._choose(now)

    def _choose(self, now: float) -> dict[int, float]:
        before = self.threads
        self.threads = max(self._rates, key=self._rates.__getitem__)
        self._chosen_rate = self._rates[self.threads]
        self._use(self.threads)
        self._wait = min(self._wait * 2, LONGEST_CHECK) if self.threads == before else FIRST_CHECK
        self._next_check = now + self._wait
        self._slump_images, self._slump_since = 0, now
        return dict(self._rates)

    def _slumped(self, images: int, now: float) -> bool:
        self._slump_images += images
        seconds = now - self._slump_since
        if seconds < 0.5:
            return False
        rate, self._slump_images, self._slump_since = self._slump_images / seconds, 0, now
        slow = rate < SLUMP * self._chosen_rate
        # A lasting slump must not become a check every half second.
        self._chosen_rate = max(rate, 1e-9) if slow else self._chosen_rate
        return slow
