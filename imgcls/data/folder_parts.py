"""How a folder of photos is divided: through folders that only wrap it, into train, val and test or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from imgcls.data.folder_problems import Scan, listed
from imgcls.errors import DatasetError
from imgcls.imaging.image_files import find_images, is_image_name, is_litter, natural_key
from imgcls.messages import Message

MAX_WRAPPERS = 3  # folders inside folders that are seen through
PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def see_through(root: Path) -> Path:
    """Down through folders that hold one folder and nothing else, as long as that holds folders itself."""
    for _ in range(MAX_WRAPPERS):
        inside = folders_in(root)
        if len(inside) != 1 or images_in(root) or inside[0].name.lower() in PARTS or not folders_in(inside[0]):
            break
        root = inside[0]
    return root


def find_parts(root: Path, found: Scan) -> dict[str, Path] | None:
    """Part -> its folder where `root` is divided into train, val and test; None where it holds classes."""
    inside = folders_in(root)
    named = [folder for folder in inside if folder.name.lower() in PARTS]
    nested = [folder for folder in named if any(_has_image(c) for c in folders_in(folder))]
    if not named:
        return None
    everything = len(named) == len(inside)
    if not nested:
        if everything and any(images_in(folder) for folder in named):
            raise DatasetError(
                "In {name} the images lie directly in {folders}: make a folder for each class inside, e.g. "
                "{first}/cats.",
                name=found.name,
                folders=listed([f.name for f in named]),
                first=named[0].name,
            )
        for folder in named:
            found.note(
                "class-named-like-part",
                Message(
                    "{name} has a class called {folder}: if that is a part of the data and not a class, put the class "
                    "folders inside it.",
                    name=found.name,
                    folder=folder.name,
                ),
            )
        return None
    parts: dict[str, Path] = {}
    for folder in named:
        part = PARTS[folder.name.lower()]
        if part in parts:
            raise DatasetError(
                "{name} has two folders for {part}, {folder} and {other}: join them into one.",
                name=found.name,
                part=part,
                folder=parts[part].name,
                other=folder.name,
            )
        parts[part] = folder
    if "train" not in parts:
        if not everything:
            return None
        raise DatasetError(
            "{name} has {folders} but no train folder: add one.",
            name=found.name,
            folders=listed([f.name for f in named]),
        )
    if parts["train"] not in nested:
        raise DatasetError(
            "{name}/{folder} has no class folders with images: add them.", name=found.name, folder=parts["train"].name
        )
    for folder in inside:
        if folder not in named:
            found.note(
                "folder-beside-parts",
                Message(
                    "{name}/{folder} is left out: beside train only val and test are used.",
                    name=found.name,
                    folder=folder.name,
                ),
            )
    return parts


def folders_in(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            names = [e.name for e in entries if not is_litter(e.name) and e.is_dir()]
    except OSError:
        raise DatasetError("The folder {root} cannot be read: check that you may.", root=root) from None
    return [root / name for name in sorted(names, key=natural_key)]


def images_in(root: Path) -> int:
    with os.scandir(root) as entries:
        return sum(is_image_name(e.name) and not is_litter(e.name) for e in entries)


def _has_image(folder: Path) -> bool:
    return next(find_images(folder), None) is not None
