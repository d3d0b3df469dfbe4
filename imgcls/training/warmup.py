"""What the first step of any run would otherwise be the first to set up, done beforehand: torch's kernels, and its
tracer, which draws the network for TensorBoard."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F

from imgcls.models import build
from imgcls.optimizers import torch_optimizer

IMAGES = 8


def warm_up() -> None:
    """One step of a small network that is thrown away. Torch's random state is afterwards what it was."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks on shapes
        network = build("lenet", channels=1, classes=10, image_size=28)
        network.to(memory_format=torch.channels_last)
        optimizer = torch_optimizer("SGD")(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, fused=True)
        images = torch.zeros(IMAGES, 1, 28, 28)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(images), torch.zeros(IMAGES, dtype=torch.int64)).backward()
        optimizer.step()
        torch.jit.trace(network.eval(), images[:1])
