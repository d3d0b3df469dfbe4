"""Tensors as others save them -> those of a network alone, in layers as this lab writes them.

A loss, a metric or a counter may lie beside the network; a linear layer may have no bias, which is a bias of zero; a
batch normalisation may have no weights, which are ones, and one behind a linear layer is a part of it once it is
learnt. Nothing of it changes an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

NETWORK = 0.9  # of a file's numbers: so many lie in the network
EPSILON = 1e-5  # of a batch normalisation, as PyTorch has it unless it is told otherwise


def network_alone(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what lies beside: names without a dot beside names with some, then everything but the one module that
    holds nearly all numbers."""
    dotted = {name: tensor for name, tensor in state.items() if "." in name}
    sizes: dict[str, int] = {}
    for name, tensor in dotted.items():
        module = name.partition(".")[0]
        sizes[module] = sizes.get(module, 0) + tensor.numel()
    if not sizes:
        return state
    module = max(sizes, key=sizes.__getitem__)
    inside = {name.partition(".")[2]: t for name, t in dotted.items() if name.partition(".")[0] == module}
    alone = sizes[module] > NETWORK * sum(sizes.values()) and all("." in name for name in inside)
    return inside if alone and len(sizes) < len(dotted) else dotted


def by_layer(named: Mapping[str, T]) -> dict[str, dict[str, T]]:
    """{"conv1.weight": ...} -> {"conv1": {"weight": ...}}, in the same order."""
    layers: dict[str, dict[str, T]] = {}
    for name, value in named.items():
        layer, _, kind = name.rpartition(".")
        layers.setdefault(layer, {})[kind] = value
    return layers


def plain_layers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every linear layer with a bias, every batch normalisation with weights, none behind a linear layer."""
    layers = by_layer(state)
    plain: dict[str, dict[str, Tensor]] = {}
    before = ""
    for layer, tensors in layers.items():
        weight, mean = tensors.get("weight"), tensors.get("running_mean")
        if weight is not None and weight.dim() == 2 and "bias" not in tensors:
            tensors = {**tensors, "bias": weight.new_zeros(len(weight))}
        elif mean is not None and "running_var" in tensors:
            tensors = {"weight": torch.ones_like(mean), "bias": torch.zeros_like(mean), **tensors}
            if before and _takes(plain[before], mean):
                plain[before] = _joined(plain[before], tensors)
                continue
        plain[layer] = tensors
        before = layer
    return {f"{layer}.{what}": tensor for layer, tensors in plain.items() for what, tensor in tensors.items()}


def _takes(linear: dict[str, Tensor], mean: Tensor) -> bool:
    weight = linear.get("weight")
    return weight is not None and weight.dim() == 2 and weight.shape[:1] == mean.shape and "bias" in linear


def _joined(linear: dict[str, Tensor], norm: dict[str, Tensor]) -> dict[str, Tensor]:
    """A linear layer that answers as it and the normalisation behind it do."""
    exact = {what: tensor.double() for what, tensor in {**norm, "linear": linear["weight"]}.items()}
    scale = exact["weight"] * (exact["running_var"] + EPSILON).rsqrt()
    bias = (linear["bias"].double() - exact["running_mean"]) * scale + exact["bias"]
    return {"weight": (exact["linear"] * scale[:, None]).float(), "bias": bias.float()}
