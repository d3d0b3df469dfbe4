"""Fast batches: a gather, an augmentation and a normalisation for many steps at once.

An epoch's order and its random changes depend on (seed, epoch) alone, so a run that goes on in the middle of an epoch
sees exactly what it would have seen. With several processes each takes its share of every batch. Knows no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imgcls.data.augment import AUGMENTATIONS
from imgcls.preprocess import Preprocess

# Small images are augmented for several steps at a time: per-call costs shrink, and 2 MB of float stays in the cache.
CHUNK_BYTES = 2_000_000


@dataclass(frozen=True)
class Split:
    """images: uint8 (N, C, H, W), in memory or mapped; labels: int64 (N,); aspects: width/height of photos that are
    stored squeezed, float (N,); paths: where each came from, for photos."""

    images: Tensor
    labels: Tensor
    aspects: Tensor | None = None
    paths: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, places: Tensor) -> Split:
        paths = None if self.paths is None else tuple(self.paths[i] for i in places.tolist())
        aspects = None if self.aspects is None else self.aspects[places]
        return Split(self.images[places], self.labels[places], aspects, paths)

    def to(self, device: torch.device) -> Split:
        aspects = None if self.aspects is None else self.aspects.to(device)
        return replace(self, images=self.images.to(device), labels=self.labels.to(device), aspects=aspects)


class Batches:
    """Batches of one split for training.

    `epoch(number, first=0)` yields (inputs float (B, C, size, size), labels int64 (B,)) from step `first` on.
    """

    def __init__(
        self,
        split: Split,
        preprocess: Preprocess,
        *,
        batch_size: int,
        augment: str,
        seed: int,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.split, self.preprocess, self.device = split, preprocess, device
        self.augment = AUGMENTATIONS[augment]
        self.batch_size, self.seed, self.rank, self.world = min(batch_size, len(split)), seed, rank, world
        # A last batch of one image has no variance to normalise by (BatchNorm fails on it): it is left out.
        full, rest = divmod(len(split), self.batch_size)
        self.steps = full + (rest > max(1, world - 1))
        self.images = full * self.batch_size + (rest if self.steps > full else 0)
        image_bytes = preprocess.channels * preprocess.size**2 * 4
        several = CHUNK_BYTES // (image_bytes * self.batch_size) if augment != "none" else 1
        self.chunk = max(1, min(16, several))

    def weight(self, share: int, step: int) -> float:
        """This process's share of step `step`'s batch over an even share: 1 where every process has as many images."""
        whole = min(self.batch_size, self.images - step * self.batch_size)
        return share * self.world / whole

    def order(self, epoch: int) -> Tensor:
        """The epoch's permutation, the same in every process."""
        generator = torch.Generator().manual_seed(_mix(self.seed, epoch))
        return torch.randperm(len(self.split), generator=generator)[: self.images]

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.order(number)
        start = first - first % self.chunk
        for step in range(start, self.steps, self.chunk):
            places = order[step * self.batch_size : (step + self.chunk) * self.batch_size]
            inputs, labels = self.prepare(places, _mix(self.seed, number, step))
            for i, (x, y) in enumerate(zip(inputs.split(self.batch_size), labels.split(self.batch_size), strict=True)):
                if step + i >= first:
                    yield (x, y) if self.world == 1 else (x[self.rank :: self.world], y[self.rank :: self.world])

    def prepare(self, places: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """The images at `places` as the network gets them, changed at random by `seed`."""
        home = self.split.images.device
        places = places.to(home)
        # index_select copies rows whole: measured 16 us for 64 digits where images[places] takes 81.
        images = self.split.images.index_select(0, places).to(self.device, non_blocking=True)
        labels = self.split.labels.index_select(0, places).to(self.device, non_blocking=True)
        aspects = None if self.split.aspects is None else self.split.aspects[places].to(self.device)
        generator = torch.Generator(self.device).manual_seed(seed)
        changed = self.augment(images, aspects, generator, self.preprocess)
        return self.preprocess.normalise(changed), labels

    def sample(self, count: int = 32) -> Tensor:
        """The first images of the first epoch as the network gets them: uint8 (count, C, size, size)."""
        inputs, _ = self.prepare(self.order(0)[:count], _mix(self.seed, 0, 0))
        return self.preprocess.picture(inputs).cpu()


def evaluation_batches(
    split: Split, preprocess: Preprocess, *, batch_size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """The split in order, nothing random: (inputs, labels)."""
    for start in range(0, len(split), batch_size):
        images = split.images[start : start + batch_size].to(device, non_blocking=True)
        yield preprocess.to_input(images), split.labels[start : start + batch_size].to(device)


def _mix(*numbers: int) -> int:
    """One seed from several numbers: Knuth's multiplicative hash, so that neighbours do not collide."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 2654435761 + number + 1) % (2**63)
    return mixed
