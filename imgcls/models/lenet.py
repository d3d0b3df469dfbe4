"""LeNet-5 as the course builds it, with ReLU; with tanh or sigmoid and average pooling as the paper and d2l build it.

Source: LeCun et al. 1998, figure 2. Knows nothing of data or training.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS = {"relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class LeNet(nn.Module):
    """conv 6@5x5, pool, conv 16@5x5, pool, 120-84-classes.

    Images of 28x28 get a padding of 2 and so act as the paper's 32x32. Other sizes are averaged to 5x5 before the
    first linear layer, which at 28 and 32 pixels changes nothing: tensor shapes are the same at every size.
    `init`: a name in init.INITS, applied here; `module.apply` from outside does the same. `widths`: channels of the
    two convolutions; some courses have 16 and 32. `activation`: a name in ACTIVATIONS; `pool`: "max" or "avg".
    """

    def __init__(
        self,
        channels: int = 1,
        classes: int = 10,
        *,
        image_size: int = 28,
        init: str = "default",
        widths: tuple[int, int] = (6, 16),
        activation: str = "relu",
        pool: str = "max",
    ) -> None:
        super().__init__()
        self.activation, self.pool = activation, pool
        self.conv1 = nn.Conv2d(channels, widths[0], kernel_size=5, padding=2 if image_size == 28 else 0)
        self.conv2 = nn.Conv2d(*widths, kernel_size=5)
        self.fc1 = nn.Linear(widths[1] * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)
        if init != "default":
            from imgcls.models.init import apply_init

            apply_init(self, init, activation=activation)

    def forward(self, images: Tensor) -> Tensor:
        """Float (N, channels, H, W), H and W at least 16 -> logits (N, classes)."""
        activation = ACTIVATIONS[self.activation]
        x = self._pooled(self.conv1(images))
        x = self._pooled(self.conv2(x))
        if x.shape[-2:] != (5, 5):
            x = F.adaptive_avg_pool2d(x, 5)
        x = activation(self.fc1(x.flatten(1)))
        return self.fc3(activation(self.fc2(x)))

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == "avg":
            return F.avg_pool2d(ACTIVATIONS[self.activation](x), 2)
        # A rising function after the pool gives the same values as before it, on a quarter of the elements.
        return ACTIVATIONS[self.activation](F.max_pool2d(x, 2))
