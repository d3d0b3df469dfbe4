"""ResNet18, torchvision's own, for any number of channels.

Source: He et al. 2016, table 1.
"""

from __future__ import annotations

from torch import nn

from imgcls.models.torchvision_check import torchvision


def resnet18(channels: int = 3, classes: int = 1000) -> nn.Module:
    """torchvision's module; with another number of channels its first convolution is replaced."""
    model = torchvision().models.resnet18(num_classes=classes)
    if channels != 3:
        model.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    return model
