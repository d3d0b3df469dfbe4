"""The weights of every epoch of a small network, half precision, beside its checkpoints: `epochs/0003.safetensors`.

0 is before the first step. A network of 1 MB or more keeps none; of a long run every second one goes, then every
second of those that are left, so that there are at most MOST.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imgcls.checkpoints.format import read_tensors, write_tensors
from imgcls.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "epochs"
MAX_BYTES = 1_000_000  # bytes of weights as they are trained
MAX_EPOCHS = 40
NAME = re.compile(r"(\d{4})\.safetensors")


def small_enough(state: Mapping[str, Tensor]) -> bool:
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values()) < MAX_BYTES


def keep_epoch(run: Path, epoch: int, state: Mapping[str, Tensor]) -> None:
    """Beside the checkpoints in the folder `run`. Raises StorageError."""
    half = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    write_tensors(_path(run, epoch), half, {})
    epochs = epochs_of(run)
    if len(epochs) > MAX_EPOCHS:
        for number in epochs[1:-1:2]:
            _path(run, number).unlink(missing_ok=True)


def epochs_of(run: Path) -> list[int]:
    """Which are there, in order."""
    folder = run / FOLDER
    return sorted(int(m[1]) for p in folder.glob("*") if (m := NAME.fullmatch(p.name))) if folder.is_dir() else []


def read_epoch(run: Path, epoch: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Half precision. Raises CheckpointError where they are not those of the network, whose `shapes` are given."""
    path = _path(run, epoch)
    tensors = read_tensors(path)
    if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != shapes:
        raise CheckpointError("{path} does not hold weights of this run's network.", path=path)
    return tensors


def _path(run: Path, epoch: int) -> Path:
    return run / FOLDER / f"{epoch:04d}.safetensors"
