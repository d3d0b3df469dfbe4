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

from imgcls.data.augment import WHOLE_PHOTO
from imgcls.data.folders import scan
from imgcls.data.photos import StreamingPhotos
from imgcls.data.split import Split
from imgcls.errors import DatasetError
from imgcls.home import Home
from imgcls.preprocess import CROP_MARGIN, Preprocess
from imgcls.recipes import KIND_OF, preprocess_for
from imgcls.settings import TrainSettings

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
    notes: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Images in each part that there is."""
        return {part: len(s) for part in ("train", "val", "test") if (s := getattr(self, part)) is not None}


def load(settings: TrainSettings, home: Home, *, progress: Progress | None = None) -> DataSet:
    """Everything a run needs of its data. Raises DatasetError."""
    preprocess = preprocess_for(settings)
    if settings.dataset in KIND_OF:
        made = _known(settings, home, preprocess, progress)
    else:
        made = _photos(settings, home, preprocess, progress)
    return _limited(made, settings)


def load_for_evaluation(
    settings: TrainSettings, home: Home, preprocess: Preprocess, classes: tuple[str, ...]
) -> tuple[Split, str]:
    """(the test part, "test"), or (the validation part, "val") where there is none; in the form `preprocess` wants.

    Raises DatasetError where the set's classes are not the ones that the network knows.
    """
    if settings.dataset in KIND_OF:
        made = _known(settings, home, preprocess, None)
    else:
        made = _photos(settings, home, preprocess, None)
    if made.classes != tuple(classes):
        raise DatasetError(
            f"{settings.dataset} has the classes {_listed(made.classes)}, but the checkpoint knows "
            f"{_listed(classes)}: choose a data set with the same classes."
        )
    split, part = (made.test, "test") if made.test is not None else (made.val, "val")
    if split.images.shape[1:] != (preprocess.channels, preprocess.stored, preprocess.stored):
        raise DatasetError(
            f"{settings.dataset} has images of {tuple(split.images.shape[1:])}, but the checkpoint wants "
            f"{(preprocess.channels, preprocess.stored, preprocess.stored)}: choose a data set of the same kind."
        )
    return split, part


def _listed(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:5]) + (f" and {len(classes) - 5} more" if len(classes) > 5 else "")


def check(settings: TrainSettings, home: Home) -> None:
    """What can be said before a run is made: is the set there, has it two classes, does the split leave images?"""
    if settings.dataset in KIND_OF:
        from imgcls.data.fetch import require

        for part in settings.dataset.split("+"):
            require(part, home)
            if part in TRAINING_IMAGES:
                held_out(TRAINING_IMAGES[part], settings, part)
        return
    root = folder_of(settings.dataset, home)
    photos = scan(root)
    if "val" not in photos.splits:
        held_out(len(photos.splits["train"]), settings, settings.dataset)


def counted(settings: TrainSettings, home: Home) -> tuple[int, int, int]:
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
        found = scan(folder_of(settings.dataset, home))
        train, classes = len(found.splits["train"]), len(found.classes)
        val = len(found.splits.get("val", ())) or held_out(train, settings, settings.dataset)
        train -= 0 if "val" in found.splits else val
    return min(train, settings.train_images or train), val, classes


def folder_of(dataset: str, home: Home) -> Path:
    """A folder under data/, or a path. Raises DatasetError that lists what there is."""
    inside = (home.data / dataset).resolve()
    parts = Path(dataset).parts
    hidden = not parts or any(part.startswith(".") for part in parts)  # drafts, caches, data/ itself
    if not hidden and inside.is_relative_to(home.data.resolve()) and inside.is_dir():
        return inside
    path = Path(dataset).expanduser()
    if path.is_dir() and ("/" in dataset or "\\" in dataset or path.is_absolute()):
        return path.resolve()
    names = [*KIND_OF, *own_folders(home)]
    raise DatasetError(
        f"There is no data set '{dataset}': choose one of {', '.join(names)}, or give a path to a folder of photos."
    )


def own_folders(home: Home) -> list[str]:
    """Names of the folders under data/ that a person put there."""
    if not home.data.is_dir():
        return []
    return sorted(
        p.name for p in home.data.iterdir() if p.is_dir() and p.name not in RESERVED and not p.name.startswith(".")
    )


def held_out(count: int, settings: TrainSettings, name: str) -> int:
    """How many of `count` training images are held out for validation."""
    wanted = settings.val_split
    size = max(1, round(count * wanted)) if wanted < 1 else int(wanted)
    if count - size < 2:
        raise DatasetError(
            f"{name} has {count} training images, and val_split {wanted:g} leaves {max(0, count - size)} of them: "
            "choose a smaller val_split, e.g. 0.2."
        )
    return size


def _known(settings: TrainSettings, home: Home, preprocess: Preprocess, progress: Progress | None) -> DataSet:
    from imgcls.data.fetch import CLASSES, load_arrays

    trains, vals, test = [], [], None
    for name in settings.dataset.split("+"):
        if name == "pen-digits":
            train, val = _pen(home, progress)
        else:
            arrays = load_arrays(name, home)
            whole = Split(*arrays["train"])
            train, val = _divide(whole, held_out(len(whole), settings, name), settings.seed)
            test = test or Split(*arrays["test"])
        trains.append(train)
        vals.append(val)
    classes = CLASSES[settings.dataset.split("+")[0]]
    return DataSet(settings.dataset, classes, _join(trains), _join(vals), test, preprocess)


def _pen(home: Home, progress: Progress | None) -> tuple[Split, Split]:
    """Pen drawings: the last writers are held out, so that validation asks about hands never seen."""
    from imgcls.data.pen import load_pen_digits

    images, labels = load_pen_digits(
        home.shipped("data", "pen-digits", "pen-digits-train.json.gz"),
        renderings=PEN_RENDERINGS,
        seed=0,  # one set of renderings for every run: making them takes a minute
        cache=home.data / ".imgcls-cache",
        progress=progress,
    )
    drawings = len(labels) // PEN_RENDERINGS
    first = drawings - drawings // PEN_HELD_OUT
    drawing = torch.arange(len(labels)) % drawings
    whole = Split(images, labels)
    return whole.take((drawing < first).nonzero()[:, 0]), whole.take((drawing >= first).nonzero()[:, 0])


def _photos(settings: TrainSettings, home: Home, preprocess: Preprocess, progress: Progress | None) -> DataSet:
    root = folder_of(settings.dataset, home)
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
            raise DatasetError(f"{settings.dataset} has no readable image to use for {part}: look at its report.")
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
    notes: list[str],
    progress: Progress | None,
) -> Split:
    """Photos as one uint8 tensor: the evaluation crop, or the whole photo squeezed square for random crops."""
    from imgcls.data import cache

    form = {
        "side": round(preprocess.stored * CROP_MARGIN) if whole_photo else preprocess.stored,
        "channels": preprocess.channels,
        "how": "stretch" if whole_photo else preprocess.fit,
    }
    labels = torch.tensor([label for _, label in files], dtype=torch.int64)
    paths = tuple(str(path) for path, _ in files)
    try:
        made = cache.decoded(
            [path for path, _ in files], root=root, **form, max_bytes=cache.MAX_BYTES, progress=progress
        )
    except cache.TooLarge as error:
        notes.append(f"Photos are read anew in every epoch: {error}")
        return Split(StreamingPhotos(paths, **form), labels, None, paths)
    notes.extend(sentence for _, sentence in made.errors)
    split = Split(made.images, labels, made.aspects if whole_photo else None, paths)
    return split if bool(made.ok.all()) else split.take(made.ok.nonzero()[:, 0])


def _divide(whole: Split, size: int, seed: int) -> tuple[Split, Split]:
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))
    return whole.take(order[size:]), whole.take(order[:size])


def _join(parts: list[Split]) -> Split:
    if len(parts) == 1:
        return parts[0]
    return Split(torch.cat([p.images for p in parts]), torch.cat([p.labels for p in parts]))


def _limited(made: DataSet, settings: TrainSettings) -> DataSet:
    """The first `train_images` of a seeded order, as even over the classes as chance makes them."""
    if not settings.train_images or settings.train_images >= len(made.train):
        return made
    generator = torch.Generator().manual_seed(settings.seed + 1)
    places = torch.randperm(len(made.train), generator=generator)[: settings.train_images]
    return replace(made, train=made.train.take(places.sort().values))
