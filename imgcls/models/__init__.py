"""The networks, by name. Importing this imports neither torch nor torchvision; building one does.

Tensor names are each network's own (AlexNet and ResNet18 exactly as torchvision names them), so that weights travel
both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def _lenet(channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.lenet").LeNet(channels, classes, image_size=image_size)


def _alexnet(channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.alexnet").AlexNet(channels, classes)


def _resnet18(channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.resnet").resnet18(channels, classes)


MODELS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "lenet": _lenet,
    "alexnet": _alexnet,
    "resnet18": _resnet18,
}


def build(name: str, *, channels: int, classes: int, image_size: int, init: str = "default") -> nn.Module:
    """A new network on the CPU. `init` is a name in init.INITS; random numbers come from torch's global generator."""
    model = MODELS[name](channels, classes, image_size)
    if init != "default":
        import_module("imgcls.models.init").apply_init(model, init)
    return model
