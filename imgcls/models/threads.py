"""How many processor threads are fastest on this machine at this moment.

On a machine that others use, too, one thread is often the fastest: OpenMP's threads wait for the slowest of them at
every operator. Knows no run; `training/threads.py` decides for one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from imgcls.processes import available_cores

TRIAL = 0.05  # seconds to time one number of threads, and at least TRIAL_STEPS steps
TRIAL_STEPS = 3
LONG_STEP = 0.15  # seconds: one such step is enough to time
PASSES = 3  # over the numbers, where fewer than all seem best: a neighbour may have been busy for a moment
PASSES_TAKE = 2.0  # seconds after which no further one begins: a step that long has averaged over moments
WORTH_MEASURING_S = 1.0  # seconds: what one thread does as fast is not worth the trials


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


@contextlib.contextmanager
def fastest_threads(
    forward: Callable[[], object],
    times: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[None]:
    """Inside, torch has the number of threads with which `forward` is fastest here and now; afterwards, what it had.

    times: how often something like it is to be done. Where one thread is done soon, it has one, which waits for nobody.
    """
    threads, counts = torch.get_num_threads(), candidates(available_cores())
    try:
        torch.set_num_threads(1)
        forward()  # the very first one makes buffers
        began = clock()
        forward()
        if len(counts) > 1 and (clock() - began) * times > WORTH_MEASURING_S:
            rates = measure(forward, counts)
            torch.set_num_threads(max(rates, key=rates.__getitem__))
        yield
    finally:
        torch.set_num_threads(threads)
