"""Files of weights that anybody may have made: read without ever executing a pickle, and believed in nothing.

A .pth of plain tensors (torch's own restricted unpickler) or a safetensors file. What such a file says of its sizes is
compared with its length before it is used, and a pickle is read through, without being executed, before torch sees it:
torch's unpickler makes a byte array of any length that a file of a hundred bytes asks for.
"""

from __future__ import annotations

import os
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from imgcls.errors import WeightsError
from imgcls.models.foreign_files import check_kind
from imgcls.models.weight_header import EXTRA

MAX_BYTES = 4 * 2**30  # bytes
OLD_PICKLES = 5  # one after another, in a file as torch wrote them before 1.6
MOST_CODES = 1_000_000  # of a pickle; a network of 1,500 tensors has 60,000
TENSORS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor|tensor_v2|parameter|parameter_with_state)|"
    r"torch(\.cuda)? \w+Storage|torch\.storage \w+Storage|torch Size|torch\.serialization _get_layout|"
    r"torch\.nn\.parameter Parameter|torch (float|double|half|bfloat16|u?int|long|short|bool)\d*"
)
# What trainings put beside their weights: nobody looks at it, and nothing of what is named here is called.
NUMBERS = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar", "numpy dtype", "_codecs encode")
NUMBERS += ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct", "numpy ndarray")
NUMBERS += ("argparse Namespace", "datetime datetime", "datetime date", "datetime timedelta", "torch device")
NUMBERS += ("pathlib PosixPath", "pathlib WindowsPath", "pathlib PurePosixPath", "__builtin__ set", "builtins set")
NUMBERS += tuple(f"numpy.dtypes {kind}DType" for kind in ("Bool", "Int32", "Int64", "Float32", "Float64"))
WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # where several mappings hold tensors
PREFIXES = ("module", "_orig_mod", "model", "net")
DEPTH = 4  # of mappings in each other


PICKLE = b"\x80"  # the first byte of those that PyTorch has ever written
PLAIN = (bool, int, float, str, type(None))  # what a training may put beside its weights


class NotTensors(Exception):
    """A pickle that would make something else, whose name this is."""


class _Number:
    """Stands where a pickle has a number of numpy's, the arguments of a training, or a path."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, as they lie in the file. Raises WeightsError naming the file."""
    if not os.path.isfile(path):
        raise WeightsError("There is no file {path}.", path=path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise WeightsError(
            "{file} is larger than {most} GiB: these are not weights of a network here.",
            file=path.name,
            most=MAX_BYTES >> 30,
        )
    try:
        check_kind(path)
    except OSError as error:
        raise WeightsError("{file} cannot be read ({reason}).", file=path.name, reason=error.strerror) from None
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
                "{file} holds more than tensors ({what}), which could run code, and is not opened: where it was made, "
                "save it anew with torch.save(model.state_dict(), 'weights.pth').",
                file=path.name,
                what=_printable(str(error)) if isinstance(error, NotTensors) else "pickle",
            ) from None
        raise WeightsError(
            "{file} is cut off, damaged, or no file of PyTorch's: copy it again, or save it where it was made with "
            "torch.save(model.state_dict(), 'weights.pth').",
            file=path.name,
        ) from None
    named = _tensors(state)
    if not named and len(several := _mappings(state)) > 1:
        raise WeightsError(
            "{file} holds several networks ({names}): save the one that you want with "
            "torch.save(model.state_dict(), 'weights.pth').",
            file=path.name,
            names=", ".join(several[:5])[:200],
        )
    if not named or sum(t.numel() * t.element_size() for t in named.values()) > 2 * size:
        raise WeightsError(
            "{file} holds no tensors by name: save it with torch.save(model.state_dict(), ...).", file=path.name
        )
    return {
        name: tensor.detach() for name, tensor in _without_common_prefix(named).items() if not name.startswith(EXTRA)
    }


def _tensors(state: Any, depth: int = DEPTH) -> dict[str, Tensor]:
    """The tensors of a mapping by name; of the mapping in it that holds some, where it holds none itself."""
    if not isinstance(state, Mapping) or not depth:
        return {}
    own = {str(name): tensor for name, tensor in state.items() if type(tensor) in (Tensor, torch.nn.Parameter)}
    if own:
        whole = all(type(value) in (*PLAIN, _Number, Tensor, torch.nn.Parameter) for value in state.values())
        return own if whole else {}
    inner = {str(name): tensors for name, value in state.items() if (tensors := _tensors(value, depth - 1))}
    preferred = [name for name in WRAPPERS if name in inner]
    return inner[preferred[0]] if preferred else next(iter(inner.values())) if len(inner) == 1 else {}


def _mappings(state: Any) -> list[str]:
    """The names of the mappings of tensors in a mapping."""
    return [str(name) for name, value in state.items() if _tensors(value)] if isinstance(state, Mapping) else []


def _without_common_prefix(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """DataParallel's `module.`, torch.compile's `_orig_mod.`, Lightning's `model.`, any that all names have."""
    while True:
        firsts = {name.partition(".")[0] for name in named}
        least = 1 if firsts & set(PREFIXES) else 2  # dots: another one may be the name of the only layer
        if len(firsts) != 1 or any(name.count(".") < least for name in named):
            return named
        named = {name.partition(".")[2]: tensor for name, tensor in named.items()}


def _read_pickle(path: Path, size: int) -> Any:
    """torch.load's restricted unpickler; a packed file that says it unpacks to more than it has is not opened."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as plain:
            if plain.read(1) != PICKLE:
                raise ValueError("it is no pickle of PyTorch's")
            plain.seek(0)
            for _ in range(OLD_PICKLES):
                _only_tensors(plain)
        return _load(path)
    with zipfile.ZipFile(path) as file:
        entries = file.infolist()
        if file.testzip() is not None:
            raise ValueError("it is damaged")
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
    return _load(path, mmap=True)


def _load(path: Path, *, mmap: bool = False) -> Any:
    numbers: list[Any] = [(_Number, name.replace(" ", ".")) for name in NUMBERS]
    with torch.serialization.safe_globals(numbers):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)


def _only_tensors(file: IO[bytes]) -> None:
    """Read one pickle to its end. Raises NotTensors where it names anything that tensors by name do not need."""
    for count, (code, value, _) in enumerate(pickletools.genops(file)):
        if count > MOST_CODES:
            raise ValueError("it holds too much beside its tensors")
        if code.name in ("INST", "OBJ", "STACK_GLOBAL") or (
            code.name == "GLOBAL" and not (TENSORS.fullmatch(str(value)) or value in NUMBERS)
        ):
            raise NotTensors(str(value or "pickle").replace(" ", "."))


def _printable(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "?" for c in name[:60])
