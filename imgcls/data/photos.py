"""One photo file -> its stored form, uint8 (C, side, side), and folders that are read while training.

`StorageFormat` is what the cache keeps and what worker processes make, so that a photo is the same on either way. Knows
neither classes nor labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch.utils.data import Dataset

from imgcls.errors import InputError
from imgcls.imaging.preprocess import CROP_MARGIN, Preprocess
from imgcls.imaging.reading import open_image

# A JPEG may be decoded at 1/2, 1/4 or 1/8 as long as it stays this much larger than what is wanted: Pillow's own
# thumbnail() takes 2 as indistinguishable from reducing in one step.
REDUCING_GAP = 2


# Photos that are cropped at random are kept whole, with twice the network's side: measured on flowers against
# torchvision's RandomResizedCrop of the files, crops at 64 pixels differ by 38 dB where 256/224 gave 30 (224: 44, 37).
WHOLE_PHOTO_FACTOR = 2


@dataclass(frozen=True)
class StorageFormat:
    """How a photo is kept. `resize_mode` is one of Preprocess: "stretch" squeezes the whole photo square."""

    side: int
    channels: int
    resize_mode: str

    @classmethod
    def of(cls, preprocess: Preprocess, *, whole_photo: bool) -> StorageFormat:
        """The evaluation crop, or the whole photo squeezed square for random crops."""
        if whole_photo:
            return cls(preprocess.storage_size * WHOLE_PHOTO_FACTOR, preprocess.channels, "stretch")
        return cls(preprocess.storage_size, preprocess.channels, preprocess.resize_mode)

    @property
    def bytes_each(self) -> int:
        return self.channels * self.side**2

    def read(self, path: Path, *, name: str | None = None) -> tuple[torch.Tensor, float]:
        """(uint8 (C, side, side), width / height of the upright photo). Raises InputError."""
        shorter = round(self.side * CROP_MARGIN) if self.resize_mode == "crop" else self.side
        with open_image(path, near=shorter * REDUCING_GAP, name=name) as image:
            return self._preprocess.to_stored(image), image.width / image.height

    @cached_property
    def _preprocess(self) -> Preprocess:
        half = (0.5,) * self.channels
        return Preprocess(
            channels=self.channels,
            resize_mode=self.resize_mode,
            storage_size=self.side,
            size=self.side,
            mean=half,
            std=half,
        )


class StreamingPhotos(Dataset):
    """A folder too large for the cache, one photo at a time, for a DataLoader with workers.

    Item i: (image uint8 (C, side, side), aspect float32 (), ok bool ()). A broken photo is black with ok False,
    so that the loop can leave it out of the batch; it never raises.
    """

    def __init__(self, paths: Sequence[Path], *, side: int, channels: int, resize_mode: str) -> None:
        self.paths, self.form = [str(path) for path in paths], StorageFormat(side, channels, resize_mode)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.paths), self.form.channels, self.form.side, self.form.side)

    def take(self, indices: Sequence[int]) -> StreamingPhotos:
        """Some of them, in that order."""
        form = self.form
        return StreamingPhotos(
            [self.paths[i] for i in indices], side=form.side, channels=form.channels, resize_mode=form.resize_mode
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        form = self.form
        try:
            image, aspect = form.read(Path(self.paths[place]))
        except InputError:
            black = torch.zeros((form.channels, form.side, form.side), dtype=torch.uint8)
            return black, torch.tensor(1.0), torch.tensor(False)
        return image, torch.tensor(aspect), torch.tensor(True)
