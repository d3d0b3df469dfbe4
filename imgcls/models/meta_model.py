"""A network without memory: its layers, names and shapes, whatever size they claim, in milliseconds.

What a file declares can so be compared with what the network would be before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from imgcls.models.registry import build

SMALL = 15_000_000  # weights that are made in memory within 0.2 s


class _ShapesOnly(TorchFunctionMode):
    """Layers ask torch.empty for their weights; small tables that are computed stay real."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is torch.empty:
            kwargs = {**kwargs, "device": "meta"}
        return function(*args, **kwargs)


def meta_model(
    name: str, *, channels: int, classes: int, image_size: int, options: Mapping[str, str] | None = None
) -> nn.Module:
    """The network with weights that have a shape and no values: `load_state_dict(..., assign=True)` gives it some."""
    with _ShapesOnly():
        return build(name, channels=channels, classes=classes, image_size=image_size, options=options)


def to_try(
    name: str, *, channels: int, classes: int, image_size: int, options: Mapping[str, str] | None = None
) -> tuple[nn.Module, torch.device]:
    """(the network, the device of an image that may go through it): the least that shows what its layers hand on.

    Without memory where it is large. A small one lies in memory: torch's own inference of shapes (meta) first imports
    a symbolic algebra and its compiler, 1.3 s of a processor (torch 2.14). Torch's random state is left as it was.
    """
    new_network = partial(build, name, channels=channels, classes=classes, image_size=image_size, options=options)
    try:
        with torch.device("meta"):
            network = new_network()
        if sum(parameter.numel() for parameter in network.parameters()) > SMALL:
            return network, torch.device("meta")
    except (RuntimeError, NotImplementedError):  # a network that reads its own numbers while it is built
        pass
    with torch.random.fork_rng(devices=[]):
        return new_network(), torch.device("cpu")


def misfit(model: nn.Module, shapes: dict[str, tuple[int, ...]]) -> tuple[str, str, str] | None:
    """The first tensor by which a file of these shapes is not this network's: (its name, what the file has, what the
    network has), "" where there is none."""
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, shape in own.items():
        if shapes.get(name) != shape:
            return name, _said(shapes.get(name)), _said(shape)
    extra = next((name for name in shapes if name not in own), None)
    return None if extra is None else (extra, _said(shapes[extra]), "")


def _said(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return ""
    return "×".join(map(str, shape)) or "1"
