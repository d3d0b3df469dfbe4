"""Files of weights that anybody may have made: read without ever executing a pickle, and believed in nothing.

A .pth of plain tensors (torch's own restricted unpickler) or a safetensors file. What such a file says of its sizes is
compared with its length before it is used.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from torch import Tensor

from imgcls.errors import WeightsError

LARGEST = 4 * 2**30  # bytes
WRAPPERS = ("state_dict", "model", "model_state_dict", "net")
PREFIXES = ("module.", "_orig_mod.")  # DataParallel's and torch.compile's


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, as they lie in the file. Raises WeightsError naming the file."""
    if not path.is_file():
        raise WeightsError("There is no file {path}.", path=path)
    size = path.stat().st_size
    if size > LARGEST:
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
            state = _read_pickle(path, size)
    except Exception as error:  # truncated zip, wrong magic, foreign format: torch and safetensors raise many kinds
        if type(error).__name__ == "UnpicklingError":
            raise WeightsError(
                "{file} holds more than tensors (it may run code) or is broken, and is not opened: save it "
                "anew with torch.save(model.state_dict(), ...).",
                file=path.name,
            ) from None
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise WeightsError(
            "{file} cannot be read as weights ({reason}): copy or save it again.", file=path.name, reason=first
        ) from None
    for wrapper in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    plain = isinstance(state, dict) and state and all(type(t) in (Tensor, torch.nn.Parameter) for t in state.values())
    if not plain or sum(t.numel() * t.element_size() for t in state.values()) > 2 * size:
        raise WeightsError(
            "{file} holds no tensors by name: save it with torch.save(model.state_dict(), ...).", file=path.name
        )
    return {_plain_name(name): tensor.detach() for name, tensor in state.items()}


def _read_pickle(path: Path, size: int) -> object:
    """torch.load's restricted unpickler; a packed file that says it unpacks to more than it has is not opened."""
    if not zipfile.is_zipfile(path):
        return torch.load(path, map_location="cpu", weights_only=True)
    with zipfile.ZipFile(path) as file:
        entries = file.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or sum(e.file_size for e in entries) > size:
        raise ValueError("it is packed")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def _plain_name(name: object) -> str:
    text = str(name)
    for prefix in PREFIXES * 2:
        text = text.removeprefix(prefix)
    return text
