"""A learning-rate range test: a network that is thrown away takes steps at ever larger rates until its loss runs away.

The rate that is suggested is a third of the one at which the mean loss is smallest, where it still falls. Source: Smith
2017, Cyclical Learning Rates for Training Neural Networks, section 3.3. No run is made, and nothing of it stays.
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from imgcls.data.datasets import DataSet
from imgcls.optimizers import OPTIMIZERS
from imgcls.progress import Progress
from imgcls.settings import TrainSettings
from imgcls.training.device import choose_device
from imgcls.training.divergence import NotFiniteLossError
from imgcls.training.events import Event, features_note
from imgcls.training.learner import Learner, make_learner
from imgcls.training.loading import load_with_progress
from imgcls.training.optim import set_lr
from imgcls.training.runtime import choose_runtime
from imgcls.training.threads import choose_threads
from imgcls.training.train_state import TrainState
from imgcls.workspace import Workspace

STEPS = 100
SPAN = 1000.0  # from the optimizer's usual rate divided by this to that rate times this
LARGEST_RATE = 100.0  # the setting's own limit
KEPT_OF_BEFORE = 0.9  # of the mean loss so far at each step
RUNS_AWAY = 3.0  # times the smallest mean loss: from there on it only grows
# Times below the rate at which the mean loss is smallest, which follows the loss by some steps and turns late; fastai
# takes 10. LeNet, 6,000 digits, 2 epochs, two seeds, mean validation accuracy near a tenth, a third and all of it: SGD
# 91.2 %, 94.0 %, one run of two diverged; AdamW 92.9, 94.8 and 95.0 %.
BELOW = 3.0
SMALLEST_DROP = 0.05  # of the loss; less is chance


@dataclass(frozen=True)
class RangeTest:
    """What each step was taken with and cost.

    Attributes:
        rates: the learning rate of each step, ever larger.
        losses: the mean loss after it, in nats: the batches' own, smoothed over the steps before.
        suggestion: the rate to train with; None where the loss never fell.
        used: the rate that the settings had: the recipe's, or one that was given.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None
    used: float

    def as_dict(self) -> dict[str, Any]:
        """The same as `imgcls lr-find --json`."""
        return asdict(self)


def range_test(
    settings: TrainSettings,
    workspace: Workspace,
    *,
    steps: int = STEPS,
    told: Callable[[Event], None] = lambda event: None,
    progress: Progress = lambda done, total: None,
) -> RangeTest:
    """`told` hears how far the preparation is, `progress` how many steps are done; what they raise ends it. Raises
    ImgclsError where data, weights or device are not to be had."""
    # A head's features are those of the images as they are: more views cost time and move the rate by little.
    plain = {"augment": "none"} if settings.transfer == "head" else {}
    chosen = settings.model_copy(update={"ema": 0.0, **plain})
    learner = make_learner(chosen, _data(chosen, workspace, told), workspace, choose_device(chosen))
    state = TrainState()
    for event in choose_threads(learner, state):
        told(event)
    with tempfile.TemporaryDirectory() as folder:
        if chosen.transfer == "head":
            for event in choose_runtime(learner, state, workspace):
                told(event)
            for done, total in learner.cache_features(file=Path(folder) / "features.f32"):
                told(features_note(done, total, 0.0))
        rates, losses = _steps(learner, steps, progress)
    return RangeTest(rates, losses, suggestion(rates, losses), settings.lr)


def _data(settings: TrainSettings, workspace: Workspace, told: Callable[[Event], None]) -> DataSet:
    loading = load_with_progress(settings, workspace, lambda: False)
    while True:
        try:
            told(next(loading))
        except StopIteration as end:
            return end.value


def _batches(learner: Learner) -> Iterator[tuple[Tensor, Tensor]]:
    """Epoch after epoch: few images come several times."""
    for epoch in itertools.count():
        learner.begin_epoch(epoch)
        yield from learner.batches.epoch(epoch)


def _steps(learner: Learner, steps: int, progress: Progress) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(rates, mean losses) of as many steps as the loss allows."""
    settings, usual = learner.settings, OPTIMIZERS[learner.settings.optimizer].lr
    lowest, highest = usual / SPAN, min(LARGEST_RATE, usual * SPAN)
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    for number, (inputs, labels) in enumerate(itertools.islice(_batches(learner), steps)):
        rate = lowest * (highest / lowest) ** (number / max(1, steps - 1))
        set_lr(learner.optimizer, rate / settings.lr)
        try:
            learner.step(inputs, labels)
        except NotFiniteLossError:
            break
        loss, _, images = learner.step.seen.take(learner.context)
        if not math.isfinite(loss):
            break
        mean = KEPT_OF_BEFORE * mean + (1 - KEPT_OF_BEFORE) * loss / images
        rates.append(rate)
        losses.append(mean / (1 - KEPT_OF_BEFORE ** (number + 1)))
        progress(len(rates), steps)
        if losses[-1] > RUNS_AWAY * min(losses):
            break
    return tuple(rates), tuple(losses)


def suggestion(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """To two figures: a third of the rate at which the mean loss is smallest; None where it hardly falls."""
    lowest = min(range(len(losses)), key=losses.__getitem__, default=0)
    top = max(losses[: lowest + 1], default=0.0)
    if not losses or losses[lowest] > (1 - SMALLEST_DROP) * top:
        return None
    return float(f"{rates[lowest] / BELOW:.2g}")
