"""Which data sets there are, by name: built-in ones and folders of photos. Reads no image."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from imgcls.data.image_folders import scan
from imgcls.data.registry import DATASETS, is_builtin, parts_of, reserved_names
from imgcls.errors import DatasetError
from imgcls.filenames import inside, nearest, shown, validate
from imgcls.files import DELETED
from imgcls.messages import Setting
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace, typed_path


def delete_dataset(name: str, workspace: Workspace) -> None:
    """Remove one's own data set from data/. Raises DatasetError for any other name."""
    if name not in own_folders(workspace):
        raise DatasetError(
            "{name} is not a data set of your own in {folder}: it stays.", name=name, folder=workspace.data
        )
    gone = workspace.data / f"{DELETED}{secrets.token_hex(6)}"
    try:
        os.rename(workspace.data / name, gone)  # at once gone for everybody, however long the files take
    except OSError as error:
        raise DatasetError(
            "{folder} cannot be written ({reason}).", folder=workspace.data, reason=error.strerror
        ) from None
    if gone.is_symlink():  # the folder that a link led to stays
        gone.unlink(missing_ok=True)
    shutil.rmtree(gone, ignore_errors=True)


def check_dataset(settings: TrainSettings, workspace: Workspace) -> None:
    """What can be said before a run is made: is the set there, has it two classes, does the split leave images?"""
    if is_builtin(settings.dataset):
        for spec in parts_of(settings.dataset):
            spec.require(workspace)
            if not spec.renderings:
                validation_size(spec.counts["train"], settings, spec.name)
        return
    root = folder_of(settings.dataset, workspace)
    photos = scan(root)
    if 0 < settings.train_images < len(photos.classes):
        raise DatasetError(
            "{train_images} is {count}, but {name} has {classes} classes: choose at least {classes}, so that each has "
            "an image to learn from.",
            train_images=Setting("train_images"),
            count=settings.train_images,
            name=settings.dataset,
            classes=len(photos.classes),
        )
    if "val" not in photos.splits:
        validation_size(len(photos.splits["train"]), settings, settings.dataset)


def validation_size(count: int, settings: TrainSettings, name: str) -> int:
    """How many of `count` training images are held out for validation."""
    val_split = settings.val_split
    size = max(1, round(count * val_split)) if val_split < 1 else int(val_split)
    if count - size < 2:
        raise DatasetError(
            "{name} has {count} training images, and {val_split} {wanted:g} leaves {left} of them: choose a smaller "
            "one, e.g. 0.2.",
            val_split=Setting("val_split"),
            name=name,
            count=count,
            wanted=val_split,
            left=max(0, count - size),
        )
    return size


def count_images(settings: TrainSettings, workspace: Workspace) -> tuple[int, int, int]:
    """(training images, validation images, classes) without reading any of them. Raises DatasetError."""
    if is_builtin(settings.dataset):
        train = val = 0
        for spec in parts_of(settings.dataset):
            count, renderings = spec.counts["train"], spec.renderings
            held = (
                count - renderings.training_drawings * renderings.each
                if renderings
                else validation_size(count, settings, spec.name)
            )
            train, val = train + count - held, val + held
        classes = len(parts_of(settings.dataset)[0].classes)
    else:
        photos = scan(folder_of(settings.dataset, workspace))
        train, classes = len(photos.splits["train"]), len(photos.classes)
        val = len(photos.splits.get("val", ())) or validation_size(train, settings, settings.dataset)
        train -= 0 if "val" in photos.splits else val
    return min(train, settings.train_images or train), val, classes


def folder_of(dataset: str, workspace: Workspace) -> Path:
    """A folder under data/ (a link to another place, too), or a path. Raises DatasetError that lists what there is.

    Whether paths may be given is the caller's business; drafts, caches and data/ itself are no data set in any case.
    """
    own = own_folders(workspace)
    if dataset in own:
        return workspace.data / dataset
    components = dataset.replace("\\", "/").rstrip("/").split("/")
    if len(components) > 1:
        nested = (
            workspace.data.joinpath(*components)
            if all(validate(component) is None for component in components)
            else None
        )
        for path in (nested, _path(dataset)):
            if path is not None and os.path.isdir(path) and not _is_data(path, workspace):
                return path
    near = nearest(dataset, [*DATASETS, *own])
    if near:
        raise DatasetError("There is no data set '{dataset}': did you mean {near}?", dataset=shown(dataset), near=near)
    raise DatasetError(
        "There is no data set '{dataset}': choose one of {names}, or give a path to a folder of photos.",
        dataset=shown(dataset),
        names=", ".join([*DATASETS, *own]),
    )


def new_folder(name: str, workspace: Workspace) -> Path:
    """Where a new data set of that name will lie. Raises DatasetError where the name is none, or taken."""
    folder = inside(workspace.data, name)
    if os.path.lexists(folder) or name.casefold() in {reserved.casefold() for reserved in reserved_names()}:
        raise DatasetError("There is a data set {name} already: choose another name, or delete it first.", name=name)
    return folder


def _path(typed: str) -> Path | None:
    try:
        return typed_path(typed)
    except (OSError, ValueError):  # too long, a NUL
        return None


def _is_data(path: Path, workspace: Workspace) -> bool:
    """Whether `path` is data/ itself, or something hidden in it."""
    try:
        below = path.resolve().relative_to(workspace.data.resolve())
    except ValueError:
        return False
    return not below.parts or any(component.startswith(".") for component in below.parts)


def own_folders(workspace: Workspace) -> list[str]:
    """Names of the folders under data/ that a person put there."""
    if not workspace.data.is_dir():
        return []
    reserved = reserved_names()
    return sorted(
        p.name for p in workspace.data.iterdir() if p.is_dir() and p.name not in reserved and not p.name.startswith(".")
    )
