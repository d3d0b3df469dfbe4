"""Original files of built-in data sets -> uint8 tensors: idx, CIFAR's binary version, and MATLAB's MAT.

Each reader takes a Source and knows nothing of splits that are held out, settings or training.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imgcls.data.registry import Arrays, Source
from imgcls.errors import DatasetError

CIFAR_ROW = 1 + 3 * 32 * 32  # bytes: a label, then three planes of 32x32


def read_idx_set(source: Source, *, train: str, test: str, first_label: int = 0, transposed: bool = False) -> Arrays:
    """Four idx files, packed or not: images and labels of two splits, called by these stems. `transposed`: images are
    written column by column, as EMNIST's are."""
    side, counts, stems = source.spec.storage_side, source.spec.counts, {"train": train, "test": test}

    def read(split: str) -> tuple[Tensor, Tensor]:
        name, count = stems[split], counts[split]
        images = read_idx(source.file(f"{name}-images-idx3-ubyte.gz"), (count, side, side))
        labels = read_idx(source.file(f"{name}-labels-idx1-ubyte.gz"), (count,))
        if transposed:
            images = np.ascontiguousarray(images.transpose(0, 2, 1))
        return torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64) - first_label)

    with ThreadPoolExecutor(len(stems)) as pool:  # unpacking holds no lock of Python's
        return dict(zip(stems, pool.map(read, stems), strict=True))


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The idx format: two zero bytes, the type (8: uint8), the number of dimensions, each as a big-endian uint32."""
    size = int(np.prod(shape))
    header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    expected = len(header) + size
    try:
        with path.open("rb") as file:
            content = file.read(expected + expected // 100 + 1000)  # what cannot be packed is longer packed
        if path.suffix == ".gz":  # in one call: the gzip module's pieces take half as long again
            stream = zlib.decompressobj(wbits=31)
            content = stream.decompress(content, expected + 1)
            content = content if stream.eof else b""
    except (OSError, zlib.error):
        content = b""
    if len(content) != expected or not content.startswith(header):
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


def read_svhn(source: Source) -> Arrays:
    """X: uint8 (32, 32, 3, N); y: 1 to 10, where 10 is the digit 0."""

    def read(split: str) -> tuple[Tensor, Tensor]:
        path = source.folder / f"{split}_32x32.mat"
        arrays = read_mat(path)
        images, labels = arrays.get("X"), arrays.get("y")
        if images is None or labels is None or images.ndim != 4 or images.dtype != np.uint8:
            raise damaged(path)
        images = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
        return torch.from_numpy(images), torch.from_numpy(labels.reshape(-1).astype(np.int64) % 10)

    return {split: read(split) for split in source.spec.counts}


# Of a MAT-file of level 5 (MathWorks, MAT-File Format): data types of elements that hold numbers, and the others used.
MAT_DTYPES = {1: "<i1", 2: "<u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
MAT_MATRIX, MAT_COMPRESSED, MAT_HEADER = 14, 15, 128
MAT_NUMERIC = {6: np.float64, 7: np.float32, 8: np.int8, 9: np.uint8, 10: np.int16, 11: np.uint16, 12: np.int32}


def read_mat(path: Path) -> dict[str, np.ndarray]:
    """The numeric arrays of a MAT-file of level 5, by name; anything else in it is passed over."""
    try:
        content = memoryview(path.read_bytes())
        if bytes(content[126:128]) != b"IM":  # written on a little-endian machine, as all are today
            raise damaged(path)
        arrays, offset = {}, MAT_HEADER
        while offset < len(content):
            kind, element, offset = _mat_element(content, offset)
            if kind == MAT_COMPRESSED:
                kind, element, _ = _mat_element(memoryview(zlib.decompress(element)), 0)
            if kind == MAT_MATRIX and (array := _mat_array(element)):
                arrays[array[0]] = array[1]
        return arrays
    except (OSError, ValueError, IndexError, KeyError, zlib.error, struct.error):
        raise damaged(path) from None


def _mat_element(content: memoryview, offset: int) -> tuple[int, memoryview, int]:
    """(type, what it holds, where the next one begins)."""
    kind, size = struct.unpack_from("<II", content, offset)
    if kind >> 16:  # a small element: four bytes or fewer, beside their size
        kind, size = kind & 0xFFFF, kind >> 16
        return kind, content[offset + 4 : offset + 4 + size], offset + 8
    end = offset + 8 + size
    if end > len(content):
        raise ValueError
    return kind, content[offset + 8 : end], end if kind == MAT_COMPRESSED else end + -size % 8


def _mat_array(content: memoryview) -> tuple[str, np.ndarray] | None:
    """(name, array); None where it holds no plain numbers."""
    _, flags, offset = _mat_element(content, 0)
    _, dimensions, offset = _mat_element(content, offset)
    _, name, offset = _mat_element(content, offset)
    if flags[0] not in MAT_NUMERIC:
        return None
    kind, numbers, _ = _mat_element(content, offset)
    shape = np.frombuffer(dimensions, "<i4")
    values = np.frombuffer(numbers, MAT_DTYPES[kind]).astype(MAT_NUMERIC[flags[0]], copy=False)
    return bytes(name).decode("latin-1"), values.reshape(shape, order="F")


def damaged(path: Path) -> DatasetError:
    return DatasetError("{path} is cut off or not what its name says: get it again.", path=path)
