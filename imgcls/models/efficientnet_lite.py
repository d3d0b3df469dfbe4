"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation, ReLU6 for Swish, for devices without a GPU.

4.7 million parameters, 0.4 billion multiplications at 224 pixels: a third of what ResNet18 takes. Tensor names are
timm's (`tf_efficientnet_lite0`), so that weights travel both ways.

Source: Tan & Le 2019, table 1; Google's EfficientNet-lite, 2020.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (kernel, stride of the first block, factor of expansion, channels, blocks)
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, FEATURES = 32, 1280
EARLIER = STAGES[-2][3]  # channels of the last stage but one
LENGTH = 10.0  # of the features of each depth, near what the deepest have by themselves
DROPOUT = 0.2
EPSILON = 1e-3  # of BatchNorm, as TensorFlow has it: PyTorch's 1e-5 changes the features


class SameConv2d(nn.Conv2d):
    """TensorFlow's padding "SAME": an odd pixel too many goes to the right and below.

    With stride 2 and an even side that is another grid than PyTorch's symmetric padding, and the weights learnt on it.
    """

    def forward(self, images: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(images, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        height, width = (_missing(side, kernel, stride) for side in images.shape[-2:])
        padded = F.pad(images, (width // 2, width - width // 2, height // 2, height - height // 2))
        return F.conv2d(padded, self.weight, self.bias, stride, 0, 1, self.groups)


def _missing(side: int, kernel: int, stride: int) -> int:
    """Pixels to add so that ceil(side / stride) places come out."""
    return max((-(-side // stride) - 1) * stride + kernel - side, 0)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON)


def _pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=False)


class DepthwiseSeparable(nn.Module):
    """The first stage's block: depthwise, then 1x1; no expansion, no shortcut."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(inputs, inputs, kernel, stride, groups=inputs, bias=False)
        self.bn1 = _norm(inputs)
        self.conv_pw = _pointwise(inputs, outputs)
        self.bn2 = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))


class InvertedResidual(nn.Module):
    """1x1 up, depthwise, 1x1 down, and the input added where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, factor: int) -> None:
        super().__init__()
        inner = inputs * factor
        self.conv_pw = _pointwise(inputs, inner)
        self.bn1 = _norm(inner)
        self.conv_dw = SameConv2d(inner, inner, kernel, stride, groups=inner, bias=False)
        self.bn2 = _norm(inner)
        self.conv_pwl = _pointwise(inner, outputs)
        self.bn3 = _norm(outputs)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.bn1(self.conv_pw(x)))
        y = F.relu6(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(y))
        return y + x if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """conv_stem, blocks.STAGE.BLOCK, conv_head, classifier. Float (N, channels, H, W) -> logits (N, classes)."""

    def __init__(self, channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(channels, STEM, 3, 2, bias=False)
        self.bn1 = _norm(STEM)
        self.blocks = nn.Sequential()
        inputs = STEM
        for kernel, stride, factor, outputs, count in STAGES:
            stage = nn.Sequential()
            for i in range(count):
                steps = stride if i == 0 else 1
                if factor == 1:
                    stage.append(DepthwiseSeparable(inputs, outputs, kernel, steps))
                else:
                    stage.append(InvertedResidual(inputs, outputs, kernel, steps, factor))
                inputs = outputs
            self.blocks.append(stage)
        self.conv_head = _pointwise(inputs, FEATURES)
        self.bn2 = _norm(FEATURES)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(FEATURES, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # Source: He et al. 2015, eq. 14, over a group's outputs
                fan_out = module.kernel_size[0] ** 2 * module.out_channels // module.groups
                nn.init.normal_(module.weight, 0, (2 / fan_out) ** 0.5)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu6(self.bn1(self.conv_stem(images)))
        x = F.relu6(self.bn2(self.conv_head(self.blocks(x))))
        return self.classifier(self.dropout(x.mean(dim=(2, 3))))


class JoinedEfficientNetLite0(EfficientNetLite0):
    """The same, but its last layer sees the features of two depths: those that it always saw, and those of the last
    stage but one, which are less of ImageNet's own classes. Each depth's are centred and brought to one length.

    Source: Evci et al. 2022, Head2Toe: a linear layer over several depths instead of fine-tuning.
    """

    def __init__(self, channels: int = 3, classes: int = 1000) -> None:
        super().__init__(channels, classes)
        self.classifier = nn.Linear(EARLIER + FEATURES, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu6(self.bn1(self.conv_stem(images)))
        *stages, last = self.blocks
        for stage in stages:
            x = stage(x)
        y = F.relu6(self.bn2(self.conv_head(last(x))))
        features = torch.cat([_of_one_length(x.mean(dim=(2, 3))), _of_one_length(y.mean(dim=(2, 3)))], dim=1)
        return self.classifier(self.dropout(features))


def _of_one_length(features: Tensor) -> Tensor:
    return LENGTH * F.normalize(features - features.mean(dim=1, keepdim=True), dim=1)
