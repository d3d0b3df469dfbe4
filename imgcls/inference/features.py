"""What goes into a network's last linear layers, beside its answer, from one forward pass."""

from __future__ import annotations

import threading

import torch
from torch import Tensor, nn

from imgcls.models.forward import parts
from imgcls.models.layers import head_of

TINY = 1_000_000  # parameters: up to so many, all linear layers are looked at, not only the last
WIDEST = 1024  # values kept of the layers before the last


class Tap:
    """`tap(inputs)` runs the network. Any number of threads may do so at once: each sees its own activations.

    features: how many values go into the last layer (a convolution's are averaged over the image); width: of a trail.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model, self._given = model, threading.local()
        head = head_of(model)
        linear = isinstance(head, nn.Linear)
        self.features = head.in_features if linear else head.in_channels
        self.classes = head.out_features if linear else head.out_channels
        kept: list[nn.Module] = [head]
        self.width = self.features + self.classes
        for layer in reversed(_linear_layers(model, head)):
            if self.width - self.classes + layer.in_features > WIDEST:
                break
            self.width += layer.in_features
            kept.append(layer)
        for layer in kept:
            layer.register_forward_pre_hook(self._keep)

    def _keep(self, layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        if getattr(self._given, "trail", None) is not None:
            value = given[0]
            self._given.trail.append(value.mean(dim=(2, 3)) if value.dim() == 4 else value.flatten(1))

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(logits (N, C), trail (N, width)). The trail is what goes into the last linear layers, in their order, and
        then the logits: LeNet's 400, 120, 84 and C."""
        made = [self._both(part) for part in parts(self.model, inputs)]
        if len(made) == 1:
            return made[0]
        logits, trails = zip(*made, strict=True)
        return torch.cat(logits), torch.cat(trails)

    def _both(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        self._given.trail = []
        try:
            logits = self.model(inputs)
            return logits, torch.cat([*self._given.trail, logits], dim=1)
        finally:
            self._given.trail = None


def features_of(trail: Tensor, features: int, classes: int) -> Tensor:
    """The part of a trail that goes into the last layer."""
    return trail[:, -(classes + features) : -classes]


def _linear_layers(model: nn.Module, head: nn.Module) -> list[nn.Linear]:
    if sum(parameter.numel() for parameter in model.parameters()) > TINY:
        return []
    return [module for module in model.modules() if isinstance(module, nn.Linear) and module is not head]
