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

from imgcls.data.catalog import folder_of, held_out
from imgcls.data.content_digests import content_digests
from imgcls.data.folder_problems import listed
from imgcls.data.grouping import burst, one_side
from imgcls.data.image_folders import PhotoFolder, scan
from imgcls.data.known_places import nothing_to_validate_on
from imgcls.data.manifest import SPLITS, LeftOut, Lineage, Manifest
from imgcls.data.splitting import flip_labels, some_of_each, stratify
from imgcls.errors import DatasetError
from imgcls.messages import Message, plural
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class PhotoFiles:
    """folder: as it was named; parts: "train", "val" and perhaps "test" -> [(path, class index)]; flipped: of training
    photos whose label was made wrong on purpose, path below `folder` -> the wrong class index; left_out: photos that a
    run keeps in no split, for the sake of the network that it starts from; notes: what a person should know of the
    division."""

    folder: Path
    found: PhotoFolder
    parts: dict[str, list[tuple[Path, int]]]
    flipped: dict[str, int] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[Message, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.found.classes

    @cached_property
    def fingerprint(self) -> str:
        """Of names, sizes, classes and parts: another one means that a resume would not go on with the same images."""
        made = blake2b("\0".join(self.classes).encode("utf-8", "surrogatepass"), digest_size=16)
        for part, files in self.parts.items():
            for path, label in files:
                try:
                    size = path.stat().st_size
                except OSError:
                    size = -1
                line = f"\n{part}\0{path.relative_to(self.folder).as_posix()}\0{size}\0{label}"
                made.update(line.encode("utf-8", "surrogatepass"))
        return made.hexdigest()


def photos_of(manifest: Manifest, found: PhotoFolder, folder: Path) -> dict[str, list[tuple[Path, int]]]:
    """The folder's photos as they are now, with the labels that they have now, in the splits of a run's manifest: known
    by their content, whatever they are called. Photos that the run has not seen are in none, but for those of a val or
    test part that the folder brings."""
    files = [pair for pairs in found.splits.values() for pair in pairs]
    ids = dict(zip((path for path, _ in files), content_digests([path for path, _ in files], folder), strict=True))
    made = {}
    for part in SPLITS:
        wanted = frozenset(manifest.splits[part].ids) if part in manifest.splits else frozenset[str]()
        brought = part != "train" and part in found.splits  # what has come to it since counts, too
        made[part] = [
            (path, label)
            for path, label in found.splits.get(part, found.splits["train"])
            if ids[path] in wanted or (brought and ids[path] not in manifest.learnt)
        ]
    return {part: pairs for part, pairs in made.items() if pairs}


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
    found = scan(folder)
    left_out: list[LeftOut] = []
    if manifest is not None:
        parts = photos_of(manifest, found, folder)
        if not parts.get("train") or not parts.get("val"):
            raise DatasetError("{name} no longer has the photos of this run.", name=settings.dataset)
    else:
        parts = dict(found.splits)
        if lineage:
            left_out = _after(parts, folder, settings, lineage)
        elif "val" not in parts:
            held = set(_held_out(parts["train"], settings))
            parts["val"] = [pair for i, pair in enumerate(parts["train"]) if i in held]
            parts["train"] = [pair for i, pair in enumerate(parts["train"]) if i not in held]
    files = parts["train"]
    if settings.train_images:
        wanted = some_of_each([label for _, label in files], settings.train_images, settings.seed)
        files = [files[i] for i in wanted]
    labels, changed = flip_labels(
        torch.tensor([label for _, label in files]), len(found.classes), share=settings.flip_labels, seed=settings.seed
    )
    parts["train"] = [(path, label) for (path, _), label in zip(files, labels.tolist(), strict=True)]
    flipped = {parts["train"][i][0].relative_to(folder).as_posix(): int(labels[i]) for i in changed.tolist()}
    notes = () if "val" in found.splits else _cut_bursts(parts, found.classes)
    return PhotoFiles(folder, found, parts, flipped, tuple(left_out), notes)


def _cut_bursts(parts: dict[str, Pairs], classes: Sequence[str]) -> tuple[Message, ...]:
    """Of which classes photos of one burst are on both sides."""
    sides = [{burst(path) for path, _ in parts[part]} - {None} for part in ("train", "val")]
    shared = sides[0] & sides[1]
    cut = sorted({label for path, label in parts["val"] if burst(path) in shared})
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
    size = held_out(len(files), settings, settings.dataset)
    paths, labels = [path for path, _ in files], [label for _, label in files]
    copies = cache(lambda: one_side(paths, bursts=False))
    return stratify(labels, one_side(paths), size, settings.seed, settings.dataset, copies=copies)


def _after(parts: dict[str, Pairs], folder: Path, settings: TrainSettings, lineage: Lineage) -> list[LeftOut]:
    """Divide `parts` for a run that starts from another network: what that has learnt validates and tests nothing, and
    what it was validated on is not learnt from. The photos that no split has. Raises DatasetError where nothing is
    left to validate on."""
    files = [path for pairs in parts.values() for path, _ in pairs]
    ids = dict(zip(files, content_digests(files, folder), strict=True))
    left_out: list[tuple[Path, bool]] = []  # and whether it has been learnt
    for part in ("val", "test"):
        if part in parts:
            left_out += [(path, True) for path, _ in parts[part] if ids[path] in lineage.learnt]
            parts[part] = [pair for pair in parts[part] if ids[pair[0]] not in lineage.learnt]
    if not parts.get("test", [0]):
        del parts["test"]
    if "val" not in parts:
        parts["val"] = _held_out_after(parts["train"], ids, settings, lineage)
    if not parts["val"]:
        raise nothing_to_validate_on(settings.dataset, lineage)
    held = {ids[path] or str(path) for path, _ in parts["val"]}
    kept = [pair for pair in parts["train"] if (ids[pair[0]] or str(pair[0])) not in held]
    parts["train"] = [pair for pair in kept if ids[pair[0]] not in lineage.validated]
    left_out += [(path, False) for path, _ in kept if ids[path] in lineage.validated]
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
    size = held_out(len(files), settings, settings.dataset)
    groups = one_side([path for path, _ in files])
    learnt = {group for group, (path, _) in zip(groups, files, strict=True) if ids[path] in lineage.learnt}
    seen = [i for i, (path, _) in enumerate(files) if ids[path] in lineage.validated and groups[i] not in learnt]
    wanted = some_of_each([files[i][1] for i in seen], size, settings.seed)
    held = [seen[place] for place in wanted]
    theirs = {groups[i] for i in seen}
    new = [i for i, group in enumerate(groups) if group not in learnt and group not in theirs]
    rest = min(size - len(held), len(new) - len({files[i][1] for i in new}))
    if rest > 0:
        labels = [files[i][1] for i in new]
        with suppress(DatasetError):  # each class's new photos are one burst: they are learnt from
            chosen = stratify(labels, [groups[i] for i in new], rest, settings.seed, settings.dataset)
            held += [new[place] for place in chosen]
    held_groups = {groups[i] for i in held}  # a new photo of the same burst, too
    return [pair for pair, group in zip(files, groups, strict=True) if group in held_groups]
