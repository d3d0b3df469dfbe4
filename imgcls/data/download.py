"""Known data sets as uint8 tensors, read from their original files, and fetched where there is a network.

MNIST and pen-digits ship. Fashion-MNIST is read from its idx files; CIFAR-10 from its binary version, because its
Python version is a pickle and no pickle is ever opened. Knows no settings, no split and no training.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imgcls.data.known_files import (
    CIFAR_ARCHIVE,
    CIFAR_FILES,
    CIFAR_URL,
    FASHION_MD5,
    FASHION_URL,
    FETCHED,
    PARTS,
    absent,
    folder,
    how_to_get,
    idx,
    require,
)
from imgcls.errors import DatasetError
from imgcls.files import storage_error
from imgcls.messages import Message
from imgcls.workspace import Workspace

DIGITS = tuple("0123456789")
GARMENTS = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
TINY = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CLASSES = {"mnist": DIGITS, "pen-digits": DIGITS, "fashion-mnist": GARMENTS, "cifar10": TINY}
COUNTS = {"train": 60_000, "test": 10_000}

CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CIFAR_ROW = 1 + 3 * 32 * 32  # bytes: a label, then three planes of 32x32
Progress = Callable[[int, int], None]


Arrays = dict[str, tuple[Tensor, Tensor]]
_read_before: dict[str, tuple[tuple, Arrays]] = {}  # by a set's name: its files' times and sizes, what they hold


def read_beforehand(name: str, workspace: Workspace) -> None:
    """Where a process waits for work: the next `load_arrays` of these files has it at once. Raises DatasetError."""
    _read_before[name] = _as_they_lie(name, workspace), load_arrays(name, workspace)


def forget_what_was_read() -> None:
    """It was another set that was wanted: its memory is free again."""
    _read_before.clear()


def _as_they_lie(name: str, workspace: Workspace) -> tuple:
    found = ((path, path.stat()) for path in sorted(folder(name, workspace).iterdir()))
    return tuple((path.as_posix(), seen.st_mtime_ns, seen.st_size) for path, seen in found)


def load_arrays(name: str, workspace: Workspace) -> Arrays:
    """{"train" and "test": (uint8 (N, C, H, W), int64 (N,))}. Raises DatasetError naming a broken file."""
    require(name, workspace)
    before = _read_before.pop(name, None)
    if before and before[0] == _as_they_lie(name, workspace):
        return before[1]
    place = folder(name, workspace)
    if name == "cifar10":
        return {part: _cifar([place / file for file in files]) for part, files in CIFAR_FILES.items()}

    def read(part: str) -> tuple[Tensor, Tensor]:
        images = _read_idx(idx(place, f"{PARTS[part]}-images-idx3"), (COUNTS[part], 28, 28))
        labels = _read_idx(idx(place, f"{PARTS[part]}-labels-idx1"), (COUNTS[part],))
        return torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64))

    with ThreadPoolExecutor(len(PARTS)) as pool:  # unpacking holds no lock of Python's
        return dict(zip(PARTS, pool.map(read, PARTS), strict=True))


def _read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
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
        raise DatasetError("{path} is cut off or not what its name says: get it again.", path=path)
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape).copy()


def _cifar(paths: list[Path]) -> tuple[Tensor, Tensor]:
    images, labels = [], []
    for path in paths:
        content = np.fromfile(path, np.uint8)
        if content.size != 10_000 * CIFAR_ROW or content[::CIFAR_ROW].max() > 9:
            raise DatasetError("{path} is cut off or not what its name says: get it again.", path=path)
        rows = content.reshape(-1, CIFAR_ROW)
        labels.append(rows[:, 0].astype(np.int64))
        images.append(rows[:, 1:].reshape(-1, 3, 32, 32))
    return torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(labels))


def fetch(name: str, workspace: Workspace, *, progress: Progress | None = None, base: str | None = None) -> None:
    """Get a set that does not ship. `base`: another address that has the same files (IMGCLS_DATA_MIRROR otherwise). A
    download that is cut, or stopped by what `progress` raises, leaves nothing behind."""
    if name not in CLASSES:
        raise DatasetError(
            "There is nothing called {name} to fetch: choose one of {names}.", name=name, names=", ".join(CLASSES)
        )
    if not absent(name, workspace):
        return
    if name not in FETCHED:
        require(name, workspace)
    base = base or os.environ.get("IMGCLS_DATA_MIRROR")
    base = base and base.rstrip("/") + "/"
    if name == "fashion-mnist":
        place, before = workspace.data / "FashionMNIST" / "raw", 0
        for file, md5 in FASHION_MD5.items():
            if not (place / file).is_file():
                told = _after(before, progress)
                before += _download((base or FASHION_URL) + file, place / file, md5, how_to_get(name, workspace), told)
        return
    packed = workspace.data / CIFAR_ARCHIVE
    _download((base or CIFAR_URL) + CIFAR_ARCHIVE, packed, CIFAR_MD5, how_to_get(name, workspace), progress)
    try:
        _unpack_cifar(packed, workspace.data / "cifar-10-batches-bin")
    except OSError as error:
        raise storage_error(packed, error) from None
    finally:
        packed.unlink(missing_ok=True)


def _unpack_cifar(packed: Path, place: Path) -> None:
    place.mkdir(exist_ok=True)
    with tarfile.open(packed) as tar:
        for file in (file for files in CIFAR_FILES.values() for file in files):
            member = tar.extractfile(f"cifar-10-batches-bin/{file}")
            if member is None:
                raise DatasetError("{packed} has no {file}: get it again.", packed=packed, file=file)
            temporary = place / f"{file}.tmp"
            temporary.write_bytes(member.read(10_000 * CIFAR_ROW + 1))
            os.replace(temporary, place / file)


def _after(before: int, progress: Progress | None) -> Progress | None:
    """`progress` of one file after `before` bytes of others."""
    return progress and (lambda done, total: progress(before + done, before + total))


def _download(url: str, path: Path, md5: str, how: Message, progress: Progress | None) -> int:
    """How many bytes it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, digest, done = path.with_name(path.name + ".tmp"), hashlib.md5(usedforsecurity=False), 0
    try:
        with urllib.request.urlopen(url, timeout=30) as answer, temporary.open("wb") as file:
            total = int(answer.headers.get("Content-Length") or 0)
            while block := answer.read(1 << 18):
                file.write(block)
                digest.update(block)
                done += len(block)
                if progress:
                    progress(done, total)
        if digest.hexdigest() != md5:
            raise DatasetError(
                "{file} came cut off or changed ({count:,} bytes): try again, or {how}",
                file=path.name,
                count=done,
                how=how,
            )
        os.replace(temporary, path)
        return done
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise DatasetError(
            "{file} could not be fetched ({reason}): {how}", file=path.name, reason=error, how=how
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
