"""An exponential moving average of a network's weights, which is measured and saved in the network's stead.

Source: Polyak & Juditsky 1992; the warm-up of the decay is TensorFlow's ExponentialMovingAverage's.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    """`module`: a copy of the network with the average of what learns, running statistics too; what does not learn is
    as it was. `update` after every step.

    The average's decay grows from step to step up to `decay`: a short run is not held back by its first weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module, self.decay, self.steps = copy.deepcopy(model).eval().requires_grad_(False), decay, 0
        own = dict(model.named_parameters())
        learning = {name for name, parameter in own.items() if parameter.requires_grad}
        if len(learning) == len(own):  # of a frozen backbone BatchNorm's statistics do not move, either
            learning |= {name for name, _ in model.named_buffers()}
        mine, theirs = self.module.state_dict(), model.state_dict()  # the tensors themselves, not copies
        moving = [name for name in mine if name in learning]
        floats = [name for name in moving if mine[name].is_floating_point()]
        self._average: list[Tensor] = [mine[name] for name in floats]
        self._learnt: list[Tensor] = [theirs[name] for name in floats]
        self._counts = [(mine[name], theirs[name]) for name in moving if name not in set(floats)]

    @torch.no_grad()
    def update(self) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        if self._average:
            get_ema_multi_avg_fn(decay)(self._average, self._learnt, None)  # all of them in one call
        for mine, theirs in self._counts:
            mine.copy_(theirs)
