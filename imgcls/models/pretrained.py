"""Pre-trained weights: found in weight/, fetched when there is a network, read without ever executing a pickle.

Both ways of the course are here and give identical networks: load, then replace the head; or replace the head, then
drop the head's tensors before loading. Knows nothing of data or training.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcls.errors import WeightsError
from imgcls.messages import Message
from imgcls.models.download import check_reachable, fetch_weights, no_weights
from imgcls.models.layers import first_convolution, head_name
from imgcls.models.meta_model import meta_model
from imgcls.models.registry import ModelSpec, build, model_spec
from imgcls.models.torchvision_check import torchvision
from imgcls.models.transfer import replace_head
from imgcls.models.weight_files import read_state
from imgcls.progress import Progress
from imgcls.workspace import PROJECT, weight_files

SHIPPED = PROJECT / "weight"
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # side exits that only training from scratch uses


def resolve_weights(
    weights: str, *, model: str, folder: Path, download: bool = True, progress: Progress | None = None
) -> Path:
    """A file name in `folder`, one that ships, a path, or "imagenet": wherever those weights are or can be had from.

    "imagenet" is looked for in `folder`, among what ships and in torch's own cache, then fetched into `folder`.
    """
    if weights != "imagenet":
        for path in (folder / weights, SHIPPED / weights, Path(os.path.expanduser(weights))):
            if os.path.isfile(path):
                return path
        there = ", ".join(sorted(p.name for p in weight_files(folder))) or "nothing"
        raise WeightsError(
            "There are no weights '{wanted}': {folder} holds {there}; put the file there.",
            wanted=weights,
            folder=folder,
            there=there,
        )
    spec = model_spec(model)
    path = local_weights(spec, folder)
    if path is not None:
        return path
    if download and spec.weights:
        return fetch_weights(spec, folder, progress=progress)
    raise no_weights(spec, folder)


def check_weights(weights: str, *, model: str, folder: Path) -> None:
    """What can be said before a run is made. Raises WeightsError; fetches nothing that a network may still bring."""
    spec = model_spec(model)
    if weights == "imagenet" and spec.weights and local_weights(spec, folder) is None:
        check_reachable(spec, folder)
    else:
        read_state(resolve_weights(weights, model=model, folder=folder, download=False))


def local_weights(spec: ModelSpec, folder: Path) -> Path | None:
    """The network's ImageNet weights on this computer, None where they are not there."""
    names = [*spec.weights, *([f"{spec.name}.safetensors"] if spec.mirror else [])]
    folders = [folder, SHIPPED, Path(torch.hub.get_dir()) / "checkpoints"]
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def load_pretrained(
    name: str,
    path: Path,
    *,
    channels: int,
    classes: int,
    image_size: int,
    init: str = "default",
    options: Mapping[str, str] | None = None,
) -> nn.Module:
    """The network with the file's backbone and a new head for `classes`, the head drawn by `init`."""
    shape = {"channels": channels, "classes": classes, "image_size": image_size}
    if model_spec(name).new_head:
        return replace_head_then_load(name, path, **shape, init=init)
    return load_then_replace_head(name, path, **shape, init=init, options=options)


def load_then_replace_head(
    name: str,
    path: Path,
    *,
    channels: int = 3,
    classes: int,
    image_size: int = 224,
    init: str = "default",
    options: Mapping[str, str] | None = None,
) -> nn.Module:
    """The course's first way: a network with the file's own head, load everything, then a new head."""
    state = read_state(path)
    head = head_name(meta_model(name, channels=channels, classes=1, image_size=image_size)) + ".weight"
    _need(head in state and state[head].ndim > 1, name, path, Message("it has no tensor '{key}'", key=head))
    own = state[head].shape[0]
    model = build(name, channels=channels, classes=own, image_size=image_size, options=options)
    load_state(model, state, path, name)
    return _new_head(model, classes, init)


def replace_head_then_load(
    name: str, path: Path, *, channels: int = 3, classes: int, image_size: int = 224, init: str = "default"
) -> nn.Module:
    """The course's second way: a new head first, and the file's head dropped before the rest is loaded."""
    state = read_state(path)
    model = build(name, channels=channels, classes=classes, image_size=image_size)
    _new_head(model, classes, init)
    head = head_name(model) + "."
    load_state(model, {k: v for k, v in state.items() if not k.startswith(head)}, path, name, but=head)
    return model


def _new_head(model: nn.Module, classes: int, init: str) -> nn.Module:
    """Drawn from torch's seed alone, not from where its generator has got to: both ways give the same head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch.initial_seed())
        head = replace_head(model, classes)
        if init != "default":
            from imgcls.models.init import apply_init

            apply_init(head, init)
    return model


def load_state(model: nn.Module, state: dict[str, Tensor], path: Path, name: str, *, but: str = "") -> None:
    """Load every tensor but those that start with `but`; WeightsError names the first that does not fit."""
    first = first_convolution(model)[0] + ".weight"
    own = model.state_dict()
    state = {key: tensor for key, tensor in state.items() if key in own or not key.startswith(AUXILIARY)}
    if first in state and state[first].ndim == 4 and own[first].shape[1] == 1 and state[first].shape[1] == 3:
        # A grey image is the same in all three colours: their weights add up.
        state = state | {first: state[first].sum(dim=1, keepdim=True)}
    state = _at_this_size(model, state)
    for key, tensor in own.items():
        if (but and key.startswith(but)) or key.endswith("num_batches_tracked"):
            continue
        _need(key in state, name, path, Message("it has no tensor '{key}'", key=key))
        if state[key].shape != tensor.shape:
            shapes = {"there": tuple(state[key].shape), "here": tuple(tensor.shape)}
            if key.startswith(head_name(model) + "."):
                raise WeightsError(
                    "{file} does not fit {model}: '{key}' is {there} there, {here} here: the head was replaced before "
                    "loading; load first, or drop the file's head.",
                    file=path.name,
                    model=name,
                    key=key,
                    **shapes,
                )
            raise WeightsError(
                "{file} does not fit {model}: '{key}' is {there} there, {here} here.",
                file=path.name,
                model=name,
                key=key,
                **shapes,
            )
    extra = [key for key in state if key not in own]
    _need(
        not extra,
        name,
        path,
        Message("it also has '{key}', which {model} does not know", key=extra[0] if extra else "", model=name),
    )
    own.update(state)  # which keeps its layers' versions, as MNASNet asks for
    model.load_state_dict(own)


def _at_this_size(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A transformer's positions, learnt on images of one size, interpolated to the network's own.

    Source: Dosovitskiy et al. 2021, section 3.2; done by torchvision.
    """
    positions = "encoder.pos_embedding"
    own = model.state_dict().get(positions)
    if own is None or positions not in state or state[positions].ndim != 3 or state[positions].shape == own.shape:
        return state
    side = round((state[positions].shape[1] - 1) ** 0.5)
    if side**2 + 1 != state[positions].shape[1] or state[positions].shape[2] != own.shape[2]:
        return state
    resize = torchvision().models.vision_transformer.interpolate_embeddings
    return resize(model.image_size, model.patch_size, dict(state))


def _need(fine: bool, name: str, path: Path, why: Message) -> None:
    if not fine:
        raise WeightsError(
            "{file} does not fit {model}: {why}; choose the network that it was saved from.",
            file=path.name,
            model=name,
            why=why,
        )
