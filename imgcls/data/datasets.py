"""A name or a folder -> tensors: train, validation and test parts with their class names.

Known sets come from fetch.py and pen.py, folders of photos from folders.py through the decoded cache. The validation
part is held out of the training part by seed, unless a folder brings its own; the test part is only ever used for the
final figure. Knows nothing of networks beyond the form in which images are wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from imgcls.data.augmentation import WHOLE_PHOTO
from imgcls.data.catalog import PEN_HELD_OUT, PEN_RENDERINGS, folder_of, listed
from imgcls.data.image_folders import scan
from imgcls.data.photos import StreamingPhotos
from imgcls.data.splitting import Split, divide, held_out, join
from imgcls.errors import DatasetError
from imgcls.imaging.preprocess import CROP_MARGIN, Preprocess
from imgcls.messages import Message
from imgcls.recipes import KIND_OF, preprocess_for
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

Progress = Callable[[int, int], None]  # (images ready, in all)


@dataclass(frozen=True)
class DataSet:
    """`notes`: what a person should know before trusting the figures, e.g. files that were left out."""

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split | None
    preprocess: Preprocess
    notes: tuple[Message, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Images in each part that there is."""
        return {part: len(s) for part in ("train", "val", "test") if (s := getattr(self, part)) is not None}


def load_dataset(settings: TrainSettings, workspace: Workspace, *, progress: Progress | None = None) -> DataSet:
    """Everything a run needs of its data. Raises DatasetError."""
    preprocess = preprocess_for(settings)
    if settings.dataset in KIND_OF:
        made = _known(settings, workspace, preprocess, progress)
    else:
        made = _photos(settings, workspace, preprocess, progress)
    return _limited(made, settings)


def load_for_evaluation(
    settings: TrainSettings, workspace: Workspace, preprocess: Preprocess, classes: tuple[str, ...]
) -> tuple[Split, str]:
    """(the test part, "test"), or (the validation part, "val") where there is none; in the form `preprocess` wants.

    Raises DatasetError where the set's classes are not the ones that the network knows.
    """
    if settings.dataset in KIND_OF:
        made = _known(settings, workspace, preprocess, None)
    else:
        made = _photos(settings, workspace, preprocess, None)
    if made.classes != tuple(classes):
        raise DatasetError(
            "{name} has the classes {classes}, but the checkpoint knows {known}: choose a data set with "
            "the same classes.",
            name=settings.dataset,
            classes=listed(made.classes),
            known=listed(classes),
        )
    split, part = (made.test, "test") if made.test is not None else (made.val, "val")
    if split.images.shape[1:] != (preprocess.channels, preprocess.storage_size, preprocess.storage_size):
        raise DatasetError(
            "{name} has images of {shape}, but the checkpoint wants {wanted}: choose a data set of the same kind.",
            name=settings.dataset,
            shape=tuple(split.images.shape[1:]),
            wanted=(preprocess.channels, preprocess.storage_size, preprocess.storage_size),
        )
    return split, part


def _known(settings: TrainSettings, workspace: Workspace, preprocess: Preprocess, progress: Progress | None) -> DataSet:
    from imgcls.data.download import CLASSES, load_arrays

    trains, vals, test = [], [], None
    for name in settings.dataset.split("+"):
        if name == "pen-digits":
            train, val = _pen(workspace, progress)
        else:
            arrays = load_arrays(name, workspace)
            whole = Split(*arrays["train"])
            train, val = divide(whole, held_out(len(whole), settings, name), settings.seed)
            test = test or Split(*arrays["test"])
        trains.append(train)
        vals.append(val)
    classes = CLASSES[settings.dataset.split("+")[0]]
    return DataSet(settings.dataset, classes, join(trains), join(vals), test, preprocess)


def _pen(workspace: Workspace, progress: Progress | None) -> tuple[Split, Split]:
    """Pen drawings: the last writers are held out, so that validation asks about hands never seen."""
    from imgcls.data.pen_digits import load_pen_digits

    images, labels = load_pen_digits(
        workspace.shipped("data", "pen-digits", "pen-digits-train.json.gz"),
        renderings=PEN_RENDERINGS,
        seed=0,  # one set of renderings for every run: making them takes a minute
        cache=workspace.data / ".imgcls-cache",
        progress=progress,
    )
    drawings = len(labels) // PEN_RENDERINGS
    first = drawings - drawings // PEN_HELD_OUT
    drawing = torch.arange(len(labels)) % drawings
    whole = Split(images, labels)
    return whole.take((drawing < first).nonzero()[:, 0]), whole.take((drawing >= first).nonzero()[:, 0])


def _photos(
    settings: TrainSettings, workspace: Workspace, preprocess: Preprocess, progress: Progress | None
) -> DataSet:
    root = folder_of(settings.dataset, workspace)
    found = scan(root)
    parts = dict(found.splits)
    if "val" not in parts:
        size = held_out(len(parts["train"]), settings, settings.dataset)
        order = torch.randperm(len(parts["train"]), generator=torch.Generator().manual_seed(settings.seed)).tolist()
        files = parts["train"]
        parts["val"] = [files[i] for i in sorted(order[:size])]
        parts["train"] = [files[i] for i in sorted(order[size:])]
    notes = list(found.notes)
    splits = {}
    for part, files in parts.items():
        whole_photo = part == "train" and settings.augment in WHOLE_PHOTO
        splits[part] = _decode(root, files, preprocess, whole_photo, notes, progress)
        if len(splits[part]) < (2 if part == "train" else 1):
            raise DatasetError(
                "{name} has no readable image to use for {part}: look at its report.", name=settings.dataset, part=part
            )
    return DataSet(
        settings.dataset,
        tuple(found.classes),
        splits["train"],
        splits["val"],
        splits.get("test"),
        preprocess,
        tuple(notes),
    )


def _decode(
    root: Path,
    files: list[tuple[Path, int]],
    preprocess: Preprocess,
    whole_photo: bool,
    notes: list[Message],
    progress: Progress | None,
) -> Split:
    """Photos as one uint8 tensor: the evaluation crop, or the whole photo squeezed square for random crops."""
    from imgcls.data.decode_cache import MAX_BYTES, TooLarge, decoded

    form = {
        "side": round(preprocess.storage_size * CROP_MARGIN) if whole_photo else preprocess.storage_size,
        "channels": preprocess.channels,
        "resize_mode": "stretch" if whole_photo else preprocess.resize_mode,
    }
    labels = torch.tensor([label for _, label in files], dtype=torch.int64)
    paths = tuple(str(path) for path, _ in files)
    try:
        made = decoded([path for path, _ in files], root=root, **form, max_bytes=MAX_BYTES, progress=progress)
    except TooLarge as error:
        notes.append(Message("Photos are read anew in every epoch: {why}", why=error.message))
        return Split(StreamingPhotos(paths, **form), labels, None, paths)
    notes.extend(why for _, why in made.errors)
    split = Split(made.images, labels, made.aspects if whole_photo else None, paths)
    return split if bool(made.ok.all()) else split.take(made.ok.nonzero()[:, 0])


def _limited(made: DataSet, settings: TrainSettings) -> DataSet:
    """The first `train_images` of a seeded order, as even over the classes as chance makes them."""
    if not settings.train_images or settings.train_images >= len(made.train):
        return made
    generator = torch.Generator().manual_seed(settings.seed + 1)
    indices = torch.randperm(len(made.train), generator=generator)[: settings.train_images]
    return replace(made, train=made.train.take(indices.sort().values))
