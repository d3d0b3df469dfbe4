"""A network with several linear layers where its head was, written down in its own name: for files that were trained
elsewhere, where people replace the last layer by a few.

    resnet18-mlp-256           linear 256, then the classes, in place of the last layer
    vgg16-top-512-128          linear 512 and 128, then the classes, in place of the whole classifier

The activation between them is an option; dropout has no weights and is left out. The classes' own layer is not named.
Importing this imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

NAME = re.compile(r"([A-Za-z0-9_.-]+?)-(mlp|top)((?:-\d{1,5})+)")
MOST_LAYERS = 6
WIDEST = 8192  # units

Place = Literal["mlp", "top"]


@dataclass(frozen=True)
class DeepHead:
    """base: the network's name; place: "mlp" in place of its last layer, "top" of the whole sequence that ends in it;
    hidden: units of the layers before the last."""

    base: str
    place: Place
    hidden: tuple[int, ...]

    @property
    def name(self) -> str:
        return "-".join([self.base, self.place, *map(str, self.hidden)])

    def title(self, base: str) -> str:
        return ", ".join([base, *(f"linear {units}" for units in self.hidden)])


def parse(name: str) -> DeepHead | None:
    """What a name says; None where it is no such network's, or one that no computer should build."""
    match = NAME.fullmatch(name)
    if not match:
        return None
    base, place, units = match.groups()
    head = DeepHead(base, "mlp" if place == "mlp" else "top", tuple(map(int, units.removeprefix("-").split("-"))))
    modest = len(head.hidden) < MOST_LAYERS and all(1 <= width <= WIDEST for width in head.hidden)
    return head if modest and head.name == name else None


def place_name(model: nn.Module, place: Place) -> str:
    """The dotted name of what is replaced; "" where the last layer stands in no sequence."""
    from imgcls.models.layers import head_name

    last = head_name(model)
    if place == "mlp":
        return last
    sequence = last.rpartition(".")[0]
    nn = import_module("torch.nn")
    return sequence if sequence and isinstance(model.get_submodule(sequence), nn.Sequential) else ""


def inputs(model: nn.Module, name: str) -> int:
    """How many numbers reach what is replaced; 0 where it begins with no linear layer."""
    nn = import_module("torch.nn")
    layers = [layer for layer in model.get_submodule(name).modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return getattr(layers[0], "in_features", 0) if layers else 0  # a convolution has none


def build(
    head: DeepHead,
    base: Callable[..., nn.Module],
    channels: int,
    classes: int,
    image_size: int,
    *,
    activation: str = "relu",
) -> nn.Module:
    """`base`: builds the network, as ModelSpec's does. Raises ValueError where it has no such place."""
    nn = import_module("torch.nn")
    model = base(channels, classes, image_size)
    name = place_name(model, head.place)
    wide = inputs(model, name) if name else 0
    if not wide:
        raise ValueError(f"{head.base} has no {head.place} to replace")
    act = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[activation]
    layers = nn.Sequential()
    for units in head.hidden:
        layers.extend([nn.Linear(wide, units), act()])
        wide = units
    layers.append(nn.Linear(wide, classes))
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, layers)
    return model
