"""Pre-trained weights: found in weight/, fetched when there is a network, read without ever executing a pickle.

Both ways of the course are here and give identical networks: load, then replace the head; or replace the head, then
drop the head's tensors before loading. Knows nothing of data or training.
"""

from __future__ import annotations

import urllib.request
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcls.errors import WeightsError
from imgcls.messages import Message
from imgcls.models.layers import first_convolution, head_name
from imgcls.models.registry import build, model_spec
from imgcls.models.transfer import replace_head

LARGEST = 2 * 2**30  # bytes
ORIGIN = "https://download.pytorch.org/models/"


def resolve_weights(wanted: str, *, model: str, folder: Path, download: bool = True) -> Path:
    """A file name in `folder`, a path, or "imagenet" (fetched into `folder` when it is not there yet)."""
    if wanted != "imagenet":
        for path in (folder / wanted, Path(wanted).expanduser()):
            if path.is_file():
                return path
        there = ", ".join(sorted(p.name for p in available_weights(folder))) or "nothing"
        raise WeightsError(
            "There are no weights '{wanted}': {folder} holds {there}; put the file there.",
            wanted=wanted,
            folder=folder,
            there=there,
        )
    names = model_spec(model).weights
    if not names:
        raise WeightsError("There are no ImageNet weights for {model}: choose another network.", model=model)
    for name in names:
        if (folder / name).is_file():
            return folder / name
    if download:
        return fetch_weights(names[0], folder)
    raise WeightsError(
        "The ImageNet weights of {model} are not here: put {files} into {folder}.",
        model=model,
        files=" or ".join(names),
        folder=folder,
    )


def check_weights(wanted: str, *, model: str, folder: Path) -> None:
    """What can be said before a run is made. Raises WeightsError; fetches nothing that a network may still bring."""
    names = model_spec(model).weights if wanted == "imagenet" else ()
    if not names or any((folder / name).is_file() for name in names):
        read_state(resolve_weights(wanted, model=model, folder=folder, download=False))
        return
    try:
        with urllib.request.urlopen(urllib.request.Request(ORIGIN + names[0], method="HEAD"), timeout=5):
            pass
    except (OSError, ValueError) as error:
        raise _by_hand(names[0], folder, error) from None


def available_weights(folder: Path) -> list[Path]:
    """Files in `folder` that may be weights, by name."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix in (".pth", ".pt", ".safetensors") and p.is_file())


def fetch_weights(name: str, folder: Path) -> Path:
    """torch's own download with progress and hash check; the file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(ORIGIN + name, str(folder / name), hash_prefix=name.split("-")[-1][:8])
    except (OSError, RuntimeError) as error:
        (folder / name).unlink(missing_ok=True)
        raise _by_hand(name, folder, error) from None
    return folder / name


def _by_hand(name: str, folder: Path, error: Exception) -> WeightsError:
    return WeightsError(
        "{file} could not be fetched ({reason}): get {url} elsewhere and put it into {folder}.",
        file=name,
        reason=error,
        url=ORIGIN + name,
        folder=folder,
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, from a .pth of plain tensors or a safetensors file. Raises WeightsError naming the file."""
    if not path.is_file():
        raise WeightsError("There is no file {path}.", path=path)
    if path.stat().st_size > LARGEST:
        raise WeightsError(
            "{file} is larger than {most} GiB: these are not weights of a network here.",
            file=path.name,
            most=LARGEST >> 30,
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # truncated zip, wrong magic, foreign format: torch and safetensors raise many kinds
        if type(error).__name__ == "UnpicklingError":
            raise WeightsError(
                "{file} holds more than tensors (it may run code) or is broken, and is not opened: save it "
                "anew with torch.save(model.state_dict(), ...).",
                file=path.name,
            ) from None
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            "{file} cannot be read as weights ({reason}): copy or save it again.", file=path.name, reason=first
        ) from None
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not state or not all(isinstance(t, Tensor) for t in state.values()):
        raise WeightsError(
            "{file} holds no tensors by name: save it with torch.save(model.state_dict(), ...).", file=path.name
        )
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def load_pretrained(
    name: str, path: Path, *, channels: int, classes: int, image_size: int, init: str = "default"
) -> nn.Module:
    """The network with the file's backbone and a new head for `classes`, the head drawn by `init`."""
    return load_then_replace_head(name, path, channels=channels, classes=classes, image_size=image_size, init=init)


def load_then_replace_head(
    name: str, path: Path, *, channels: int = 3, classes: int, image_size: int = 224, init: str = "default"
) -> nn.Module:
    """The course's first way: a network with the file's own head, load everything, then a new head."""
    state = read_state(path)
    probe = build(name, channels=channels, classes=1, image_size=image_size)
    head = head_name(probe) + ".weight"
    _need(head in state, name, path, Message("it has no tensor '{key}'", key=head))
    model = build(name, channels=channels, classes=state[head].shape[0], image_size=image_size)
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
    if first in state and state[first].ndim == 4 and own[first].shape[1] == 1 and state[first].shape[1] == 3:
        # A grey image is the same in all three colours: their weights add up.
        state = state | {first: state[first].sum(dim=1, keepdim=True)}
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
    model.load_state_dict(state, strict=False)


def _need(fine: bool, name: str, path: Path, why: Message) -> None:
    if not fine:
        raise WeightsError(
            "{file} does not fit {model}: {why}; choose the network that it was saved from.",
            file=path.name,
            model=name,
            why=why,
        )
