"""What a LeNet's units do on many images: which never answer at all, and which images excite each map most.

Source of the question: dead units of ReLU networks; of the pictures: Zeiler and Fergus 2014, figure 2.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from imgcls.inference.predictor import Predictor

IMAGES_PER_MAP = 8  # images a map
IMAGES = 2000  # that are looked at
BATCH = 250
LAYERS = ("conv1", "conv2", "fc1", "fc2")  # each is followed by a ReLU
CONVOLUTIONS = ("conv1", "conv2")


@torch.inference_mode()
def units_of(predictor: Predictor, stored: Tensor) -> dict[str, Tensor]:
    """`stored`: uint8 (N, C, S, S), as many as IMAGES are looked at.

    dead.LAYER: uint8 (units,), 1 where a unit is 0 on all of them. top.LAYER: int64 (maps, IMAGES_PER_MAP), indices
    into `images`, most exciting first; -1 where nothing excites. images: uint8 (M, S, S), the first channel.
    Other threads may run the same network meanwhile: what passes through it for them is not looked at.
    """
    ours = threading.get_ident()
    stored = stored[:: max(1, len(stored) // IMAGES)][:IMAGES]
    strongest: dict[str, list[Tensor]] = {layer: [] for layer in LAYERS}

    def kept(layer: str):
        def hook(module: torch.nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            if threading.get_ident() == ours:
                strongest[layer].append(output.flatten(2).amax(2) if output.dim() > 2 else output)

        return hook

    hooks = [getattr(predictor.model, layer).register_forward_hook(kept(layer)) for layer in LAYERS]
    try:
        for batch in stored.split(BATCH):
            predictor.run(predictor.meta.preprocess.to_input(batch))
    finally:
        for hook in hooks:
            hook.remove()
    made, wanted = {}, {}
    for layer in LAYERS:
        answers = torch.cat(strongest[layer])  # (N, units), before the ReLU
        made[f"dead.{layer}"] = (answers.amax(0) <= 0).to(torch.uint8)
        if layer in CONVOLUTIONS:
            values, indices = answers.topk(min(IMAGES_PER_MAP, len(answers)), dim=0)
            wanted[layer] = torch.where(values > 0, indices, -1).T
    every = torch.cat([indices.flatten() for indices in wanted.values()]).unique()
    every = every[every >= 0]
    place = torch.full((len(stored),), -1).scatter(0, every, torch.arange(len(every)))
    for layer, indices in wanted.items():
        made[f"top.{layer}"] = torch.where(indices >= 0, place[indices], -1).contiguous()
    return made | {"images": stored[every, 0].contiguous()}
