"""The images that a browser learns from, as one file: sent once, kept for ever under the name of its content.

gzip around: the header's length (4 bytes, little endian), a JSON header, the images (n, channels, side, side) as
unsigned bytes, their labels; those to learn from first, then those held out. js/dataset.js reads it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from imgcls.checkpoints.format import Meta, versions
from imgcls.errors import DatasetError, SettingsError
from imgcls.messages import Setting
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

MODEL = "lenet"
USUAL_IMAGES = 20_000  # to learn from, where all of them are not asked for
HELD_OUT = 5_000  # at most
LARGEST = 120_000_000  # bytes before compression: more does not belong into a page
LEVEL = 6  # of gzip: 9 takes four times as long for 2 % less
KEPT = 4  # files in memory, 4 to 12 MB each


@dataclass(frozen=True)
class DatasetFile:
    """`name`: the digest of `content`."""

    name: str
    content: bytes
    classes: tuple[str, ...]


def page_settings(dataset: str, images: int) -> TrainSettings:
    """The recipe of a LeNet on so many of its images (0: all). Raises SettingsError."""
    return with_recipe({"dataset": dataset, "model": MODEL, "transfer": "scratch", "train_images": images})


def make_file(dataset: str, images: int, workspace: Workspace, *, held_out: int = HELD_OUT) -> DatasetFile:
    """Raises ImgclsError where the data set is not here, or does not fit into a page."""
    import torch

    from imgcls.data.datasets import load_dataset

    settings = page_settings(dataset, images)
    data = load_dataset(settings, workspace, preprocess_for(settings))
    form = data.preprocess
    if form.storage_size != form.size or form.size not in (28, 32) or data.train.streams:
        raise DatasetError("{dataset} does not fit into a page: train on it on the computer.", dataset=dataset)
    if (len(data.train) + held_out) * form.channels * form.size**2 > LARGEST:
        raise DatasetError(
            "{dataset} is too large for a page: choose fewer {train_images}.",
            dataset=dataset,
            train_images=Setting("train_images"),
        )
    if not len(data.val):
        raise DatasetError("{dataset} holds out no image: train on it on the computer.", dataset=dataset)
    held = min(held_out, len(data.val))
    meta = Meta(
        model=MODEL,
        classes=data.classes,
        preprocess=form,
        settings=settings.model_dump(),
        fingerprint=data.fingerprint,
        versions=versions(),
        created=0,
    )
    header = {
        "dataset": dataset,
        "classes": list(data.classes),
        "channels": form.channels,
        "side": form.size,
        "mean": list(form.mean),
        "std": list(form.std),
        "learnt": len(data.train),
        "held": held,
        "meta": meta.model_dump(mode="json"),
    }
    said = json.dumps(header).encode()
    splits = [(data.train, len(data.train)), (data.val, held)]
    pixels = [_bytes(split.tensor[:count]) for split, count in splits]
    labels = [_bytes(split.labels[:count].to(torch.uint8)) for split, count in splits]
    parts = [struct.pack("<I", len(said)), said, *pixels, *labels]
    content = gzip.compress(b"".join(parts), LEVEL, mtime=0)
    return DatasetFile(hashlib.sha256(content).hexdigest()[:32], content, data.classes)


def _bytes(values: Any) -> bytes:
    """Of a tensor of bytes."""
    return values.numpy().tobytes()


class DatasetFiles:
    """Made when first asked for, one at a time; the last few are kept."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, int, str], DatasetFile] = OrderedDict()

    def file(self, dataset: str, images: int) -> DatasetFile:
        """Raises ImgclsError."""
        if not 0 <= images <= TrainSettings.model_fields["train_images"].metadata[-1].le:
            raise SettingsError("Choose how many images to learn from.", field="train_images")
        with self._lock:
            known = (dataset, images, _state(dataset, self.workspace))
            if known not in self._made:
                self._made[known] = make_file(dataset, images, self.workspace)
                while len(self._made) > KEPT:
                    self._made.popitem(last=False)
            self._made.move_to_end(known)
            return self._made[known]

    def classes(self, dataset: str, images: int) -> tuple[str, ...]:
        """Raises ImgclsError."""
        return self.file(dataset, images).classes

    def content(self, name: str) -> bytes | None:
        """None where it was made by an earlier server, or has been given up."""
        return next((made.content for made in list(self._made.values()) if made.name == name), None)


def _state(dataset: str, workspace: Workspace) -> str:
    """Changes when the data set may have: a built-in one never does, a folder's own time of change tells."""
    times = []
    for name in dataset.split("+"):
        folder = workspace.data / name
        times += [path.stat().st_mtime_ns for path in (folder, *folder.glob("*")) if path.is_dir()]
    return str(times)
