"""What a safetensors file says of itself in its first bytes, read and judged before anything is built."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from imgcls.errors import CheckpointError
from imgcls.models.weight_header import MAX_HEADER_BYTES

MAX_BYTES = 4 * 2**30  # bytes; a ResNet18 has 45 million
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class Header(NamedTuple):
    """What a safetensors file says of itself in its first bytes. `shapes`: of every tensor, by name."""

    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]


def read_header(path: Path) -> Header:
    """Read and judged: a file that is cut off or says what cannot be is a CheckpointError. Allocates its size only."""
    try:
        file_size = path.stat().st_size
        if file_size > MAX_BYTES:
            raise CheckpointError(
                "{path} is larger than {most} GiB: it is no checkpoint of this lab.", path=path, most=MAX_BYTES >> 30
            )
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, file_size):
                raise ValueError
            header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", None) or {}
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError
        shapes, at = _shapes(header, file_size)
    except FileNotFoundError:
        raise CheckpointError("There is no checkpoint {path}.", path=path) from None
    except OSError as error:
        raise CheckpointError("{path} cannot be read ({reason}).", path=path, reason=error.strerror) from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise CheckpointError("{path} is no safetensors file, or is cut off: copy it again.", path=path) from None
    if 8 + length + at != file_size:
        raise CheckpointError(
            "{path} is cut off ({size} of {end} bytes): copy it again.", path=path, size=file_size, end=8 + length + at
        )
    return Header(shapes, metadata)


def _shapes(tensors: dict[str, Any], size: int) -> tuple[dict[str, tuple[int, ...]], int]:
    """(the shape of every tensor, where the last one ends) of a file of `size` bytes. Raises ValueError, or what a
    value of another type raises, where they do not lie one after the other."""
    shapes, at = {}, 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = tensor["data_offsets"]
        shape = tuple(tensor["shape"])
        if start != at or not all(type(side) is int and 0 <= side <= size for side in shape):
            raise ValueError
        if stop - start != math.prod(shape) * BYTES[tensor["dtype"]]:
            raise ValueError
        shapes[name], at = shape, stop
    return shapes, at
