"""What goes into a network's last linear layers, beside its answer, from one forward pass."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor, nn

from imgcls.models import runtimes
from imgcls.models.forward import micro_batches
from imgcls.models.layers import head_of
from imgcls.workspace import Workspace

TINY = 1_000_000  # parameters: up to so many, all linear layers are looked at, not only the last
WIDEST = 1024  # values kept of the layers before the last


class FeatureExtractor:
    """`extractor(inputs)` runs the network. Any number of threads may do so at once: each sees its own activations.

    features: how many values go into the last layer (a convolution's are averaged over the image); width: of the
    activations that it returns.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model, self._local = model, threading.local()
        self._elsewhere: runtimes.Elsewhere | None = None
        self.bytes = 0  # that another program holds of it
        head = self._head = head_of(model)
        linear = isinstance(head, nn.Linear)
        self.features = head.in_features if linear else head.in_channels
        self.classes = head.out_features if linear else head.out_channels
        layers: list[nn.Module] = [head]
        self.width = self.features + self.classes
        for layer in reversed(_linear_layers(model, head)):
            if self.width - self.classes + layer.in_features > WIDEST:
                break
            self.width += layer.in_features
            layers.append(layer)
        self._head_alone = linear and layers == [head]  # nothing before the head is looked at
        for layer in layers:
            layer.register_forward_pre_hook(self._keep)

    def __deepcopy__(self, memo: dict[int, Any]) -> FeatureExtractor:
        return self  # a copy of the network brings its hooks along, and nobody keeps what passes through it

    def hasten(self, sample: Tensor, *, images: float) -> str:
        """Lets another program run what lies before the head where that is faster and says the same, with the threads
        that torch has now; the name of what runs it. sample: images as the network gets them, or noise of their form;
        images: how many are to be answered."""
        if not self._head_alone or sample.device.type != "cpu":
            return runtimes.TORCH
        choice = runtimes.fastest(self.model, sample, images=images, folder=Workspace.from_environment().cache)
        if isinstance(choice.run, runtimes.Elsewhere):
            self._elsewhere, self.bytes = choice.run, choice.bytes
        return choice.name

    def _keep(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if getattr(self._local, "activations", None) is not None:
            value = inputs[0]
            self._local.activations.append(value.mean(dim=(2, 3)) if value.dim() == 4 else value.flatten(1))

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(logits (N, C), activations (N, width)): what goes into the last linear layers, in their order, and
        then the logits: LeNet's 400, 120, 84 and C."""
        outputs = [self._both(chunk) for chunk in micro_batches(self.model, inputs)]
        if len(outputs) == 1:
            return outputs[0]
        logits, activations = zip(*outputs, strict=True)
        return torch.cat(logits), torch.cat(activations)

    def _both(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        self._local.activations = []
        try:
            elsewhere = self._elsewhere
            if elsewhere is not None and elsewhere.threads == torch.get_num_threads() and not torch.is_grad_enabled():
                logits = self._head(elsewhere(inputs))
            else:
                logits = self.model(inputs)
            return logits, torch.cat([*self._local.activations, logits], dim=1)
        finally:
            self._local.activations = None


def features_of(activations: Tensor, features: int, classes: int) -> Tensor:
    """The part of the activations that goes into the last layer."""
    return activations[:, -(classes + features) : -classes]


def _linear_layers(model: nn.Module, head: nn.Module) -> list[nn.Linear]:
    if sum(parameter.numel() for parameter in model.parameters()) > TINY:
        return []
    return [module for module in model.modules() if isinstance(module, nn.Linear) and module is not head]
