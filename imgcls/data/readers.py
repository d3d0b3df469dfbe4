"""Original files of built-in data sets -> uint8 tensors: idx, and CIFAR's binary version.

Each reader takes a Source and knows nothing of splits that are held out, settings or training.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imgcls.data.registry import Arrays, Source
from imgcls.errors import DatasetError

CIFAR_ROW = 1 + 3 * 32 * 32  # bytes: a label, then three planes of 32x32


def read_idx_set(source: Source, *, train: str, test: str) -> Arrays:
    """Four idx files, packed or not: images and labels of two splits, called by these stems."""
    side, counts, stems = source.spec.storage_side, source.spec.counts, {"train": train, "test": test}

    def read(split: str) -> tuple[Tensor, Tensor]:
        name, count = stems[split], counts[split]
        images = read_idx(source.file(f"{name}-images-idx3-ubyte.gz"), (count, side, side))
        labels = read_idx(source.file(f"{name}-labels-idx1-ubyte.gz"), (count,))
        return torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64))

    with ThreadPoolExecutor(len(stems)) as pool:  # unpacking holds no lock of Python's
        return dict(zip(stems, pool.map(read, stems), strict=True))


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The idx format: two zero bytes, the type (8: uint8), the number of dimensions, each as a big-endian uint32."""
    size = int(np.prod(shape))
    header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    wanted = len(header) + size
    try:
        with path.open("rb") as file:
            content = file.read(wanted + 1)
        if path.suffix == ".gz":  # in one call: the gzip module's pieces take half as long again
            stream = zlib.decompressobj(wbits=31)
            content = stream.decompress(content, wanted + 1)
            content = content if stream.eof else b""
    except (OSError, zlib.error):
        content = b""
    if len(content) != wanted or not content.startswith(header):
        raise damaged(path)
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape).copy()


def read_cifar10(source: Source, *, files: dict[str, list[str]]) -> Arrays:
    return {split: _cifar([source.folder / name for name in names]) for split, names in files.items()}


def _cifar(paths: list[Path]) -> tuple[Tensor, Tensor]:
    images, labels = [], []
    for path in paths:
        content = np.fromfile(path, np.uint8)
        if content.size != 10_000 * CIFAR_ROW or content[::CIFAR_ROW].max() > 9:
            raise damaged(path)
        rows = content.reshape(-1, CIFAR_ROW)
        labels.append(rows[:, 0].astype(np.int64))
        images.append(rows[:, 1:].reshape(-1, 3, 32, 32))
    return torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(labels))


def damaged(path: Path) -> DatasetError:
    return DatasetError("{path} is cut off or not what its name says: get it again.", path=path)
