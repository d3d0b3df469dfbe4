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
from imgcls.data.index_names import divide_after, divide_indices, index_names, indices_of
from imgcls.data.manifest import LeftOut, Lineage, Manifest, ManifestSplit, lacking_notes
from imgcls.data.photos import StorageFormat, StreamingPhotos
from imgcls.data.registry import DatasetSpec, classes_of, is_builtin, parts_of
from imgcls.data.splitting import Split, flip_labels, join, stratified_subset
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
        return {split: len(s) for split in ("train", "val", "test") if (s := getattr(self, split)) is not None}


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
    from imgcls.data.download import clear_prefetched

    if is_builtin(settings.dataset):
        data = _as_learnt(
            builtin_set(settings, workspace, preprocess, progress, lineage=lineage, manifest=manifest), settings
        )
        clear_prefetched()
        data = _corrected(replace(data, fingerprint=_fingerprint(data)), settings, workspace)
    else:
        clear_prefetched()
        files = divide_photos(settings, workspace, lineage=lineage, manifest=manifest)
        data = _corrected(_photos(files, settings, preprocess, progress), settings, workspace)
    listed_images = data.manifest
    if manifest is not None:
        listed_images = replace(listed_images, earlier=manifest.earlier, earlier_unknown=manifest.earlier_unknown)
    elif lineage is not None:
        listed_images = listed_images.after(lineage)
    lineage_notes = lineage.notes if lineage is not None else ()
    return replace(
        data, manifest=listed_images, notes=(*lineage_notes, *lacking_notes(listed_images.lacking), *data.notes)
    )


def list_images(settings: TrainSettings, workspace: Workspace, preprocess: Preprocess) -> tuple[str, Manifest]:
    """(fingerprint, manifest) of what a run with these settings would learn from now, corrections left aside; no photo
    is decoded, no drawing rendered. Raises DatasetError."""
    if is_builtin(settings.dataset):
        data = _as_learnt(builtin_set(settings, workspace, preprocess, None, files=_labels_of), settings)
        return _fingerprint(data), data.manifest
    files = divide_photos(settings, workspace)
    start = os.path.join(files.folder, "")
    splits = {
        split: ManifestSplit(
            tuple(str(path).removeprefix(start).replace(os.sep, "/") for path, _ in pairs),
            tuple(label for _, label in pairs),
            files.folder,
        )
        for split, pairs in files.splits.items()
    }
    return files.fingerprint, Manifest(settings.dataset, files.classes, splits)


def _as_learnt(data: DataSet, settings: TrainSettings) -> DataSet:
    """A built-in set with as many training images as are wanted, and with the labels that are made wrong on purpose."""
    data = _limited(data, settings)
    labels, changed = flip_labels(data.train.labels, len(data.classes), share=settings.flip_labels, seed=settings.seed)
    data = replace(data, train=replace(data.train, labels=labels), notes=_flips(len(changed)))
    return _with_train(data, _listed(data.manifest.splits["train"].paths, data.train)) if len(changed) else data


def _fingerprint(data: DataSet) -> str:
    """Of a built-in set, whose files are checked elsewhere: the labels in their order tell divisions apart."""
    digest = blake2b(repr((data.name, data.sizes)).encode(), digest_size=16)
    for split in (data.train, data.val):
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
            train, val = (indices_of(spec, manifest.splits[split].paths, images) for split in ("train", "val"))
            return train, val
        return divide_after(spec, images, settings, lineage) if lineage else divide_indices(spec, images, settings)

    splits: dict[str, Split] = {}
    listed_images: dict[str, ManifestSplit] = {}
    for name, read_files in _divided(settings.dataset, lambda spec: read(spec, workspace, progress), divide).items():
        splits[name] = join([split for split, _ in read_files])
        listed_images[name] = _listed([path for _, paths in read_files for path in paths], splits[name])
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
    divided: dict[str, list[tuple[Split, tuple[str, ...]]]] = {"train": [], "val": []}
    for spec in parts_of(dataset):
        files = read(spec)
        whole = files["train"]
        for split, indices in zip(("train", "val"), divide(spec, len(whole)), strict=True):
            divided[split].append((whole.take(indices), index_names(spec, "train", indices, len(whole))))
        if "test" in files and "test" not in divided:
            count = len(files["test"])
            divided["test"] = [(files["test"], index_names(spec, "test", torch.arange(count), count))]
    return divided


def built_in_images(
    dataset: str, workspace: Workspace, file: str, progress: Progress | None = None
) -> tuple[Split | None, tuple[str, ...]]:
    """Everything in the "train" or the "test" files of a built-in set, in their order, and what each image is called;
    None where there is no such file."""
    splits, paths = [], []
    for spec in parts_of(dataset):
        if file not in spec.counts or (file == "test" and splits):
            continue
        split = _files_of(spec, workspace, progress)[file]
        splits.append(split)
        paths += index_names(spec, file, torch.arange(len(split)), len(split))
    return (join(splits) if splits else None), tuple(paths)


def _files_of(spec: DatasetSpec, workspace: Workspace, progress: Progress | None) -> dict[str, Split]:
    from imgcls.data.download import load_arrays

    return {name: Split(*arrays) for name, arrays in load_arrays(spec.name, workspace, progress=progress).items()}


def _labels_of(spec: DatasetSpec, workspace: Workspace, progress: Progress | None) -> dict[str, Split]:
    """Labels alone, with numbers for images: rendering all drawings of a set takes a minute."""
    from imgcls.data.download import load_arrays

    if renderings := spec.renderings:
        spec.require(workspace)
        labels = renderings.read_labels(spec.in_workspace(workspace) / spec.required[0])
        labels_of_split = {"train": torch.tensor(labels, dtype=torch.int64).repeat(renderings.each)}
    else:
        arrays = load_arrays(spec.name, workspace, progress=progress)
        labels_of_split = {name: labels for name, (_, labels) in arrays.items()}
    return {name: Split(torch.arange(len(labels)), labels) for name, labels in labels_of_split.items()}


def _listed(paths: Sequence[str], split: Split, folder: Path | None = None) -> ManifestSplit:
    return ManifestSplit(tuple(paths), tuple(split.labels.tolist()), folder)


def _photos(files: PhotoFiles, settings: TrainSettings, preprocess: Preprocess, progress: Progress | None) -> DataSet:
    splits, notes = {}, [*_flips(len(files.flipped)), *files.photos.notes, *files.notes]
    broken: list[LeftOut] = []
    for split, pairs in files.splits.items():
        whole_photo = split == "train" and crops_photos(settings.augment)
        splits[split] = decode(files.folder, pairs, preprocess, broken, progress, whole_photo=whole_photo)
        if len(splits[split]) < (2 if split == "train" else 1):
            raise DatasetError(
                "{name} has no readable image to use for {part}: look at its report.",
                name=settings.dataset,
                part=Setting("part", split),
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
    notes += left_out_notes([left_out.reason for left_out in broken])
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
            {
                split_name: _listed(_below(files.folder, split), split, files.folder)
                for split_name, split in splits.items()
            },
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
        decoded_photos = decoded(
            [path for path, _ in files], root=folder, **stored, max_bytes=MAX_BYTES, progress=progress
        )
    except TooLarge:
        return Split(StreamingPhotos(paths, **stored), labels, None, paths)
    start = os.path.join(folder, "")
    broken.extend(
        LeftOut(str(path).removeprefix(start).replace(os.sep, "/"), why) for path, why in decoded_photos.errors
    )
    split = Split(decoded_photos.images, labels, decoded_photos.aspects if whole_photo else None, paths)
    return split if bool(decoded_photos.ok.all()) else split.take(decoded_photos.ok.nonzero()[:, 0])


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
        decoded_photos = decoded(files, root=folder, **stored, max_bytes=MAX_BYTES, progress=progress)
    except TooLarge:
        return Split(StreamingPhotos(split.paths, **stored), split.labels, None, split.paths)
    position = {path: i for i, path in enumerate(unique)}
    indices = torch.tensor([position[path] for path in split.paths])
    images = decoded_photos.images if len(unique) == len(split) else decoded_photos.images[indices]
    for i in (~decoded_photos.ok[indices]).nonzero()[:, 0].tolist():  # readable when the run began
        if streamed is None and isinstance(split.images, Tensor):
            images[i] = _smaller(split.images[i].cpu(), images.shape[-1])
    return Split(images, split.labels, None, split.paths)


def _smaller(image: Tensor, side: int) -> Tensor:
    return F.interpolate(image[None].float(), (side, side), mode="bilinear", antialias=True)[0].round().to(torch.uint8)


def _corrected(data: DataSet, settings: TrainSettings, workspace: Workspace) -> DataSet:
    """With the set of corrections among its training images, each often enough that together they are SHARE of them."""
    if not settings.corrections:
        return data
    correction_set = corrections.find(settings.corrections, workspace, data.classes)
    if data.train.streams:
        raise DatasetError(
            "{name} does not fit into the cache, so that no corrections can be learnt beside it.", name=data.name
        )
    pairs, preprocess = (
        [(correction.path, correction.label) for correction in correction_set.pictures()],
        data.preprocess,
    )
    if is_builtin(settings.dataset):
        read = [(preprocess.to_stored(open_image(path)), label) for path, label in pairs]
        images, labels = torch.stack([image for image, _ in read]), torch.tensor([label for _, label in read])
        added = Split(images, labels)
    else:
        added = decode(correction_set.folder, pairs, preprocess, [], None, whole_photo=crops_photos(settings.augment))
    often = min(MOST_OFTEN, max(1, round(SHARE * len(data.train) / max(1, len(added)))))
    train = join([data.train, added.take(torch.arange(len(added)).repeat(often))])
    digest = blake2b(digest_size=4)
    for path, label in sorted(pairs):
        digest.update(f"{path.name} {label} {blake2b(path.read_bytes(), digest_size=8).hexdigest()} ".encode())
    own, beside = (
        data.manifest.splits["train"],
        [(f"{settings.corrections}/{correction.file}", correction) for correction in correction_set.pictures()],
    )
    listed_images = ManifestSplit(
        own.paths + tuple(path for path, _ in beside),
        own.labels + tuple(correction.label for _, correction in beside),
        known_digests=own.digests
        + content_digests([correction.path for _, correction in beside], correction_set.folder),
    )
    fingerprint = data.fingerprint + CORRECTED + digest.hexdigest()
    return _with_train(replace(data, train=train, fingerprint=fingerprint), listed_images)


def _limited(data: DataSet, settings: TrainSettings) -> DataSet:
    """The first `train_images` of a seeded order; no class is left out."""
    if not settings.train_images or settings.train_images >= len(data.train):
        return data
    subset = stratified_subset(data.train.labels.tolist(), settings.train_images, settings.seed)
    limited = replace(data, train=data.train.take(torch.tensor(subset)))
    return _with_train(limited, data.manifest.splits["train"].take(subset))


def _with_train(data: DataSet, images: ManifestSplit) -> DataSet:
    return replace(data, manifest=replace(data.manifest, splits={**data.manifest.splits, "train": images}))
