"""What a file of weights says of the images it learnt from, read without torch and without its weights.

A checkpoint of this lab says it in its metadata; of any other file only the name can tell.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from imgcls.workspace import PROJECT, Workspace

KEY = "imgcls"  # in a safetensors file's metadata: a checkpoint of this lab
EXTRA = "calibration/"  # names of a checkpoint's tensors beside the weights, which the network itself does not need
MAX_HEADER_BYTES = 20_000_000  # bytes; a network of a thousand layers and ten thousand classes has a tenth of it
MAX_SIDE_PX = 512  # pixels; what TrainSettings allows


def size_of_weights(weights: object, workspace: Workspace | None = None) -> int:
    """The side of the images that weights learnt from; 0 where neither the file nor its name says.

    Frozen features of images of another size mean little: they fall to chance at four times the side.
    """
    named = str(weights) if isinstance(weights, str | Path) else ""
    if not named or named == "imagenet":
        return 0
    folder = (workspace or Workspace.from_environment()).weight
    for path in (folder / named, PROJECT / "weight" / named, Path(os.path.expanduser(named))):
        side = _said(path)
        if side:
            return side
    match = re.search(r"(?<!\d)(\d{2,3})px", named)
    return int(match[1]) if match else 0


def _said(path: Path) -> int:
    """What a checkpoint's metadata say; 0 for anything else, a broken file included."""
    try:
        if path.suffix != ".safetensors" or not path.is_file():
            return 0
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= MAX_HEADER_BYTES:
                return 0
            header: Any = json.loads(file.read(length))
        side = json.loads(header["__metadata__"][KEY])["preprocess"]["size"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0
    return side if type(side) is int and 8 <= side <= MAX_SIDE_PX else 0
