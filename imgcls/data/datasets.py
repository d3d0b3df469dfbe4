"""A name or a folder -> tensors: train, validation and test parts with their class names.

Built-in sets are read by their rows, folders of photos by folder_split.py through the decode cache. The validation
part is held out of the training part by seed, unless a folder brings its own; the test part is only ever used for the
final figure. How images reach the network is the caller's to say (recipes.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.augmentations import crops_photos
from imgcls.data import corrections
from imgcls.data.content_digests import content_digests
from imgcls.data.folder_problems import left_out_notes, listed
from imgcls.data.folder_split import PhotoFiles, divide_photos
from imgcls.data.known_places import divide_after, divide_places, place_names, places_of
from imgcls.data.manifest import LeftOut, Lineage, Manifest, ManifestSplit, lacking_notes
from imgcls.data.photos import StorageFormat, StreamingPhotos
from imgcls.data.registry import DatasetSpec, classes_of, is_builtin, parts_of
from imgcls.data.splitting import Split, flip_labels, join, some_of_each
from imgcls.errors import DatasetError
from imgcls.imaging.image_io import open_image
from imgcls.imaging.preprocess import Preprocess
from imgcls.messages import Message, Setting, plural
from imgcls.progress import Progress
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

Files = Callable[[DatasetSpec, Workspace, Progress | None], dict[str, Split]]
SHARE, MOST_OFTEN = 0.05, 200  # of the training images that are corrections; times that one is learnt an epoch
CORRECTED = "+"  # in a fingerprint: what follows is of the pictures that were kept


@dataclass(frozen=True)
class DataSet:
    """`notes`: what a person should know before trusting the figures, e.g. files that were left out. `manifest`: which
    images they are. `fingerprint`: of the division, as earlier versions knew it, for their runs."""

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split | None
    preprocess: Preprocess
    notes: tuple[Message, ...] = ()
    fingerprint: str = ""
    manifest: Manifest = field(default_factory=lambda: Manifest("", (), {}))

    @property
    def sizes(self) -> dict[str, int]:
        """Images in each part that there is."""
        return {part: len(s) for part in ("train", "val", "test") if (s := getattr(self, part)) is not None}


def load_dataset(
    settings: TrainSettings,
    workspace: Workspace,
    preprocess: Preprocess,
    *,
    progress: Progress | None = None,
    lineage: Lineage | None = None,
    manifest: Manifest | None = None,
) -> DataSet:
    """Everything a run needs of its data, in the form that `preprocess` says. lineage: what the network has seen that
    the run starts from; manifest: of a run, whose images are wanted again in the same splits. Raises DatasetError."""
    from imgcls.data.download import forget_what_was_read

    if is_builtin(settings.dataset):
        made = _as_learnt(
            builtin_set(settings, workspace, preprocess, progress, lineage=lineage, manifest=manifest), settings
        )
        forget_what_was_read()
        made = _corrected(replace(made, fingerprint=_fingerprint(made)), settings, workspace)
    else:
        forget_what_was_read()
        files = divide_photos(settings, workspace, lineage=lineage, manifest=manifest)
        made = _corrected(_photos(files, settings, preprocess, progress), settings, workspace)
    found = made.manifest
    if manifest is not None:
        found = replace(found, earlier=manifest.earlier, earlier_unknown=manifest.earlier_unknown)
    elif lineage is not None:
        found = found.after(lineage)
    before = lineage.notes if lineage is not None else ()
    return replace(made, manifest=found, notes=(*before, *lacking_notes(found.lacking), *made.notes))


def list_images(settings: TrainSettings, workspace: Workspace, preprocess: Preprocess) -> tuple[str, Manifest]:
    """(fingerprint, manifest) of what a run with these settings would learn from now, corrections left aside; no photo
    is decoded, no drawing rendered. Raises DatasetError."""
    if is_builtin(settings.dataset):
        made = _as_learnt(builtin_set(settings, workspace, preprocess, None, files=_labels_of), settings)
        return _fingerprint(made), made.manifest
    files = divide_photos(settings, workspace)
    start = os.path.join(files.folder, "")
    splits = {
        part: ManifestSplit(
            tuple(str(path).removeprefix(start).replace(os.sep, "/") for path, _ in pairs),
            tuple(label for _, label in pairs),
            files.folder,
        )
        for part, pairs in files.parts.items()
    }
    return files.fingerprint, Manifest(settings.dataset, files.classes, splits)


def _as_learnt(made: DataSet, settings: TrainSettings) -> DataSet:
    """A built-in set with as many training images as are wanted, and with the labels that are made wrong on purpose."""
    made = _limited(made, settings)
    labels, changed = flip_labels(made.train.labels, len(made.classes), share=settings.flip_labels, seed=settings.seed)
    made = replace(made, train=replace(made.train, labels=labels), notes=_flips(len(changed)))
    return _with_train(made, _listed(made.manifest.splits["train"].paths, made.train)) if len(changed) else made


def _fingerprint(made: DataSet) -> str:
    """Of a built-in set, whose files are checked elsewhere: the labels in their order tell divisions apart."""
    digest = blake2b(repr((made.name, made.sizes)).encode(), digest_size=16)
    for split in (made.train, made.val):
        digest.update(split.labels.numpy().tobytes())
    return digest.hexdigest()


def builtin_set(
    settings: TrainSettings,
    workspace: Workspace,
    preprocess: Preprocess,
    progress: Progress | None,
    *,
    files: Files | None = None,
    lineage: Lineage | None = None,
    manifest: Manifest | None = None,
) -> DataSet:
    """files: what reads a built-in set's own files, by default its images with their labels; lineage, manifest: as in
    `load_dataset`."""
    read = files or _files_of

    def divide(spec: DatasetSpec, images: int) -> tuple[Tensor, Tensor]:
        if manifest is not None:
            train, val = (places_of(spec, manifest.splits[part].paths, images) for part in ("train", "val"))
            return train, val
        return divide_after(spec, images, settings, lineage) if lineage else divide_places(spec, images, settings)

    splits: dict[str, Split] = {}
    listed_images: dict[str, ManifestSplit] = {}
    for part, found in _divided(settings.dataset, lambda spec: read(spec, workspace, progress), divide).items():
        splits[part] = join([split for split, _ in found])
        listed_images[part] = _listed([path for _, paths in found for path in paths], splits[part])
    classes = classes_of(settings.dataset)
    return DataSet(
        settings.dataset,
        classes,
        splits["train"],
        splits["val"],
        splits.get("test"),
        preprocess,
        manifest=Manifest(settings.dataset, classes, listed_images),
    )


def _divided(
    dataset: str,
    read: Callable[[DatasetSpec], dict[str, Split]],
    divide: Callable[[DatasetSpec, int], tuple[Tensor, Tensor]],
) -> dict[str, list[tuple[Split, tuple[str, ...]]]]:
    """ "train", "val" and perhaps "test": the images of each built-in set in it, and what they are called."""
    made: dict[str, list[tuple[Split, tuple[str, ...]]]] = {"train": [], "val": []}
    for spec in parts_of(dataset):
        files = read(spec)
        whole = files["train"]
        for part, places in zip(("train", "val"), divide(spec, len(whole)), strict=True):
            made[part].append((whole.take(places), place_names(spec, "train", places, len(whole))))
        if "test" in files and "test" not in made:
            count = len(files["test"])
            made["test"] = [(files["test"], place_names(spec, "test", torch.arange(count), count))]
    return made


def built_in_images(
    dataset: str, workspace: Workspace, file: str, progress: Progress | None = None
) -> tuple[Split | None, tuple[str, ...]]:
    """Everything in the "train" or the "test" files of a built-in set, in their order, and what each image is called;
    None where there is no such file."""
    found, paths = [], []
    for spec in parts_of(dataset):
        if file not in spec.counts or (file == "test" and found):
            continue
        split = _files_of(spec, workspace, progress)[file]
        found.append(split)
        paths += place_names(spec, file, torch.arange(len(split)), len(split))
    return (join(found) if found else None), tuple(paths)


def _files_of(spec: DatasetSpec, workspace: Workspace, progress: Progress | None) -> dict[str, Split]:
    from imgcls.data.download import load_arrays

    return {part: Split(*arrays) for part, arrays in load_arrays(spec.name, workspace, progress=progress).items()}


def _labels_of(spec: DatasetSpec, workspace: Workspace, progress: Progress | None) -> dict[str, Split]:
    """Labels alone, with numbers for images: rendering all drawings of a set takes a minute."""
    from imgcls.data.download import load_arrays

    if drawn := spec.renderings:
        spec.require(workspace)
        labels = drawn.read_labels(spec.in_workspace(workspace) / spec.required[0])
        found = {"train": torch.tensor(labels, dtype=torch.int64).repeat(drawn.each)}
    else:
        arrays = load_arrays(spec.name, workspace, progress=progress)
        found = {part: part_labels for part, (_, part_labels) in arrays.items()}
    return {part: Split(torch.arange(len(one)), one) for part, one in found.items()}


def _listed(paths: Sequence[str], split: Split, folder: Path | None = None) -> ManifestSplit:
    return ManifestSplit(tuple(paths), tuple(split.labels.tolist()), folder)


def _photos(files: PhotoFiles, settings: TrainSettings, preprocess: Preprocess, progress: Progress | None) -> DataSet:
    splits, notes = {}, [*_flips(len(files.flipped)), *files.found.notes, *files.notes]
    broken: list[LeftOut] = []
    for part, pairs in files.parts.items():
        whole_photo = part == "train" and crops_photos(settings.augment)
        splits[part] = decode(files.folder, pairs, preprocess, broken, progress, whole_photo=whole_photo)
        if len(splits[part]) < (2 if part == "train" else 1):
            raise DatasetError(
                "{name} has no readable image to use for {part}: look at its report.",
                name=settings.dataset,
                part=Setting("part", part),
            )
    learnt = set(splits["train"].labels.tolist())
    if lost := tuple(name for i, name in enumerate(files.classes) if i not in learnt):
        raise DatasetError(
            "{name} has no readable training image of {classes}: look at its report.",
            name=settings.dataset,
            classes=listed(lost),
        )
    if splits["train"].streams:
        notes.append(
            Message("The photos do not fit into the cache: they are read anew in every epoch, which is slower.")
        )
    notes += left_out_notes([one.reason for one in broken])
    return DataSet(
        settings.dataset,
        files.classes,
        splits["train"],
        splits["val"],
        splits.get("test"),
        preprocess,
        tuple(notes),
        files.fingerprint,
        Manifest(
            settings.dataset,
            files.classes,
            {part: _listed(_below(files.folder, split), split, files.folder) for part, split in splits.items()},
            (*files.left_out, *broken),
        ),
    )


def _below(folder: Path, split: Split) -> list[str]:
    """Paths of a split's photos below their data set's folder."""
    start = os.path.join(folder, "")
    return [path.removeprefix(start).replace(os.sep, "/") for path in split.paths or ()]


def _flips(count: int) -> tuple[Message, ...]:
    if not count:
        return ()
    return (
        plural(
            "{count} training label was made wrong on purpose.",
            "{count} training labels were made wrong on purpose.",
            count=count,
        ),
    )


def decode(
    folder: Path,
    files: list[tuple[Path, int]],
    preprocess: Preprocess,
    broken: list[LeftOut],
    progress: Progress | None,
    *,
    whole_photo: bool = False,
) -> Split:
    """Photos as one uint8 tensor, or to be read anew each time where they do not fit into the cache.

    broken: receives each photo that cannot be read and is left out.
    """
    from imgcls.data.cache_room import TooLarge
    from imgcls.data.decode_cache import MAX_BYTES, decoded

    form = StorageFormat.of(preprocess, whole_photo=whole_photo)
    stored = asdict(form)
    labels = torch.tensor([label for _, label in files], dtype=torch.int64)
    paths = tuple(str(path) for path, _ in files)
    try:
        made = decoded([path for path, _ in files], root=folder, **stored, max_bytes=MAX_BYTES, progress=progress)
    except TooLarge:
        return Split(StreamingPhotos(paths, **stored), labels, None, paths)
    start = os.path.join(folder, "")
    broken.extend(LeftOut(str(path).removeprefix(start).replace(os.sep, "/"), why) for path, why in made.errors)
    split = Split(made.images, labels, made.aspects if whole_photo else None, paths)
    return split if bool(made.ok.all()) else split.take(made.ok.nonzero()[:, 0])


def as_answered(data: DataSet, split: Split, *, progress: Progress | None = None) -> Split:
    """Photos of `data` in the form in which the network is asked about them, the evaluation crop, where they are kept
    squeezed square for random crops: such a square never comes again. Other images are returned as they are."""
    from imgcls.data.cache_room import TooLarge
    from imgcls.data.decode_cache import MAX_BYTES, decoded

    folder = data.manifest.splits["val"].folder if "val" in data.manifest.splits else None
    streamed = split.images if isinstance(split.images, StreamingPhotos) else None
    whole_photos = split.aspects is not None or (streamed is not None and streamed.form.whole_photo)
    if not whole_photos or split.paths is None or folder is None:
        return split
    stored = asdict(StorageFormat.of(data.preprocess, whole_photo=False))
    unique = list(dict.fromkeys(split.paths))  # of corrections each is there many times
    try:
        files = [Path(path) for path in unique]
        made = decoded(files, root=folder, **stored, max_bytes=MAX_BYTES, progress=progress)
    except TooLarge:
        return Split(StreamingPhotos(split.paths, **stored), split.labels, None, split.paths)
    place = {path: i for i, path in enumerate(unique)}
    places = torch.tensor([place[path] for path in split.paths])
    images = made.images if len(unique) == len(split) else made.images[places]
    for i in (~made.ok[places]).nonzero()[:, 0].tolist():  # readable when the run began
        if streamed is None and isinstance(split.images, Tensor):
            images[i] = _smaller(split.images[i].cpu(), images.shape[-1])
    return Split(images, split.labels, None, split.paths)


def _smaller(image: Tensor, side: int) -> Tensor:
    return F.interpolate(image[None].float(), (side, side), mode="bilinear", antialias=True)[0].round().to(torch.uint8)


def _corrected(made: DataSet, settings: TrainSettings, workspace: Workspace) -> DataSet:
    """With the set of corrections among its training images, each often enough that together they are SHARE of them."""
    if not settings.corrections:
        return made
    found = corrections.find(settings.corrections, workspace, made.classes)
    if made.train.streams:
        raise DatasetError(
            "{name} does not fit into the cache, so that no corrections can be learnt beside it.", name=made.name
        )
    pairs, form = [(kept.path, kept.label) for kept in found.pictures()], made.preprocess
    if is_builtin(settings.dataset):
        read = [(form.to_stored(open_image(path)), label) for path, label in pairs]
        images, labels = torch.stack([image for image, _ in read]), torch.tensor([label for _, label in read])
        added = Split(images, labels)
    else:
        added = decode(found.folder, pairs, form, [], None, whole_photo=crops_photos(settings.augment))
    often = min(MOST_OFTEN, max(1, round(SHARE * len(made.train) / max(1, len(added)))))
    train = join([made.train, added.take(torch.arange(len(added)).repeat(often))])
    digest = blake2b(digest_size=4)
    for path, label in sorted(pairs):
        digest.update(f"{path.name} {label} {blake2b(path.read_bytes(), digest_size=8).hexdigest()} ".encode())
    own, beside = (
        made.manifest.splits["train"],
        [(f"{settings.corrections}/{kept.file}", kept) for kept in found.pictures()],
    )
    listed_images = ManifestSplit(
        own.paths + tuple(path for path, _ in beside),
        own.labels + tuple(kept.label for _, kept in beside),
        known_digests=own.digests + content_digests([kept.path for _, kept in beside], found.folder),
    )
    fingerprint = made.fingerprint + CORRECTED + digest.hexdigest()
    return _with_train(replace(made, train=train, fingerprint=fingerprint), listed_images)


def _limited(made: DataSet, settings: TrainSettings) -> DataSet:
    """The first `train_images` of a seeded order; no class is left out."""
    if not settings.train_images or settings.train_images >= len(made.train):
        return made
    wanted = some_of_each(made.train.labels.tolist(), settings.train_images, settings.seed)
    limited = replace(made, train=made.train.take(torch.tensor(wanted)))
    return _with_train(limited, made.manifest.splits["train"].take(wanted))


def _with_train(made: DataSet, images: ManifestSplit) -> DataSet:
    return replace(made, manifest=replace(made.manifest, splits={**made.manifest.splits, "train": images}))
