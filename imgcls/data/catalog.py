"""Which data sets there are, by name: known ones and folders of photos. Reads no image."""

from __future__ import annotations

from pathlib import Path

from imgcls.data.image_folders import scan
from imgcls.data.splitting import held_out
from imgcls.errors import DatasetError
from imgcls.recipes import KIND_OF
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

DIGITS = tuple("0123456789")


TRAINING_IMAGES = {"mnist": 60_000, "fashion-mnist": 60_000, "cifar10": 50_000}


# Names under data/ that are not a person's own: known sets and the folders they are kept in.
RESERVED = {
    *KIND_OF,
    "MNIST",
    "FashionMNIST",
    "CIFAR10",
    "cifar-10-batches-py",
    "cifar-10-batches-bin",
}


PEN_DRAWINGS = 7494


PEN_HELD_OUT = 10  # one part in ten of them is for validation


PEN_RENDERINGS = 3  # of each pen drawing, every one with another brush, size and place


def listed(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:5]) + (f" and {len(classes) - 5} more" if len(classes) > 5 else "")


def check_dataset(settings: TrainSettings, workspace: Workspace) -> None:
    """What can be said before a run is made: is the set there, has it two classes, does the split leave images?"""
    if settings.dataset in KIND_OF:
        from imgcls.data.download import require

        for part in settings.dataset.split("+"):
            require(part, workspace)
            if part in TRAINING_IMAGES:
                held_out(TRAINING_IMAGES[part], settings, part)
        return
    root = folder_of(settings.dataset, workspace)
    photos = scan(root)
    if "val" not in photos.splits:
        held_out(len(photos.splits["train"]), settings, settings.dataset)


def count_images(settings: TrainSettings, workspace: Workspace) -> tuple[int, int, int]:
    """(training images, validation images, classes) without reading any of them. Raises DatasetError."""
    if settings.dataset in KIND_OF:
        train = val = 0
        for part in settings.dataset.split("+"):
            if part == "pen-digits":
                held = PEN_DRAWINGS // PEN_HELD_OUT * PEN_RENDERINGS
                train, val = train + PEN_DRAWINGS * PEN_RENDERINGS - held, val + held
            else:
                held = held_out(TRAINING_IMAGES[part], settings, part)
                train, val = train + TRAINING_IMAGES[part] - held, val + held
        classes = 10
    else:
        found = scan(folder_of(settings.dataset, workspace))
        train, classes = len(found.splits["train"]), len(found.classes)
        val = len(found.splits.get("val", ())) or held_out(train, settings, settings.dataset)
        train -= 0 if "val" in found.splits else val
    return min(train, settings.train_images or train), val, classes


def folder_of(dataset: str, workspace: Workspace) -> Path:
    """A folder under data/, or a path. Raises DatasetError that lists what there is."""
    inside = (workspace.data / dataset).resolve()
    parts = Path(dataset).parts
    hidden = not parts or any(part.startswith(".") for part in parts)  # drafts, caches, data/ itself
    if not hidden and inside.is_relative_to(workspace.data.resolve()) and inside.is_dir():
        return inside
    path = Path(dataset).expanduser()
    if path.is_dir() and ("/" in dataset or "\\" in dataset or path.is_absolute()):
        return path.resolve()
    names = [*KIND_OF, *own_folders(workspace)]
    raise DatasetError(
        "There is no data set '{dataset}': choose one of {names}, or give a path to a folder of photos.",
        dataset=dataset,
        names=", ".join(names),
    )


def own_folders(workspace: Workspace) -> list[str]:
    """Names of the folders under data/ that a person put there."""
    if not workspace.data.is_dir():
        return []
    return sorted(
        p.name for p in workspace.data.iterdir() if p.is_dir() and p.name not in RESERVED and not p.name.startswith(".")
    )
