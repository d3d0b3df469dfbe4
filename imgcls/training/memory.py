"""About how much memory a training takes, before anything is allocated: the network is run on the meta device."""

from __future__ import annotations

from functools import lru_cache

import torch

from imgcls.models import build
from imgcls.optimizers import OPTIMIZERS
from imgcls.recipes import preprocess_for
from imgcls.settings import TrainSettings

IMAGENET_CLASSES = 1000  # as many as ImageNet has: the head's share is then not too small


def training_bytes(settings: TrainSettings) -> int:
    """Parameters, gradients, the optimizer's state and the best weights, and what a batch's backward pass needs."""
    preprocess = preprocess_for(settings)
    parameters, activations = _network_bytes(settings.model, preprocess.channels, preprocess.size)
    if settings.transfer == "head":  # only the head has gradients, and nothing before it is kept
        return 2 * parameters
    return parameters * (3 + OPTIMIZERS[settings.optimizer].state_copies) + activations * settings.batch_size


@lru_cache(maxsize=256)
def _network_bytes(model: str, channels: int, size: int) -> tuple[int, int]:
    """(of the parameters, of what the backward pass of one image needs)."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape[:1] == images.shape[:1]:  # what belongs to the batch, and not the weights
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.device("meta"):
        network = build(model, channels=channels, classes=IMAGENET_CLASSES, image_size=size).train()
        images = torch.empty(2, channels, size, size)  # two: BatchNorm takes no single one
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            logits = network(images)  # held until the sums are made: a freed storage's number is given again
    del logits
    return sum(p.nbytes for p in network.parameters()), sum(kept.values()) // len(images)
