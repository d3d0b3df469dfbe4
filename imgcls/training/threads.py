"""How many processor threads to step with: measured on the run's own steps, now and then, because cores are shared.

OpenMP waits for its slowest thread at every operator, so one thread too many on a busy machine costs far more than one
too few: measured on two cores, LeNet's steps with two threads run at 12,500 images/s alone and at 300 beside two busy
processes, with one thread at 7,200 and 9,000. The steps that are timed are real training steps: nothing is wasted but
the slower ones' time. Knows no network.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from imgcls.processes import available_cores

FIRST_CHECK = 5.0  # seconds after a choice of fewer threads than there are, until more are tried again
LONGEST_CHECK = 30.0  # the interval doubles up to this
TRIAL_SHARE = 0.02  # of the time that trials may take: where steps take seconds, they are seldom
TRIAL = 0.04  # seconds to time one number of threads, and at least TRIAL_STEPS steps
TRIAL_STEPS = 3
LONG_STEP = 0.15  # seconds: one such step is enough to time
SLUMP = 0.7  # a rate below this share of the chosen one's asks for a check at once
SLUMP_LOOK = 0.5  # seconds over which a rate is taken, and at least SLUMP_STEPS steps
SLUMP_STEPS = 4


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
        self._look_last: float | None = None
        self._no_check_before = 0.0
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
        self._last = None
        self._look_last = None

    def _begin(self) -> None:
        self._todo = [self.threads, *(c for c in reversed(self._counts) if c != self.threads)]
        self._rates, self._trials_took = {}, 0.0
        self._use(self._todo[0])

    def _use(self, count: int) -> None:
        self._set(count)
        self._last, self._seconds, self._steps, self._images = None, 0.0, -1, 0

    def _trial(self, images: int, now: float) -> dict[int, float] | None:
        last, self._last = self._last, now
        if last is None:
            return None
        self._trials_took += now - last
        self._steps += 1
        if self._steps == 0:  # the first step after a change starts threads: not counted
            return None
        self._seconds += now - last
        self._images += images
        best = max(self._rates.values(), default=0.0)
        rate = self._images / max(self._seconds, 1e-9)
        enough = self._steps >= TRIAL_STEPS or self._seconds >= LONG_STEP
        if not (enough and self._seconds >= TRIAL) and not rate < best / 2:
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
        self._wait = max(self._wait, self._trials_took / TRIAL_SHARE)
        # With all threads running, only a slump can mean that fewer are better.
        self._next_check = float("inf") if self.threads == self._counts[-1] else now + self._wait
        self._no_check_before = now + max(1.0, self._trials_took / TRIAL_SHARE / 10)
        self._look_last = None
        return dict(self._rates)

    def _slumped(self, images: int, now: float) -> bool:
        last, self._look_last = self._look_last, now
        if last is None:
            self._look_images, self._look_seconds, self._look_steps = 0, 0.0, 0
            return False
        self._look_images += images
        self._look_seconds += now - last
        self._look_steps += 1
        if self._look_seconds < SLUMP_LOOK or self._look_steps < SLUMP_STEPS:
            return False
        rate = self._look_images / self._look_seconds
        self._look_last = None
        slow = rate < SLUMP * self._chosen_rate and now >= self._no_check_before
        # A lasting slump must not become a check every half second; a trial in a bad moment not a low mark for ever.
        self._chosen_rate = max(rate, 1e-9) if slow else max(rate, self._chosen_rate)
        return slow
