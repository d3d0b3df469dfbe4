"""Files of weights that anybody may have made: read without ever executing a pickle, and believed in nothing.

A .pth of plain tensors (torch's own restricted unpickler) or a safetensors file. What such a file says of its sizes is
compared with its length before it is used, and a pickle is read through, without being executed, before torch sees it:
torch's unpickler makes a byte array of any length that a file of a hundred bytes asks for.
"""

from __future__ import annotations

import pickletools
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from imgcls.errors import WeightsError
from imgcls.models.weight_header import EXTRA

LARGEST = 4 * 2**30  # bytes
OLD_PICKLES = 5  # one after another, in a file as torch wrote them before 1.6
MOST_CODES = 1_000_000  # of a pickle; a network of 1,500 tensors has 60,000
TENSORS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor|tensor_v2|parameter|parameter_with_state)|"
    r"torch(\.cuda)? \w+Storage|torch\.storage \w+Storage|torch Size|torch\.serialization _get_layout|"
    r"torch\.nn\.parameter Parameter|torch (float|double|half|bfloat16|u?int|long|short|bool)\d*"
)
WRAPPERS = ("state_dict", "model", "model_state_dict", "net")
PREFIXES = ("module.", "_orig_mod.")  # DataParallel's and torch.compile's


class NotTensors(Exception):
    """A pickle that would make something else."""


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
        state: Any
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = _read_pickle(path, size)
    except Exception as error:  # truncated zip, wrong magic, foreign format: torch and safetensors raise many kinds
        if isinstance(error, NotTensors) or type(error).__name__ == "UnpicklingError":
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
    named = {_plain_name(name): tensor.detach() for name, tensor in state.items()}
    return {name: tensor for name, tensor in named.items() if not name.startswith(EXTRA)}


def _read_pickle(path: Path, size: int) -> Any:
    """torch.load's restricted unpickler; a packed file that says it unpacks to more than it has is not opened."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as plain:
            for _ in range(OLD_PICKLES):
                _only_tensors(plain)
        return torch.load(path, map_location="cpu", weights_only=True)
    with zipfile.ZipFile(path) as file:
        entries = file.infolist()
        if (
            any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            or sum(entry.file_size for entry in entries) > size
            or len({entry.filename.lower() for entry in entries}) != len(entries)  # which one would be read?
        ):
            raise ValueError("it is packed")
        for entry in entries:
            if entry.filename.lower().endswith(".pkl"):
                with file.open(entry) as packed:
                    _only_tensors(packed)
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def _only_tensors(file: IO[bytes]) -> None:
    """Read one pickle to its end. Raises NotTensors where it names anything that tensors by name do not need."""
    for count, (code, value, _) in enumerate(pickletools.genops(file)):
        if count > MOST_CODES:
            raise ValueError("it holds too much beside its tensors")
        if code.name in ("INST", "OBJ", "STACK_GLOBAL") or (
            code.name == "GLOBAL" and not TENSORS.fullmatch(str(value))  # "module name"
        ):
            raise NotTensors


def _plain_name(name: object) -> str:
    text = str(name)
    for prefix in PREFIXES * 2:
        text = text.removeprefix(prefix)
    return text
