"""A folder of photos divided as a run's settings say: which files are in which part. No photo is decoded.

The validation part is held out of the training part by seed, unless the folder brings its own: a share of each class,
with copies and bursts on one side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import torch

from imgcls.data.catalog import folder_of, held_out
from imgcls.data.grouping import one_side
from imgcls.data.image_folders import PhotoFolder, scan
from imgcls.data.splitting import flip_labels, some_of_each, stratify
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class PhotoFiles:
    """folder: as it was named; parts: "train", "val" and perhaps "test" -> [(path, class index)]; flipped: of training
    photos whose label was made wrong on purpose, path below `folder` -> the wrong class index."""

    folder: Path
    found: PhotoFolder
    parts: dict[str, list[tuple[Path, int]]]
    flipped: dict[str, int] = field(default_factory=dict)

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


def divide_photos(settings: TrainSettings, workspace: Workspace) -> PhotoFiles:
    """Raises DatasetError where there is no such folder, or it cannot be divided."""
    folder = folder_of(settings.dataset, workspace)
    found = scan(folder)
    parts = dict(found.splits)
    files = parts["train"]
    if "val" not in parts:
        size = held_out(len(files), settings, settings.dataset)
        labels, groups = [label for _, label in files], one_side([path for path, _ in files])
        held = set(stratify(labels, groups, size, settings.seed, settings.dataset))
        parts["val"] = [pair for i, pair in enumerate(files) if i in held]
        parts["train"] = files = [pair for i, pair in enumerate(files) if i not in held]
    if settings.train_images:
        wanted = some_of_each([label for _, label in files], settings.train_images, settings.seed)
        parts["train"] = files = [files[i] for i in wanted]
    labels, changed = flip_labels(
        torch.tensor([label for _, label in files]), len(found.classes), share=settings.flip_labels, seed=settings.seed
    )
    parts["train"] = [(path, label) for (path, _), label in zip(files, labels.tolist(), strict=True)]
    flipped = {parts["train"][i][0].relative_to(folder).as_posix(): int(labels[i]) for i in changed.tolist()}
    return PhotoFiles(folder, found, parts, flipped)
