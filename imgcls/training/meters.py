"""Running figures of the training part: means since the last look, and images/s over the time spent on steps alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from imgcls.training.device import DeviceContext

STEPS_IN_MEMORY = 32  # steps; on a processor six small sums a step are 2 % of LeNet's


@dataclass
class RunningMean:
    """Sums on the device since they were last taken; taking them is the only time that the processor waits for it."""

    loss: Tensor
    correct: Tensor
    images: int = 0
    _kept: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)

    @classmethod
    def on(cls, device: torch.device) -> RunningMean:
        return cls(torch.zeros((), device=device), torch.zeros((), device=device))

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """All but their number: where steps are played back, nobody counts here. Each step's own, on a GPU, where the
        next one may write over them; many at once, on a processor."""
        if loss.device.type == "cpu":
            self._kept.append((loss, logits, labels))
            if len(self._kept) >= STEPS_IN_MEMORY:
                self._add_kept()
        else:
            self.loss += loss * len(labels)
            self.correct += (logits.argmax(dim=1) == labels).sum()

    def _add_kept(self) -> None:
        if self._kept:
            losses, logits, labels = zip(*self._kept, strict=True)
            self._kept.clear()
            self.loss += torch.stack(losses) @ torch.tensor([float(len(some)) for some in labels])
            self.correct += (torch.cat(logits).argmax(dim=1) == torch.cat(labels)).sum()

    def take(self, context: DeviceContext) -> tuple[float, float, float]:
        """(loss, correct, images) summed over all processes; they begin anew."""
        self._add_kept()
        own = torch.stack([self.loss, self.correct, torch.full_like(self.loss, self.images)])
        loss, correct, images = context.all_reduce_sum(own).tolist()
        self.clear()
        return loss, correct, images

    def clear(self) -> None:
        self._kept.clear()
        self.loss.zero_()
        self.correct.zero_()
        self.images = 0


class Stopwatch:
    """Seconds, going on from `seconds`; `lap()` gives those since the last lap, less what `skip()` left out."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._zero = time.perf_counter() - seconds
        self._lap = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._zero

    @property
    def since_lap(self) -> float:
        return time.perf_counter() - self._lap

    def lap(self) -> float:
        passed, self._lap = self.since_lap, time.perf_counter()
        return passed

    def skip(self) -> None:
        """A new lap begins here: what passed was not training (saving, measuring)."""
        self._lap = time.perf_counter()
