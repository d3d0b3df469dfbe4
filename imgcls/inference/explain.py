"""What one picture excites in a network, stage by stage: where it looks for a class (LayerCAM), and the strongest maps.

A stage is what the network's row calls one (models/layers.py); of each, the last layer whose output still has places.
Source: Jiang et al. 2021, LayerCAM, eq. 4 and 5: each place of a map counts by its value times how much the class would
gain by it; what speaks against the class is left out.

And what a LeNet's units do on many images: which never answer at all (dead units of ReLU networks), and which images
excite each map most (Zeiler and Fergus 2014, figure 2).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from imgcls.models import layers

if TYPE_CHECKING:
    from imgcls.inference.predictor import Predictor


IMAGES_PER_MAP = 8  # images a map
IMAGES = 2000  # that are looked at
BATCH = 250
LAYERS = ("conv1", "conv2", "fc1", "fc2")  # each is followed by its activation
CONVOLUTIONS = ("conv1", "conv2")


@torch.inference_mode()
def units_of(predictor: Predictor, stored: Tensor) -> dict[str, Tensor]:
    """`stored`: uint8 (N, C, S, S), as many as IMAGES are looked at.

    dead.LAYER: uint8 (units,), 1 where a unit is 0 on all of them, as only ReLU makes it. top.LAYER: int64
    (maps, IMAGES_PER_MAP), indices into `images`, most exciting first; -1 where nothing excites. images: uint8
    (M, S, S), the first channel.
    Other threads may run the same network meanwhile: what passes through it for them is not looked at.
    """
    ours = threading.get_ident()
    stored = stored[:: max(1, len(stored) // IMAGES)][:IMAGES]
    strongest: dict[str, list[Tensor]] = {layer: [] for layer in LAYERS}

    def watch_layer(layer: str):
        def hook(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if threading.get_ident() == ours:
                strongest[layer].append(output.flatten(2).amax(2) if output.dim() > 2 else output)

        return hook

    hooks = [getattr(predictor.model, layer).register_forward_hook(watch_layer(layer)) for layer in LAYERS]
    try:
        for batch in stored.split(BATCH):
            predictor.run(predictor.meta.preprocess.to_input(batch))
    finally:
        for hook in hooks:
            hook.remove()
    figures, top_images = {}, {}
    silences = predictor.meta.options.get("activation", "relu") == "relu"
    for layer in LAYERS:
        answers = torch.cat(strongest[layer])  # (N, units), before the activation
        figures[f"dead.{layer}"] = ((answers.amax(0) <= 0) & silences).to(torch.uint8)
        if layer in CONVOLUTIONS:
            values, indices = answers.topk(min(IMAGES_PER_MAP, len(answers)), dim=0)
            top_images[layer] = torch.where(values > 0, indices, -1).T
    every = torch.cat([indices.flatten() for indices in top_images.values()]).unique()
    every = every[every >= 0]
    position = torch.full((len(stored),), -1).scatter(0, every, torch.arange(len(every)))
    for layer, indices in top_images.items():
        figures[f"top.{layer}"] = torch.where(indices >= 0, position[indices], -1).contiguous()
    return figures | {"images": stored[every, 0].contiguous()}


MAPS = 16  # of each stage

OnOutput = Callable[[str, Tensor], None]


def stage_layers(model: nn.Module, inputs: Tensor) -> list[str]:
    """Dotted names, from the input up, as `inputs` (1, C, S, S) go through. None for a transformer: its one
    convolution cuts the picture into patches."""
    if not layers.cam_layer(model):
        return []
    below_head = layers.stages(model)[1:]
    stage_of = {layer: number for number, stage in enumerate(reversed(below_head)) for layer in stage}
    layer_of_stage: dict[int, str] = {}

    def note_layer(name: str, output: Tensor) -> None:
        inside = [stage for stage in stage_of if layers.within(name, [stage])]
        if not inside or output.dim() != 4 or output.shape[-1] == 1:
            return
        number = stage_of[max(inside, key=len)]
        # AlexNet's `features` is the first stage's and holds the second's layers: what runs after those is not its.
        if number >= max(layer_of_stage, default=0):
            layer_of_stage[number] = name

    with _watched(model, [name for name, _ in model.named_modules() if name], note_layer), torch.no_grad():
        model(inputs)
    return [layer_of_stage[number] for number in sorted(layer_of_stage)]


def layer_cam(model: nn.Module, inputs: Tensor, target: int, names: Sequence[str]) -> list[Tensor]:
    """inputs: float (1, C, S, S), normalised. A heat map float (h, w) in 0..1 of class `target` for each layer."""
    outputs: dict[str, Tensor] = {}  # where a ReLU in place follows, after it, which makes no difference
    with torch.inference_mode(False), torch.enable_grad(), _watched(model, names, outputs.__setitem__):
        logits = model(inputs.clone().requires_grad_())
        gradients = torch.autograd.grad(logits[0, target], [outputs[name] for name in names])
    heats = [(g.relu() * outputs[name].detach()).sum(dim=1).relu()[0] for name, g in zip(names, gradients, strict=True)]
    return [_scaled(heat) for heat in heats]


def strongest_maps(
    model: nn.Module, inputs: Tensor, names: Sequence[str], *, count: int = MAPS
) -> list[tuple[list[int], Tensor, int]]:
    """For each layer the `count` maps of the highest mean after a ReLU, strongest first: (their numbers, float (count,
    h, w) in 0..1, by the largest value of the layer's maps; how many maps it has)."""
    outputs: dict[str, Tensor] = {}
    with torch.no_grad(), _watched(model, names, outputs.__setitem__):
        model(inputs)
    strongest = []
    for name in names:
        maps = outputs[name][0].relu()
        chosen = maps.mean(dim=(1, 2)).topk(min(count, len(maps))).indices
        strongest.append((chosen.tolist(), _scaled(maps)[chosen], len(maps)))
    return strongest


def _scaled(values: Tensor) -> Tensor:
    return values / values.max().clamp(min=torch.finfo(values.dtype).tiny)


@contextmanager
def _watched(model: nn.Module, names: Sequence[str], on_output: OnOutput) -> Iterator[None]:
    """`on_output` is told each layer's output while the block lasts. Other threads may run the same network meanwhile:
    what passes through it for them is not looked at."""
    ours = threading.get_ident()

    def hook_of(name: str):
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
            if threading.get_ident() == ours and isinstance(output, Tensor):
                on_output(name, output)

        return hook

    hooks = [model.get_submodule(name).register_forward_hook(hook_of(name)) for name in names]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
