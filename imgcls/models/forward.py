"""A network's forward pass over a batch, a few images at a time where that is faster."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def in_micro_batches(network: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """network(inputs) of a network that is not trained, as many images at a time as `micro_batches` says."""
    chunks = micro_batches(network, inputs)
    return network(inputs) if len(chunks) == 1 else torch.cat([network(chunk) for chunk in chunks])


def micro_batches(network: Callable[..., Tensor], inputs: Tensor) -> tuple[Tensor, ...]:
    """The batch as it goes forward fastest: on a processor as many images at a time as the network's row says, because
    what a layer hands on to the next is then still in the cache. A network without a row gets all of them at once."""
    spec = getattr(network, "spec", None)
    if spec is None or inputs.device.type != "cpu":
        return (inputs,)
    return inputs.split(max(spec.micro_batch, spec.micro_batch * 160**2 // inputs.shape[-1] ** 2))
