"""What every layer does at the start: its signal, its gradient and its first updates, which decide what is learnt.

Why one initialisation learns and another does not can be read from these before anything is trained. Knows settings
and data, not how initialisations are compared. Imports torch only when it measures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor, nn

    from imgcls.training.learner import Learner

    Layers = dict[str, nn.Conv2d | nn.Linear]  # by name

BINS = 24  # of a histogram
STEPS = 30  # first steps whose updates are measured


@dataclass(frozen=True)
class LayerStatistics:
    """A convolution or linear layer on the run's first batch; None stands for what is no finite number.

    mean, std:  of the layer's output, before its activation
    given:      std of what it was given: std / given is the share of the signal that it hands on
    gradient:   norm of its weights' gradient
    dead:       share of its units (channels, neurons) whose ReLU is 0 on every image; None for the last layer
    histogram:  how many outputs fall into each of BINS equal parts of mean - 3 std to mean + 3 std
    updates:    log10(std of a step's change / std of the weights) at each of the first STEPS steps; around -3 is usual.
                Source: A. Karpathy, makemore part 3
    """

    layer: str
    mean: float | None
    std: float | None
    gradient: float | None
    given: float | None = None
    dead: float | None = None
    histogram: tuple[int, ...] = ()
    updates: tuple[float | None, ...] = ()


def layer_statistics(settings: TrainSettings, workspace: Workspace, *, steps: int = STEPS) -> list[LayerStatistics]:
    """Every convolution and linear layer on the run's very first batch, and over its first steps."""
    from imgcls.training.device import choose_device
    from imgcls.training.learner import make_learner
    from imgcls.training.loading import load_run_data

    learner = make_learner(settings, load_run_data(settings, workspace), workspace, choose_device(settings))
    learner.begin_epoch(0)
    layers = _layers(learner.model)
    batches = iter(learner.batches.epoch(0))
    inputs, labels = next(batches)
    seen = _first_batch(learner, layers, inputs, labels)
    updates: dict[str, list[float | None]] = {name: [] for name in layers}
    for step in range(steps):
        if step:
            batch = next(batches, None)
            if batch is None:  # the epoch is shorter
                break
            _loss(learner, *batch).backward()
        if not _step(learner, layers, updates):
            break
    last = list(seen)[-1]
    silent = learner.settings.activation != "relu"  # then no unit can be dead
    return [
        LayerStatistics(
            name, **({**found, "dead": None} if name == last or silent else found), updates=tuple(updates[name])
        )
        for name, found in seen.items()
    ]


def _layers(model: nn.Module) -> Layers:
    from torch import nn

    return {n: m for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}


def _loss(learner: Learner, inputs: Tensor, labels: Tensor) -> Tensor:
    with learner.context.autocast():
        logits = learner.model(inputs)
    return learner.step.loss(logits.float(), labels)


def _first_batch(learner: Learner, layers: Layers, inputs: Tensor, labels: Tensor) -> dict[str, dict]:
    """Each layer's figures in the order in which the network uses them; leaves the gradients in place."""
    seen: dict[str, dict] = {}

    def keep(name: str) -> Callable:
        def hook(_module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            seen[name] = _figures(output.detach().float(), given[0].detach().float())

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in layers.items()]
    try:
        loss = _loss(learner, inputs, labels)
    finally:
        for hook in hooks:
            hook.remove()
    loss.backward()
    for name, found in seen.items():
        gradient = layers[name].weight.grad
        found["gradient"] = None if gradient is None else _finite(gradient.norm().item())
    return seen


def _figures(output: Tensor, given: Tensor) -> dict:
    mean, std = output.mean().item(), output.std().item()
    units = output.transpose(0, 1).flatten(1)  # (units, everything they said on this batch)
    found = {
        "mean": _finite(mean),
        "std": _finite(std),
        "given": _finite(given.std().item()),
        "dead": (units <= 0).all(dim=1).float().mean().item(),
    }
    if math.isfinite(mean) and math.isfinite(std) and std > 0:
        place = ((output - mean) / (6 * std) + 0.5) * BINS
        counts = place[(place >= 0) & (place < BINS)].long().bincount(minlength=BINS)
        found["histogram"] = tuple(counts.tolist())
    return found


def _step(learner: Learner, layers: Layers, updates: dict[str, list[float | None]]) -> bool:
    """One step at the peak learning rate; False when the weights are no numbers any more."""
    before = {name: module.weight.detach().clone() for name, module in layers.items()}
    learner.optimizer.step()
    learner.optimizer.zero_grad(set_to_none=True)
    finite = True
    for name, module in layers.items():
        change, size = (module.weight.detach() - before[name]).std().item(), before[name].std().item()
        finite &= math.isfinite(change)
        updates[name].append(round(math.log10(change / size), 3) if 0 < change < math.inf and size > 0 else None)
    return finite


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
