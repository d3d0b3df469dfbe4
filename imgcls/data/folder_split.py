"""A folder of photos divided as a run's settings say: which files are in which part. No photo is decoded.

The validation part is held out of the training part by seed, unless the folder brings its own: a share of each class,
with copies and bursts on one side.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import blake2b
from pathlib import Path

import torch

from imgcls.data.catalog import folder_of, validation_size
from imgcls.data.content_digests import content_digests
from imgcls.data.folder_problems import listed
from imgcls.data.grouping import burst, group_ids
from imgcls.data.image_folders import PhotoFolder, scan
from imgcls.data.index_names import nothing_to_validate_on
from imgcls.data.manifest import SPLITS, LeftOut, Lineage, Manifest
from imgcls.data.splitting import flip_labels, stratified_subset, stratify
from imgcls.errors import DatasetError
from imgcls.messages import Message, plural
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class PhotoFiles:
    """folder: as it was named; splits: "train", "val" and perhaps "test" -> [(path, class index)]; flipped: of training
    photos whose label was made wrong on purpose, path below `folder` -> the wrong class index; left_out: photos that a
    run keeps in no split, for the sake of the network that it starts from; notes: what a person should know of the
    division."""

    folder: Path
    photos: PhotoFolder
    splits: dict[str, list[tuple[Path, int]]]
    flipped: dict[str, int] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[Message, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.photos.classes

    @cached_property
    def fingerprint(self) -> str:
        """Of names, sizes, classes and parts: another one means that a resume would not go on with the same images."""
        digest = blake2b("\0".join(self.classes).encode("utf-8", "surrogatepass"), digest_size=16)
        for split, files in self.splits.items():
            for path, label in files:
                try:
                    size = path.stat().st_size
                except OSError:
                    size = -1
                line = f"\n{split}\0{path.relative_to(self.folder).as_posix()}\0{size}\0{label}"
                digest.update(line.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def photos_of(manifest: Manifest, photos: PhotoFolder, folder: Path) -> dict[str, list[tuple[Path, int]]]:
    """The folder's photos as they are now, with the labels that they have now, in the splits of a run's manifest: known
    by their content, whatever they are called. Photos that the run has not seen are in none, but for those of a val or
    test part that the folder brings."""
    files = [pair for pairs in photos.splits.values() for pair in pairs]
    ids = dict(zip((path for path, _ in files), content_digests([path for path, _ in files], folder), strict=True))
    photos_by_split = {}
    for split in SPLITS:
        image_ids = frozenset(manifest.splits[split].ids) if split in manifest.splits else frozenset[str]()
        brought = split != "train" and split in photos.splits  # what has come to it since counts, too
        photos_by_split[split] = [
            (path, label)
            for path, label in photos.splits.get(split, photos.splits["train"])
            if ids[path] in image_ids or (brought and ids[path] not in manifest.learnt)
        ]
    return {split: pairs for split, pairs in photos_by_split.items() if pairs}


Pairs = list[tuple[Path, int]]


def divide_photos(
    settings: TrainSettings,
    workspace: Workspace,
    *,
    lineage: Lineage | None = None,
    manifest: Manifest | None = None,
) -> PhotoFiles:
    """lineage: what the network has seen that a run starts from; manifest: of a run, whose splits are wanted again.
    Raises DatasetError where there is no such folder, or it cannot be divided."""
    folder = folder_of(settings.dataset, workspace)
    photos = scan(folder)
    left_out: list[LeftOut] = []
    if manifest is not None:
        splits = photos_of(manifest, photos, folder)
        if not splits.get("train") or not splits.get("val"):
            raise DatasetError("{name} no longer has the photos of this run.", name=settings.dataset)
    else:
        splits = dict(photos.splits)
        if lineage:
            left_out = _after(splits, folder, settings, lineage)
        elif "val" not in splits:
            held = set(_held_out(splits["train"], settings))
            splits["val"] = [pair for i, pair in enumerate(splits["train"]) if i in held]
            splits["train"] = [pair for i, pair in enumerate(splits["train"]) if i not in held]
    files = splits["train"]
    if settings.train_images:
        subset = stratified_subset([label for _, label in files], settings.train_images, settings.seed)
        files = [files[i] for i in subset]
    labels, changed = flip_labels(
        torch.tensor([label for _, label in files]), len(photos.classes), share=settings.flip_labels, seed=settings.seed
    )
    splits["train"] = [(path, label) for (path, _), label in zip(files, labels.tolist(), strict=True)]
    flipped = {splits["train"][i][0].relative_to(folder).as_posix(): int(labels[i]) for i in changed.tolist()}
    notes = () if "val" in photos.splits else _cut_bursts(splits, photos.classes)
    return PhotoFiles(folder, photos, splits, flipped, tuple(left_out), notes)


def _cut_bursts(splits: dict[str, Pairs], classes: Sequence[str]) -> tuple[Message, ...]:
    """Of which classes photos of one burst are on both sides."""
    sides = [{burst(path) for path, _ in splits[split]} - {None} for split in ("train", "val")]
    shared = sides[0] & sides[1]
    cut = sorted({label for path, label in splits["val"] if burst(path) in shared})
    if not cut:
        return ()
    return (
        plural(
            "All photos of {classes} are one burst: the last fifth of it is held out. It looks like what is learnt, so "
            "that the accuracy on this class is too good.",
            "All photos of each of {classes} are one burst: the last fifth of it is held out. It looks like what is "
            "learnt, so that the accuracy on these classes is too good.",
            count=len(cut),
            classes=listed([classes[label] for label in cut]),
        ),
    )


def _held_out(files: Pairs, settings: TrainSettings) -> list[int]:
    """Places of the photos that are held out for validation."""
    size = validation_size(len(files), settings, settings.dataset)
    paths, labels = [path for path, _ in files], [label for _, label in files]
    copies = cache(lambda: group_ids(paths, bursts=False))
    return stratify(labels, group_ids(paths), size, settings.seed, settings.dataset, copies=copies)


def _after(splits: dict[str, Pairs], folder: Path, settings: TrainSettings, lineage: Lineage) -> list[LeftOut]:
    """Divide `splits` for a run that starts from another network: what that has learnt validates and tests nothing, and
    what it was validated on is not learnt from. The photos that no split has. Raises DatasetError where nothing is
    left to validate on."""
    files = [path for pairs in splits.values() for path, _ in pairs]
    ids = dict(zip(files, content_digests(files, folder), strict=True))
    left_out: list[tuple[Path, bool]] = []  # and whether it has been learnt
    for split in ("val", "test"):
        if split in splits:
            left_out += [(path, True) for path, _ in splits[split] if ids[path] in lineage.learnt]
            splits[split] = [pair for pair in splits[split] if ids[pair[0]] not in lineage.learnt]
    if not splits.get("test", [0]):
        del splits["test"]
    if "val" not in splits:
        splits["val"] = _held_out_after(splits["train"], ids, settings, lineage)
    if not splits["val"]:
        raise nothing_to_validate_on(settings.dataset, lineage)
    held = {ids[path] or str(path) for path, _ in splits["val"]}
    remaining = [pair for pair in splits["train"] if (ids[pair[0]] or str(pair[0])) not in held]
    splits["train"] = [pair for pair in remaining if ids[pair[0]] not in lineage.validated]
    left_out += [(path, False) for path, _ in remaining if ids[path] in lineage.validated]
    start = os.path.join(folder, "")
    return [_out(str(path).removeprefix(start).replace(os.sep, "/"), learnt, lineage) for path, learnt in left_out]


def _out(path: str, learnt: bool, lineage: Lineage) -> LeftOut:
    if learnt:
        reason = Message("{ancestor}, which the run starts from, has learnt it.", ancestor=lineage.name)
    else:
        reason = Message("{ancestor}, which the run starts from, was validated on it.", ancestor=lineage.name)
    return LeftOut(path, reason)


def _held_out_after(files: Pairs, ids: dict[Path, str], settings: TrainSettings, lineage: Lineage) -> Pairs:
    """The photos that the earlier network was validated on, as many as are to be held out; where those are fewer, such
    that it has not seen as well. What belongs to a photo that it has learnt is learnt, too."""
    size = validation_size(len(files), settings, settings.dataset)
    groups = group_ids([path for path, _ in files])
    learnt = {group for group, (path, _) in zip(groups, files, strict=True) if ids[path] in lineage.learnt}
    known = [i for i, (path, _) in enumerate(files) if ids[path] in lineage.validated and groups[i] not in learnt]
    subset = stratified_subset([files[i][1] for i in known], size, settings.seed)
    held = [known[i] for i in subset]
    theirs = {groups[i] for i in known}
    new = [i for i, group in enumerate(groups) if group not in learnt and group not in theirs]
    rest = min(size - len(held), len(new) - len({files[i][1] for i in new}))
    if rest > 0:
        labels = [files[i][1] for i in new]
        with suppress(DatasetError):  # each class's new photos are one burst: they are learnt from
            chosen = stratify(labels, [groups[i] for i in new], rest, settings.seed, settings.dataset)
            held += [new[i] for i in chosen]
    held_groups = {groups[i] for i in held}  # a new photo of the same burst, too
    return [pair for pair, group in zip(files, groups, strict=True) if group in held_groups]
