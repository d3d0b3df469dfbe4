"""AlexNet, torchvision's, for any number of channels and images from 32 pixels up.

Source: Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks".
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from imgcls.models.torchvision_check import torchvision

SMALLEST = 63  # below it the third pool has nothing left to pool


class AlexNet(nn.Module):
    """torchvision's layers under torchvision's names: features.N, avgpool, classifier.N.

    Images smaller than 63 pixels are enlarged to 63 first; larger ones are left alone, so at 224 the output is
    torchvision's bit for bit.
    """

    def __init__(self, channels: int = 3, classes: int = 1000, *, half: bool = False) -> None:
        super().__init__()
        alexnet = torchvision().models.AlexNet(num_classes=classes)
        self.features, self.avgpool, self.classifier = alexnet.features, alexnet.avgpool, alexnet.classifier
        if half:
            self._halve(channels, classes)
        elif channels != 3:
            self.features[0] = nn.Conv2d(channels, 64, kernel_size=11, stride=4, padding=2)

    def _halve(self, channels: int, classes: int) -> None:
        """One of the paper's two halves, as many courses have it: 48 to 192 channels, linear layers of 2,048."""
        self.features[0] = nn.Conv2d(channels, 48, kernel_size=11, stride=4, padding=2)
        self.features[3] = nn.Conv2d(48, 128, kernel_size=5, padding=2)
        for index, (inputs, outputs) in {6: (128, 192), 8: (192, 192), 10: (192, 128)}.items():
            self.features[index] = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)
        for index, (inputs, outputs) in {1: (128 * 36, 2048), 4: (2048, 2048), 6: (2048, classes)}.items():
            self.classifier[index] = nn.Linear(inputs, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Float (N, channels, H, W) -> logits (N, classes)."""
        if min(images.shape[-2:]) < SMALLEST:
            images = F.interpolate(images, (SMALLEST, SMALLEST), mode="bilinear", align_corners=False)
        return self.classifier(self.avgpool(self.features(images)).flatten(1))
