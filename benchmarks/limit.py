"""How fast a network and its optimizer can step at all: on one batch in memory, in the best way that there is.

On a processor the best of every number of threads; on a GPU the best of the steps as the trainer makes them, of those
with whatever algorithm is fastest (cuDNN may then sum in any order).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from imgcls.models.threads import candidates
from imgcls.processes import available_cores
from imgcls.settings import TrainSettings
from imgcls.training.device import choose_device
from imgcls.training.learner import Learner, make_learner
from imgcls.training.loading import load_run_data
from imgcls.workspace import Workspace


class Limit:
    """`rate(seconds)`: images/s; `ways`: those of each way, of the last time it was measured."""

    def __init__(self, settings: TrainSettings, workspace: Workspace) -> None:
        self.data = load_run_data(settings, workspace)
        self.device = choose_device(settings).device
        self.ways: dict[str, float] = {}
        if self.device.type == "cuda":
            self._steps = {"as it is": self._step(settings, workspace)}
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = False, True
            self._steps["any order"] = self._step(settings, workspace)
            if settings.compile:
                plain = settings.model_copy(update={"compile": False})
                self._steps["not compiled"] = self._step(plain, workspace)
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        else:
            self._steps = {"as it is": self._step(settings, workspace)}

    def _step(self, settings: TrainSettings, workspace: Workspace) -> Callable[[], None]:
        deterministic = torch.backends.cudnn.deterministic
        made: Learner = make_learner(settings, self.data, workspace, choose_device(settings))
        torch.backends.cudnn.deterministic = deterministic
        made.begin_epoch(0)
        inputs, labels = next(iter(made.batches.epoch(0)))
        self.images = len(labels)

        def step() -> None:
            made.step(inputs, labels)

        for _ in range(3):  # on a GPU the algorithms are chosen and the step is recorded now
            step()
        return step

    def rate(self, seconds: float) -> float:
        if self.device.type == "cuda":
            self.ways = {name: self._on_gpu(step, seconds) for name, step in self._steps.items()}
        else:
            counts = candidates(available_cores())
            step = self._steps["as it is"]
            self.ways = {str(n): self._with(step, n, seconds / len(counts)) for n in counts}
        return max(self.ways.values())

    def _with(self, step: Callable[[], None], threads: int, seconds: float) -> float:
        torch.set_num_threads(threads)
        step()
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            step()
            steps += 1
        return steps * self.images / (time.perf_counter() - began)

    def _on_gpu(self, step: Callable[[], None], seconds: float) -> float:
        """The processor runs ahead: so many steps as will take about `seconds`, and then wait."""
        rate = self._timed(step, 50)
        some = max(10, int(rate / self.images * seconds))
        self._timed(step, some)  # after a rest its clock is slow
        return self._timed(step, some)

    def _timed(self, step: Callable[[], None], steps: int) -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
        return steps * self.images / (time.perf_counter() - began)
