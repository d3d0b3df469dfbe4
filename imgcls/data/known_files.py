"""Known data sets: where their files lie, and which of them are missing. Reads none of them and imports no torch, so
that lists can say what is here.
"""

from __future__ import annotations

from pathlib import Path

from imgcls.errors import DatasetError
from imgcls.messages import Message
from imgcls.workspace import Workspace

PARTS = {"train": "train", "test": "t10k"}
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/"
CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR_FILES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
# Source of the sums: torchvision.datasets.FashionMNIST.resources.
FASHION_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
FETCHED = ("fashion-mnist", "cifar10")  # the others come with the lab
FOLDERS = {
    "mnist": ("data", "MNIST", "raw"),
    "pen-digits": ("data", "pen-digits"),
    "fashion-mnist": ("data", "FashionMNIST", "raw"),
    "cifar10": ("data", "cifar-10-batches-bin"),
}


def folder(name: str, workspace: Workspace) -> Path:
    """Where the set's files lie, or are to be put."""
    return workspace.shipped(*FOLDERS[name])


def idx(place: Path, stem: str) -> Path:
    """The packed file, or the one that torchvision unpacks it to."""
    packed = place / f"{stem}-ubyte.gz"
    plain = place / f"{stem}-ubyte"
    return plain if plain.is_file() and not packed.is_file() else packed


def absent(dataset: str, workspace: Workspace) -> str | None:
    """The first part of a known set ("mnist+pen-digits") whose files are not all here; None where they are."""
    return next((name for name in dataset.split("+") if not _complete(name, workspace)), None)


def require(name: str, workspace: Workspace) -> None:
    """Raises DatasetError where the set is not there, with the way to get it."""
    if not _complete(name, workspace):
        raise DatasetError("{name} is not here: {how}", name=name, how=how_to_get(name, workspace))


def how_to_get(name: str, workspace: Workspace) -> Message:
    if name == "cifar10":
        return Message(
            "run `python -m imgcls fetch cifar10`, or unpack {url} into {folder} by hand; a folder of CIFAR-10 images "
            "with a folder for each class does as well.",
            url=CIFAR_URL + CIFAR_ARCHIVE,
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


def _complete(name: str, workspace: Workspace) -> bool:
    place = folder(name, workspace)
    if name == "pen-digits":
        files = [place / "pen-digits-train.json.gz"]
    elif name == "cifar10":
        files = [place / file for files in CIFAR_FILES.values() for file in files]
    else:
        files = [idx(place, f"{part}-{kind}") for part in PARTS.values() for kind in ("images-idx3", "labels-idx1")]
    return all(file.is_file() for file in files)
