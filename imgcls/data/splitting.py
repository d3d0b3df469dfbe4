"""A part of a data set: its images, in memory, mapped, or read from their files while training.

Knows nothing of batches' order or of augmentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from imgcls.data.photos import StreamingPhotos
from imgcls.errors import DatasetError
from imgcls.messages import Setting
from imgcls.processes import available_cores
from imgcls.settings import TrainSettings

MAX_WORKERS = 8  # processes that decode photos: beyond that the disk is what is waited for


@dataclass(frozen=True)
class Split:
    """images: uint8 (N, C, H, W), in memory or mapped, or photos to be read; labels: int64 (N,); aspects: width/height
    of photos that are stored squeezed, float (N,); paths: where each came from, for photos."""

    images: Tensor | StreamingPhotos
    labels: Tensor
    aspects: Tensor | None = None
    paths: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def streams(self) -> bool:
        return isinstance(self.images, StreamingPhotos)

    def take(self, indices: Tensor) -> Split:
        paths = None if self.paths is None else tuple(self.paths[i] for i in indices.tolist())
        aspects = None if self.aspects is None else self.aspects[indices]
        images = self.images.take(indices.tolist()) if self.streams else self.images[indices]
        return Split(images, self.labels[indices], aspects, paths)

    def to(self, device: torch.device) -> Split:
        aspects = None if self.aspects is None else self.aspects.to(device)
        return replace(self, images=self.images.to(device), labels=self.labels.to(device), aspects=aspects)

    def read(
        self, wanted: Sequence[Tensor], *, leave_out_broken: bool = False
    ) -> Iterator[tuple[Tensor, Tensor | None, Tensor]]:
        """(images, aspects or None, labels) for each of the lists of indices, in that order.

        Photos are read ahead by worker processes. A broken one is left out, or another of its list stands in for it.
        """
        if self.streams:
            yield from self._streamed(wanted, leave_out_broken)
            return
        for indices in wanted:
            indices = indices.to(self.images.device)
            # index_select copies rows whole: measured 16 us for 64 digits where images[indices] takes 81.
            images, labels = self.images.index_select(0, indices), self.labels.index_select(0, indices)
            yield images, None if self.aspects is None else self.aspects[indices], labels

    def _streamed(
        self, wanted: Sequence[Tensor], leave_out_broken: bool
    ) -> Iterator[tuple[Tensor, Tensor | None, Tensor]]:
        workers = min(MAX_WORKERS, available_cores(), len(wanted)) if len(wanted) > 1 else 0
        loader = DataLoader(self.images, batch_sampler=[indices.tolist() for indices in wanted], num_workers=workers)
        for indices, (images, aspects, ok) in zip(wanted, loader, strict=True):
            labels = self.labels[indices]
            if not bool(ok.all()):
                good = ok.nonzero()[:, 0]
                if not leave_out_broken and len(good):
                    here = torch.arange(len(ok))
                    good = torch.where(ok, here, good[here % len(good)])
                if leave_out_broken or len(good):
                    images, aspects, labels = images[good], aspects[good], labels[good]
            yield images, aspects if self.images.form.resize_mode == "stretch" else None, labels


def held_out(count: int, settings: TrainSettings, name: str) -> int:
    """How many of `count` training images are held out for validation."""
    wanted = settings.val_split
    size = max(1, round(count * wanted)) if wanted < 1 else int(wanted)
    if count - size < 2:
        raise DatasetError(
            "{name} has {count} training images, and {val_split} {wanted:g} leaves {left} of them: choose a smaller "
            "one, e.g. 0.2.",
            val_split=Setting("val_split"),
            name=name,
            count=count,
            wanted=wanted,
            left=max(0, count - size),
        )
    return size


def divide(whole: Split, size: int, seed: int) -> tuple[Split, Split]:
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))
    return whole.take(order[size:]), whole.take(order[:size])


def join(parts: list[Split]) -> Split:
    if len(parts) == 1:
        return parts[0]
    return Split(torch.cat([p.images for p in parts]), torch.cat([p.labels for p in parts]))
