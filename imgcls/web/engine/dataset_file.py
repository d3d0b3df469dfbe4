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
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgcls.checkpoints.format import Meta, versions
from imgcls.checkpoints.store import find_checkpoint
from imgcls.data.catalog import folder_of
from imgcls.data.image_folders import folder_state, scan
from imgcls.data.registry import classes_of, is_builtin
from imgcls.errors import CheckpointError, DatasetError, SettingsError
from imgcls.messages import Setting
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.data.manifest import Manifest

MODEL = "lenet"
USUAL_IMAGES = 20_000  # to learn from, where all of them are not asked for
SIZES = (5_000, USUAL_IMAGES, 0)  # that a page can learn from; 0: all
HELD_OUT = 5_000  # at most
MAX_BYTES = 120_000_000  # bytes before compression: more does not belong into a page
LEVEL = 6  # of gzip: 9 takes four times as long for 2 % less
CACHE_ENTRIES = 4  # files in memory, 4 to 12 MB each


@dataclass(frozen=True)
class DatasetFile:
    """`name`: the digest of `content`; `manifest`: which images they are."""

    name: str
    content: bytes
    classes: tuple[str, ...]
    manifest: Manifest


def page_settings(dataset: str, images: int, start_from: str = "") -> TrainSettings:
    """The recipe of a LeNet on so many of its images (0: all). Raises SettingsError."""
    given = {"dataset": dataset, "model": MODEL, "transfer": "scratch", "train_images": images}
    return with_recipe(given | {"start_from": start_from})


def page_classes(dataset: str, workspace: Workspace) -> tuple[str, ...]:
    """No image is read. Raises DatasetError."""
    if is_builtin(dataset):
        return classes_of(dataset)
    return scan(folder_of(dataset, workspace)).classes


def make_file(
    dataset: str, images: int, workspace: Workspace, *, start_from: str = "", validation_images: int = HELD_OUT
) -> DatasetFile:
    """start_from: a checkpoint that the page learns on from, which has to have seen none of what is held out. Raises
    ImgclsError where the data set is not here, or does not fit into a page."""
    import torch

    from imgcls.data.datasets import load_dataset
    from imgcls.training.provenance import lineage_of

    settings = page_settings(dataset, images, start_from)
    lineage = lineage_of(settings, workspace)
    data = load_dataset(settings, workspace, preprocess_for(settings), lineage=lineage)
    form = data.preprocess
    if form.storage_size != form.size or form.size not in (28, 32) or data.train.streams:
        raise DatasetError("{dataset} does not fit into a page: train on it on the computer.", dataset=dataset)
    if (len(data.train) + validation_images) * form.channels * form.size**2 > MAX_BYTES:
        raise DatasetError(
            "{dataset} is too large for a page: choose fewer {train_images}.",
            dataset=dataset,
            train_images=Setting("train_images"),
        )
    if not len(data.val):
        raise DatasetError("{dataset} holds out no image: train on it on the computer.", dataset=dataset)
    held = min(validation_images, len(data.val))
    meta = Meta(
        model=MODEL,
        classes=data.classes,
        preprocess=form,
        settings=settings.model_dump(),
        fingerprint=data.fingerprint,
        manifest=data.manifest.digest,
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
    header_bytes = json.dumps(header).encode()
    splits = [(data.train, len(data.train)), (data.val, held)]
    pixels = [_bytes(split.tensor[:count]) for split, count in splits]
    labels = [_bytes(split.labels[:count].to(torch.uint8)) for split, count in splits]
    blocks = [struct.pack("<I", len(header_bytes)), header_bytes, *pixels, *labels]
    content = gzip.compress(b"".join(blocks), LEVEL, mtime=0)
    name = hashlib.sha256(content).hexdigest()[:32]
    return DatasetFile(name, content, data.classes, data.manifest)


def _bytes(values: Any) -> bytes:
    """Of a tensor of bytes."""
    return values.numpy().tobytes()


class DatasetFiles:
    """Made when first asked for, one at a time; the last few are kept."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, DatasetFile] = OrderedDict()

    def file(self, dataset: str, images: int, start_from: str = "") -> DatasetFile:
        """Raises ImgclsError."""
        if not 0 <= images <= TrainSettings.model_fields["train_images"].metadata[-1].le:
            raise SettingsError("Choose how many images to learn from.", field="train_images")
        with self._lock:
            key = (dataset, images, _state(dataset, self.workspace), _ancestor(start_from, self.workspace))
            if key not in self._made:
                self._made[key] = make_file(dataset, images, self.workspace, start_from=start_from)
                while len(self._made) > CACHE_ENTRIES:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            return self._made[key]

    def content(self, name: str) -> bytes | None:
        """None where it was made by an earlier server, or has been given up."""
        return next((file.content for file in list(self._made.values()) if file.name == name), None)


def _state(dataset: str, workspace: Workspace) -> Hashable:
    """Changes when the data set may have: a built-in one never does, of a folder every image tells. Raises
    DatasetError."""
    if is_builtin(dataset):
        return None
    digest = hashlib.sha256()
    for image in folder_state(folder_of(dataset, workspace)):
        digest.update(f"{image}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _ancestor(start_from: str, workspace: Workspace) -> Hashable:
    """The file that is learnt on from, as it is now. Raises CheckpointError."""
    if not start_from:
        return None
    run, _, kind = start_from.partition("/")
    path = find_checkpoint(f"{run}/{kind or 'best'}", workspace).path
    try:
        stat = path.stat()
    except OSError as error:
        raise CheckpointError("{path} cannot be read ({reason}).", path=path, reason=error.strerror) from None
    return path, stat.st_mtime_ns, stat.st_size
