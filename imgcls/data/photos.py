"""One photo file -> its stored form, uint8 (C, side, side), and folders that are read while training.

`StorageFormat` is what the cache keeps and what worker processes make, so that a photo is the same on either way. Knows
neither classes nor labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from imgcls.errors import InputError
from imgcls.imaging.image_io import opened_image
from imgcls.imaging.preprocess import CROP, Channels, Interpolation, Preprocess, ResizeMode
from imgcls.messages import Message

# Photos that are cropped at random are kept whole, with twice the network's side: measured on flowers against
# torchvision's RandomResizedCrop of the files, crops at 64 pixels differ by 38 dB where 256/224 gave 30 (224: 44, 37).
WHOLE_PHOTO_FACTOR = 2


@dataclass(frozen=True)
class StorageFormat:
    """How a photo is kept. `resize_mode` is one of Preprocess: "stretch" squeezes the whole photo square."""

    side: int
    channels: Channels
    resize_mode: ResizeMode
    interpolation: Interpolation = "bilinear"
    crop: float = CROP

    @classmethod
    def of(cls, preprocess: Preprocess, *, whole_photo: bool) -> StorageFormat:
        """The evaluation crop, or the whole photo squeezed square for random crops."""
        if whole_photo:
            return cls(preprocess.storage_size * WHOLE_PHOTO_FACTOR, preprocess.channels, "stretch")
        form = preprocess
        return cls(form.storage_size, form.channels, form.resize_mode, form.interpolation, form.crop)

    @property
    def name(self) -> str:
        """What a cache of it is called: "crop-3x224", "crop-bicubic-3x160"."""
        other = "" if self.interpolation == "bilinear" else f"-{self.interpolation}"
        if self.resize_mode == "crop" and self.crop != CROP:
            other += f"-{self.crop:.3f}"
        return f"{self.resize_mode}{other}-{self.channels}x{self.side}"

    @property
    def whole_photo(self) -> bool:
        """Whether photos are kept whole, squeezed square."""
        return self.resize_mode == "stretch"

    @property
    def bytes_each(self) -> int:
        return self.channels * self.side**2

    def read(self, path: Path, *, name: str | None = None) -> tuple[torch.Tensor, float]:
        """(uint8 (C, side, side), width / height of the upright photo). Raises InputError."""
        with opened_image(path, near=self._preprocess.decode_side, name=name) as image:
            return self._preprocess.to_stored(image), image.width / image.height

    @cached_property
    def _preprocess(self) -> Preprocess:
        half = (0.5,) * self.channels
        return Preprocess(
            channels=self.channels,
            resize_mode=self.resize_mode,
            storage_size=self.side,
            size=self.side,
            interpolation=self.interpolation,
            crop=self.crop,
            mean=half,
            std=half,
        )


class StreamingPhotos(Dataset):
    """A folder too large for the cache, one photo at a time, for a DataLoader with workers.

    Item i: (image uint8 (C, side, side), aspect float32 (), ok bool ()). A broken photo is black with ok False,
    so that the loop can leave it out of the batch; it never raises. `broken`: places of those met so far, in the
    process that asks for batches.
    """

    def __init__(self, paths: Sequence[Path | str], **form: Any) -> None:
        """`form`: the fields of StorageFormat."""
        self.paths, self.form = [str(path) for path in paths], StorageFormat(**form)
        self.broken: set[int] = set()

    def why_broken(self, index: int) -> Message | None:
        """The sentence about a photo that could not be read; None where it can be by now."""
        try:
            self.form.read(Path(self.paths[index]))
        except InputError as error:
            return error.message
        return None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.paths), self.form.channels, self.form.side, self.form.side)

    def take(self, indices: Sequence[int]) -> StreamingPhotos:
        """Some of them, in that order."""
        return StreamingPhotos([self.paths[i] for i in indices], **asdict(self.form))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        form = self.form
        try:
            image, aspect = form.read(Path(self.paths[index]))
        except InputError:
            black = torch.zeros((form.channels, form.side, form.side), dtype=torch.uint8)
            return black, torch.tensor(1.0), torch.tensor(False)
        return image, torch.tensor(aspect), torch.tensor(True)
