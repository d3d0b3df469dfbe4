"""What every layer's signal and gradient are before the first step: why one initialisation learns and another does not.

Knows settings and data, not how initialisations are compared. Imports torch only when it measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class LayerStatistics:
    """mean, std: of the layer's output over a batch, before its activation; gradient: the norm of its weights' one.

    None stands for what is no finite number.
    """

    layer: str
    mean: float | None
    std: float | None
    gradient: float | None


def layer_statistics(settings: TrainSettings, workspace: Workspace) -> list[LayerStatistics]:
    """Every convolution and linear layer on the run's very first batch, before its first step."""
    import torch.nn.functional as F
    from torch import nn

    from imgcls.data.datasets import load_dataset
    from imgcls.training.device import choose_device
    from imgcls.training.learner import make_learner

    context = choose_device(settings)
    made = make_learner(settings, load_dataset(settings, workspace), workspace, context)
    layers = {n: m for n, m in made.model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    seen: dict[str, tuple[float, float]] = {}

    def keep(name: str):
        def hook(_module, _given, output):
            out = output.detach().float()
            seen[name] = (out.mean().item(), out.std().item())

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in layers.items()]
    made.begin_epoch(0)
    inputs, labels = next(iter(made.batches.epoch(0)))
    with context.autocast():
        loss = F.cross_entropy(made.model(inputs).float(), labels)
    for hook in hooks:
        hook.remove()
    loss.backward()
    return [
        LayerStatistics(name, *map(_finite, (*seen[name], module.weight.grad.norm().item())))
        for name, module in layers.items()
        if name in seen
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
