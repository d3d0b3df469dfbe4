"""torchvision's classification networks, for any number of channels, classes and pixels."""

from __future__ import annotations

from typing import Any

from torch import nn

from imgcls.models.layers import convolution_like, first_convolution, replace
from imgcls.models.torchvision_check import torchvision


def build(name: str, channels: int, classes: int, image_size: int) -> nn.Module:
    """torchvision's own module, not pre-trained; with another number of channels its first convolution is new."""
    options: dict[str, Any] = {}
    if name.startswith("vit"):
        options = {"image_size": image_size}
    elif name.startswith("maxvit"):
        options = {"input_size": (image_size, image_size)}
    elif name in ("googlenet", "inception_v3"):  # the side exits only help very long trainings
        options = {"aux_logits": False, "init_weights": True, "transform_input": False}
    models = torchvision().models
    model = models.get_model(name, weights=None, num_classes=classes, **options)
    if channels != 3:
        where, old = first_convolution(model)
        new = convolution_like(old, channels=channels, classes=old.out_channels)
        nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
        if new.bias is not None:
            nn.init.zeros_(new.bias)
        replace(model, where, new)
    return model


def resnet18_small(channels: int, classes: int) -> nn.Module:
    """ResNet18 as CIFAR's trainings build it: a first convolution of 3x3 without a stride, and no pool behind it."""
    model = build("resnet18", 3, classes, 32)
    model.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()
    return model
