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

from imgcls.errors import DatasetError
from imgcls.messages import Message
from imgcls.workspace import Workspace

DIGITS = tuple("0123456789")
GARMENTS = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
TINY = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CLASSES = {"mnist": DIGITS, "pen-digits": DIGITS, "fashion-mnist": GARMENTS, "cifar10": TINY}
PARTS = {"train": "train", "test": "t10k"}
COUNTS = {"train": 60_000, "test": 10_000}

CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CIFAR_FILES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
CIFAR_ROW = 1 + 3 * 32 * 32  # bytes: a label, then three planes of 32x32
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
# Source of the sums: torchvision.datasets.FashionMNIST.resources.
FASHION_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
Progress = Callable[[int, int], None]


def folder(name: str, workspace: Workspace) -> Path:
    """Where the set's files lie, or are to be put."""
    indices = {
        "mnist": ("data", "MNIST", "raw"),
        "pen-digits": ("data", "pen-digits"),
        "fashion-mnist": ("data", "FashionMNIST", "raw"),
        "cifar10": ("data", "cifar-10-batches-bin"),
    }
    return workspace.shipped(*indices[name])


def require(name: str, workspace: Workspace) -> None:
    """Raises DatasetError where the set is not there, with the way to get it."""
    wanted = {
        "mnist": [
            _idx(folder(name, workspace), f"{p}-{k}") for p in PARTS.values() for k in ("images-idx3", "labels-idx1")
        ],
        "pen-digits": [folder(name, workspace) / "pen-digits-train.json.gz"],
        "cifar10": [folder(name, workspace) / file for files in CIFAR_FILES.values() for file in files],
    }
    files = wanted.get(name) or [folder(name, workspace) / file for file in FASHION_MD5]
    if name == "fashion-mnist":
        files = [_idx(f.parent, f.name.removesuffix("-ubyte.gz")) for f in files]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise DatasetError("{name} is not here: {how}", name=name, how=_how(name, workspace))


def _how(name: str, workspace: Workspace) -> Message:
    if name == "cifar10":
        return Message(
            "run `python -m imgcls fetch cifar10`, or unpack {url} into {folder} by hand; a folder of CIFAR-10 images "
            "with a folder for each class does as well.",
            url=CIFAR_URL,
            folder=workspace.data,
        )
    if name == "fashion-mnist":
        return Message(
            "run `python -m imgcls fetch {name}`, or put {files} into {folder}.",
            name=name,
            files=", ".join(FASHION_MD5),
            folder=workspace.data / "FashionMNIST" / "raw",
        )
    return Message("copy {folder} again from where the lab came from.", folder=folder(name, workspace))


def load_arrays(name: str, workspace: Workspace) -> dict[str, tuple[Tensor, Tensor]]:
    """{"train" and "test": (uint8 (N, C, H, W), int64 (N,))}. Raises DatasetError naming a broken file."""
    require(name, workspace)
    place = folder(name, workspace)
    if name == "cifar10":
        return {part: _cifar([place / file for file in files]) for part, files in CIFAR_FILES.items()}

    def read(part: str) -> tuple[Tensor, Tensor]:
        images = _read_idx(_idx(place, f"{PARTS[part]}-images-idx3"), (COUNTS[part], 28, 28))
        labels = _read_idx(_idx(place, f"{PARTS[part]}-labels-idx1"), (COUNTS[part],))
        return torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64))

    with ThreadPoolExecutor(len(PARTS)) as pool:  # unpacking holds no lock of Python's
        return dict(zip(PARTS, pool.map(read, PARTS), strict=True))


def _idx(place: Path, stem: str) -> Path:
    """The packed file, or the one that torchvision unpacks it to."""
    packed = place / f"{stem}-ubyte.gz"
    plain = place / f"{stem}-ubyte"
    return plain if plain.is_file() and not packed.is_file() else packed


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
    """Get a set that does not ship. `base`: another address to get it from. A cut download leaves nothing behind."""
    if name not in CLASSES:
        raise DatasetError(
            "There is nothing called {name} to fetch: choose one of {names}.", name=name, names=", ".join(CLASSES)
        )
    try:
        require(name, workspace)
        return
    except DatasetError:
        if name in ("mnist", "pen-digits"):
            raise
    if name == "fashion-mnist":
        place = workspace.data / "FashionMNIST" / "raw"
        for file, md5 in FASHION_MD5.items():
            if not (place / file).is_file():
                _download((base or FASHION_URL) + file, place / file, md5, _how(name, workspace), progress)
        return
    packed = workspace.data / "cifar-10-binary.tar.gz"
    _download(base or CIFAR_URL, packed, CIFAR_MD5, _how(name, workspace), progress)
    place = workspace.data / "cifar-10-batches-bin"
    place.mkdir(exist_ok=True)
    with tarfile.open(packed) as tar:
        for files in CIFAR_FILES.values():
            for file in files:
                member = tar.extractfile(f"cifar-10-batches-bin/{file}")
                if member is None:
                    raise DatasetError("{packed} has no {file}: get it again.", packed=packed, file=file)
                temporary = place / f"{file}.tmp"
                temporary.write_bytes(member.read(10_000 * CIFAR_ROW + 1))
                os.replace(temporary, place / file)
    packed.unlink()


def _download(url: str, path: Path, md5: str, how: Message, progress: Progress | None) -> None:
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
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise DatasetError(
            "{file} could not be fetched ({reason}): {how}", file=path.name, reason=error, how=how
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
