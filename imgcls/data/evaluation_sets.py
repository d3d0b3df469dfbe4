"""The images that a trained network is measured on: a part of its own data set, or another set with the same classes.

Its own set is divided as for training. Nothing but the part that is asked for is decoded.
"""

from __future__ import annotations

import os

from imgcls.data.catalog import folder_of
from imgcls.data.datasets import CORRECTED, Progress, builtin_set, decode
from imgcls.data.folder_problems import listed
from imgcls.data.folder_split import divide_photos
from imgcls.data.image_folders import scan
from imgcls.data.registry import classes_of, has_test, is_builtin, parts_of
from imgcls.data.splitting import Split, join
from imgcls.errors import DatasetError
from imgcls.imaging.preprocess import Preprocess
from imgcls.messages import Setting
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace


def load_for_evaluation(
    dataset: str,
    workspace: Workspace,
    *,
    trained: TrainSettings,
    preprocess: Preprocess,
    classes: tuple[str, ...],
    part: str = "",
    progress: Progress | None = None,
) -> tuple[Split, str]:
    """(images in the form that `preprocess` wants, which part of `dataset` they are).

    trained: what the checkpoint was trained with. Of its own data set the test part is taken, or the validation part
    where there is none; of a built-in set the test part; of any other all images ("all"). part: "train", "val", "test"
    or "all" to ask for that one. Nothing else is decoded. Raises DatasetError where there is no such part, or where the
    set's classes are not the ones that the network knows.
    """
    settings = trained.model_copy(update={"dataset": dataset})
    if is_builtin(dataset):
        own = bool(set(dataset.split("+")) & set(trained.dataset.split("+")))
        part = part or ("test" if has_test(dataset) else "val" if own else "all")
        known, splits = _builtin_splits(settings, workspace, preprocess, part, progress)
    else:
        folder = folder_of(dataset, workspace)
        own = not is_builtin(trained.dataset) and _same_folder(dataset, trained.dataset, workspace)
        if own:  # divided as for training, with the labels that the photos have
            files = divide_photos(settings.model_copy(update={"flip_labels": 0.0}), workspace)
            known, parts = files.classes, files.parts
        else:  # a fresh folder is not divided, however few photos it has
            found = scan(folder)
            known, parts = found.classes, found.splits
        part = part or (("test" if "test" in parts else "val") if own else "all")
        wanted = [pair for pairs in parts.values() for pair in pairs] if part == "all" else parts.get(part, [])
        splits = [decode(folder, wanted, preprocess, [], progress)] if known == tuple(classes) and wanted else []
    if known != tuple(classes):
        raise DatasetError(
            "{name} has the classes {classes}, but the checkpoint knows {known}: choose a data set with "
            "the same classes.",
            name=dataset,
            classes=listed(known),
            known=listed(classes),
        )
    if not any(map(len, splits)):
        raise DatasetError(
            "{name} has no readable image to use for {part}: look at its report.",
            name=dataset,
            part=Setting("part", part),
        )
    split = join(splits)
    wanted_shape = (preprocess.channels, preprocess.storage_size, preprocess.storage_size)
    if tuple(split.images.shape[1:]) != wanted_shape:
        raise DatasetError(
            "{name} has images of {shape}, but the checkpoint wants {wanted}: choose a data set of the same kind.",
            name=dataset,
            shape=tuple(split.images.shape[1:]),
            wanted=wanted_shape,
        )
    return split, part


def divided_anew(dataset: str, workspace: Workspace, *, trained: TrainSettings, fingerprint: str) -> bool:
    """Whether photos have come, gone or moved since a network was trained on them, so that the validation part held out
    of them may now hold some that it has learnt from. fingerprint: of the data that it was trained with."""
    if not fingerprint or is_builtin(dataset) or is_builtin(trained.dataset):
        return False
    if not _same_folder(dataset, trained.dataset, workspace):
        return False
    files = divide_photos(trained, workspace)
    # What was kept of other pictures is no part of the folder; an earlier version wrote it behind without a mark.
    known = fingerprint.split(CORRECTED)[0]
    known = known[: len(files.fingerprint)] if trained.corrections else known
    return "val" not in files.found.splits and files.fingerprint != known


def _builtin_splits(
    settings: TrainSettings, workspace: Workspace, preprocess: Preprocess, part: str, progress: Progress | None
) -> tuple[tuple[str, ...], list[Split]]:
    """(classes, the splits that `part` or "all" means); what is not asked for is not made."""
    from imgcls.data.download import load_arrays

    if part == "test":
        first = next((spec.name for spec in parts_of(settings.dataset) if has_test(spec.name)), None)
        return classes_of(settings.dataset), [Split(*load_arrays(first, workspace)["test"])] if first else []
    made = builtin_set(settings, workspace, preprocess, progress)
    wanted = ("train", "val", "test") if part == "all" else (part,)
    return made.classes, [split for name in wanted if (split := getattr(made, name)) is not None]


def _same_folder(one: str, other: str, workspace: Workspace) -> bool:
    try:
        return os.path.samefile(folder_of(one, workspace), folder_of(other, workspace))
    except (DatasetError, OSError):
        return False
