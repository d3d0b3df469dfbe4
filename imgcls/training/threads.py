"""How many processor threads a run steps with: measured once, before the first step, and kept.

Sums of floats depend on their order, and their order on the number of threads: a run that changed it on the way could
not be repeated. On a machine that others use, too, one thread is often the fastest: OpenMP's threads wait for the
slowest of them at every operator. What that wait costs is bounded where the package is imported (imgcls/__init__.py),
so that a neighbour who comes later halves a run's speed and does not end it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from imgcls.data.feature_cache import BATCH
from imgcls.data.loader import images_at_once
from imgcls.models.threads import candidates, measure
from imgcls.processes import available_cores
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.learner import Learner
from imgcls.training.train_state import TrainState

MOST_PIXELS = 16 * 224 * 224  # of a timed batch: a full one of AlexNet's would take seconds a step on two cores
TIMED_FORWARD = 8  # images of a batch that only goes forward
Measure = Callable[[Callable[[], object], Sequence[int]], dict[int, float]]


def choose_threads(learner: Learner, state: TrainState, *, measure: Measure = measure) -> Iterator[events.Event]:
    """Before a run's first step: what the settings fix, what it began with, or what is fastest here and now.

    With several processes each gets its share of the cores; on a GPU one thread is enough to feed it.
    """
    settings, context = learner.settings, learner.context
    if context.device.type != "cpu":
        threads = settings.threads or 1
        torch.set_num_threads(threads)
        yield events.ThreadsChosen(threads=threads, rates={}, step=state.step, exact_until=state.exact_until)
        return
    rates: dict[int, float] = {}
    threads = settings.threads or state.threads
    if not threads:
        if state.step:  # begun by a version that changed its threads on the way
            state.mark_nonreproducible(0)
        cores = max(1, available_cores() // context.world)
        counts = candidates(cores) if context.world == 1 else [cores]
        rates = _rates(learner, counts, measure) if len(counts) > 1 else {}
        threads = max(rates, key=rates.__getitem__) if rates else counts[-1]
    if state.threads not in (0, threads):
        state.mark_nonreproducible(state.step)
    torch.set_num_threads(threads)
    state.threads = threads
    named = {str(n): round(rate, 1) for n, rate in sorted(rates.items())}
    yield events.ThreadsChosen(threads=threads, rates=named, step=state.step, exact_until=state.exact_until)


def _rates(learner: Learner, counts: Sequence[int], measure: Measure) -> dict[int, float]:
    """Images/s of the run's own steps with each number of threads."""
    images = timed_images(learner.settings, learner.data.preprocess.size, learner.context.device)
    rates = measure(learner.throw_away_step(images), counts)
    return {count: rate * images for count, rate in rates.items()}


def timed_images(settings: TrainSettings, size: int, device: torch.device) -> int:
    """Images of a batch that is only timed. Head only: of the backbone, where such a run spends its time; a part of
    what it takes at once shows as well what threads bring (ResNet18 at 64 pixels: 380 images/s for 210 with 8, 530 for
    280 with 16)."""
    if settings.transfer == "head":
        return images_at_once(BATCH, size, device) // 4 if device.type == "cuda" else TIMED_FORWARD
    return max(2, min(settings.batch_size, MOST_PIXELS // size**2))
