"""A plain chain of convolutions, pools and linear layers, written down in its own name: for files that were trained
elsewhere, and to train one's own.

    chain-20k5-m-50k5-m-500      conv 20@5x5, pool, conv 50@5x5, pool, linear 500, classes
    chain-32k3p1n-m-64k3p1n-g    padding 1, batch normalisation after each convolution; the mean of each map at the end

`<maps>k<kernel>` is a convolution, with `p<padding>`, `n` for a batch normalisation behind it and `o` where it has no
bias; `m` halves the sides, `g` takes the mean of each map, a number is a linear layer. The classes' own layer is not
named. Activation and pool are the options that LeNet has. Importing this imports no torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

PREFIX = "chain-"
CONVOLUTION = re.compile(r"(\d{1,4})k(\d{1,2})(?:p(\d))?(n?)(o?)")
MOST_LAYERS = 16
MOST_PARAMETERS = 50_000_000  # of the convolutions together; linear layers are bounded by WIDEST
WIDEST = 4096  # maps, or units


@dataclass(frozen=True)
class Convolution:
    maps: int
    kernel: int
    padding: int = 0
    normalised: bool = False
    bias: bool = True

    def __str__(self) -> str:
        padding = f"p{self.padding}" if self.padding else ""
        return f"{self.maps}k{self.kernel}{padding}{'n' * self.normalised}{'o' * (not self.bias)}"


@dataclass(frozen=True)
class ChainLayers:
    """features: convolutions, "m" and "g" in their order; hidden: units of the linear layers but the last."""

    features: tuple[Convolution | str, ...]
    hidden: tuple[int, ...]

    @property
    def name(self) -> str:
        return PREFIX + "-".join(map(str, (*self.features, *self.hidden)))

    @property
    def title(self) -> str:
        names = {"m": "pool", "g": "mean"}
        layers = [names[f] if isinstance(f, str) else f"conv {f.maps}@{f.kernel}×{f.kernel}" for f in self.features]
        return ", ".join([*layers, *map(str, self.hidden)])

    def side(self, image_size: int) -> int:
        """Of the last maps; 0 where the images are too small."""
        side = image_size
        for feature in self.features:
            if isinstance(feature, str):
                side = side // 2 if feature == "m" else min(side, 1)
            else:
                side += 2 * feature.padding - feature.kernel + 1
            if side < 1:
                return 0
        return side


def parse(name: str) -> ChainLayers | None:
    """What a name says; None where it is no chain's, or one that no computer should build."""
    if not name.startswith(PREFIX):
        return None
    features: list[Convolution | str] = []
    hidden: list[int] = []
    for token in name.removeprefix(PREFIX).split("-"):
        match = CONVOLUTION.fullmatch(token)
        if re.fullmatch(r"\d{1,4}", token):
            hidden.append(int(token))
        elif hidden or features[-1:] == ["g"]:
            return None
        elif token in ("m", "g") and features:
            features.append(token)
        elif match:
            maps, kernel, padding, normalised, bare = match.groups()
            features.append(Convolution(int(maps), int(kernel), int(padding or 0), bool(normalised), not bare))
        else:
            return None
    layers = ChainLayers(tuple(features), tuple(hidden))
    return layers if layers.name == name and _is_modest(layers) else None


def _is_modest(layers: ChainLayers) -> bool:
    convolutions = [f for f in layers.features if isinstance(f, Convolution)]
    widths = [3, *(c.maps for c in convolutions)]
    weights = sum(a * b * c.kernel**2 for a, b, c in zip(widths, widths[1:], convolutions, strict=False))
    sound = all(1 <= c.maps <= WIDEST and 1 <= c.kernel <= 15 and c.padding < c.kernel for c in convolutions)
    few = 1 <= len(convolutions) and len(layers.features) + len(layers.hidden) <= 2 * MOST_LAYERS
    return few and sound and weights <= MOST_PARAMETERS and all(1 <= n <= WIDEST for n in layers.hidden)


def smallest_side(layers: ChainLayers) -> int:
    """Of the images that leave it something to look at."""
    return next(side for side in range(1, 10_000) if layers.side(side))


def build(
    name: str, channels: int, classes: int, image_size: int, *, activation: str = "relu", pool: str = "max"
) -> nn.Module:
    """Tensors are called features.0.weight, ..., classifier.0.weight, ... in their order."""
    layers = parse(name)
    side = layers.side(image_size) if layers else 0
    if layers is None or not side:
        raise ValueError(f"{name} cannot take images of {image_size} pixels")
    nn = import_module("torch.nn")
    act = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[activation]
    features, maps = nn.Sequential(), channels
    for feature in layers.features:
        if feature == "m":
            features.append((nn.MaxPool2d if pool == "max" else nn.AvgPool2d)(2))
        elif feature == "g":
            features.append(nn.AdaptiveAvgPool2d(1))
        elif isinstance(feature, Convolution):
            features.append(nn.Conv2d(maps, feature.maps, feature.kernel, padding=feature.padding, bias=feature.bias))
            maps = feature.maps
            if feature.normalised:
                features.append(nn.BatchNorm2d(maps))
            features.append(act())
    classifier, wide = nn.Sequential(), maps * side * side
    for units in layers.hidden:
        classifier.extend([nn.Linear(wide, units), act()])
        wide = units
    classifier.append(nn.Linear(wide, classes))
    network = nn.Sequential()
    network.add_module("features", features)
    network.add_module("flatten", nn.Flatten())
    network.add_module("classifier", classifier)
    return network
