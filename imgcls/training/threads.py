"""How many processor threads to step with: measured before the first step, and kept for as long as that costs little.

Sums of floats depend on their order, and their order on the number of threads: a run that changed it on the way could
not be repeated. Cores are shared, though, and OpenMP waits for its slowest thread at every operator: measured on two
cores, LeNet's steps with two threads run at 12,500 images/s alone and at 300 beside two busy processes, with one thread
at 7,200 and 9,000. Such a collapse, where it lasts, is worth the repeatability, and so are cores that were taken when
the run began and are free now; nothing less is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from imgcls.data.feature_cache import BATCH
from imgcls.data.loader import images_at_once
from imgcls.processes import available_cores
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.learner import Learner
from imgcls.training.train_state import TrainState

MOST_PIXELS = 16 * 224 * 224  # of a timed batch: a full one of AlexNet's would take seconds a step on two cores
TIMED_FORWARD = 8  # images of a batch that only goes forward
TRIAL = 0.05  # seconds to time one number of threads, and at least TRIAL_STEPS steps
TRIAL_STEPS = 3
LONG_STEP = 0.15  # seconds: one such step is enough to time
COLLAPSED = 1 / 5  # of the rate that was measured
LASTING = 10.0  # seconds of it before anything is done; twice as many each time that fewer threads did not help
LOOK = 1.0  # seconds over which a rate is taken
WORTH = 2.0  # times as fast: what fewer threads must be to be taken
MORE_WORTH = 1.3  # and more: two cores step with LeNet 1.4 to 1.6 times as fast as one
LOOK_FOR_MORE = 15.0  # seconds until a run with fewer threads than cores tries more, then twice as many each time
PASSES = 3  # over the numbers, where fewer than all seem best: a neighbour may have been busy for a moment
PASSES_TAKE = 2.0  # seconds after which no further one begins: a step that long has averaged over moments


def candidates(cores: int) -> list[int]:
    """1, 2, 4, ... and all of the cores, at most 16: beyond that these networks' steps do not gain."""
    counts = {min(cores, 16)}
    n = 1
    while n < min(cores, 16):
        counts.add(n)
        n *= 2
    return sorted(counts)


def measure(
    step: Callable[[], object],
    counts: Sequence[int],
    *,
    set_threads: Callable[[int], None] = torch.set_num_threads,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[int, float]:
    """Steps a second with each number of threads, at its best; `step` must change nothing that matters. The number set
    is the last one tried."""
    rates, began = dict.fromkeys(counts, 0.0), clock()
    set_threads(counts[-1])
    step()  # the very first one makes buffers
    for _ in range(PASSES):
        for count in reversed(counts):
            set_threads(count)
            rates[count] = max(rates[count], _rate(step, clock))
        if rates[counts[-1]] == max(rates.values()) or clock() - began > PASSES_TAKE:
            break
    return rates


def _rate(step: Callable[[], object], clock: Callable[[], float]) -> float:
    """Steps a second with the threads that are set."""
    began, steps = clock(), 0
    step()  # starts the threads: counted only where it is long
    if (first := clock() - began) >= LONG_STEP:
        return 1 / first
    began = clock()
    while steps < TRIAL_STEPS or clock() - began < TRIAL:
        step()
        steps += 1
    return steps / max(clock() - began, 1e-9)


class CollapseWatch:
    """`step(images)` after every step; True when the rate has been a fifth of `rate` or less for ten seconds on end."""

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._rate, self._clock = rate, clock
        self._slow, self._lasting = 0.0, LASTING
        self.pause()

    def pause(self) -> None:
        """What passes until the next step was no step: validation, saving."""
        self._began: float | None = None

    def step(self, images: int) -> bool:
        now = self._clock()
        if self._began is None:
            self._began, self._images = now, 0
            return False
        self._images += images
        passed = now - self._began
        if passed < LOOK:
            return False
        self._slow = self._slow + passed if self._images / passed < self._rate * COLLAPSED else 0.0
        self._began, self._images = now, 0
        if self._slow < self._lasting:
            return False
        self._slow, self._lasting = 0.0, self._lasting * 2
        return True


Measure = Callable[[Callable[[], object], Sequence[int]], dict[int, float]]


class ThreadChoice:
    """One run's threads. `choose` before the first step; `due(images)` after every step, and `again` where it says so.
    With several processes each gets its share of the cores; on a GPU one thread is enough to feed it."""

    def __init__(
        self,
        learner: Learner,
        state: TrainState,
        *,
        measure: Measure = measure,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._learner, self._state, self._measure, self._clock = learner, state, measure, clock
        self._watch: CollapseWatch | None = None
        self._counts: list[int] = []  # to choose from; none where the settings fix one
        self._wait = LOOK_FOR_MORE
        self._look = float("inf")  # when to try more

    def choose(self) -> Iterator[events.Event]:
        """What the settings fix, what the run began with, or what is fastest here and now."""
        settings, context, state = self._learner.settings, self._learner.context, self._state
        if context.device.type != "cpu":
            torch.set_num_threads(settings.threads or 1)
            return
        cores = max(1, available_cores() // context.world)
        counts = candidates(cores) if context.world == 1 else [cores]
        rates: dict[int, float] = {}
        if settings.threads:
            threads = settings.threads
        elif state.threads:
            threads = state.threads
        else:
            if state.step:  # begun by a version that changed its threads on the way
                state.not_exact_from(0)
            rates = self._rates(counts) if len(counts) > 1 else {}
            threads = max(rates, key=rates.__getitem__) if rates else counts[-1]
            state.rate = rates.get(threads, 0.0)
        if state.threads not in (0, threads):
            state.not_exact_from(state.step)
        if not settings.threads and context.world == 1:
            self._counts = sorted({*counts, threads})
        yield self._take(threads, rates)

    def pause(self) -> None:
        if self._watch:
            self._watch.pause()

    def due(self, images: int) -> bool:
        """Whether to measure again, after a step of `images`: the speed has collapsed, or there may be free cores."""
        return (self._watch is not None and self._watch.step(images)) or self._clock() > self._look

    def again(self) -> Iterator[events.Event]:
        """Other threads, where they are much faster at this moment; what slows the run may be something else."""
        state = self._state
        looked = self._clock() > self._look
        rates = self._rates(self._counts if looked else [n for n in self._counts if n <= state.threads])
        self._wait *= 2
        best = max(rates, key=rates.__getitem__)
        if rates[best] < rates[state.threads] * (WORTH if best < state.threads else MORE_WORTH):
            torch.set_num_threads(state.threads)
            self._try_more()
            return
        state.rate = rates[best]
        state.not_exact_from(state.step)
        yield self._take(best, rates)

    def enough(self) -> None:
        """What takes the time is over: nothing is measured any more."""
        self._watch, self._look = None, float("inf")

    def _rates(self, counts: Sequence[int]) -> dict[int, float]:
        """Images/s with each number of threads."""
        learner = self._learner
        images = timed_images(learner.settings, learner.data.preprocess.size, learner.context.device)
        rates = self._measure(learner.throw_away_step(images), counts)
        return {count: rate * images for count, rate in rates.items()}

    def _take(self, threads: int, rates: dict[int, float]) -> events.Event:
        torch.set_num_threads(threads)
        state = self._state
        state.threads = threads
        self._watch = CollapseWatch(state.rate) if self._counts and threads > 1 and state.rate else None
        self._try_more()
        named = {str(n): round(rate, 1) for n, rate in sorted(rates.items())}
        return events.ThreadsChosen(threads=threads, rates=named, step=state.step, exact_until=state.exact_until)

    def _try_more(self) -> None:
        """When to measure more threads than the run has, where there are cores for them."""
        fewer = bool(self._counts) and self._state.threads < self._counts[-1]
        self._look = self._clock() + self._wait if fewer else float("inf")


def timed_images(settings: TrainSettings, size: int, device: torch.device) -> int:
    """Images of a batch that is only timed. Head only: of the backbone, where such a run spends its time; a part of
    what it takes at once shows as well what threads bring (ResNet18 at 64 pixels: 380 images/s for 210 with 8, 530 for
    280 with 16)."""
    if settings.transfer == "head":
        return images_at_once(BATCH, size, device) // 4 if device.type == "cuda" else TIMED_FORWARD
    return max(2, min(settings.batch_size, MOST_PIXELS // size**2))
