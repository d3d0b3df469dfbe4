"""The frozen backbone run once: its features stand in for images when only the head learns.

`views` versions of every training image are kept, the image as it is and augmented ones; each epoch takes one of them
at random per image. With no augmentation one view is all there is. Small sets of features stay in memory, large ones in
a mapped file beside the run. Same interface as Batches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor

from imgcls.augmentations import NONE
from imgcls.data.augmentation import compose
from imgcls.data.loader import Batches, evaluation_batches, images_at_once, mix_seed
from imgcls.data.splitting import Split
from imgcls.errors import DatasetError
from imgcls.files import free_bytes, storage_error
from imgcls.imaging.preprocess import Preprocess
from imgcls.messages import Setting
from imgcls.models.forward import in_micro_batches

Autocast = Callable[[], AbstractContextManager]
BATCH = 64  # images at the most on a processor, see images_at_once
IN_MEMORY = 1_000_000_000  # bytes of features; more go to a mapped file


class FeatureBatches:
    """`epoch` yields (features float (B, F), labels int64 (B,)), in the same order as the images' own Batches.

    `fill` has to be run through first. `plain`: the features of the images as they are, (N, F); None where a single
    augmented view is all that was asked for.
    """

    def __init__(self, batches: Batches, *, views: int, file: Path) -> None:
        self.batches, self.steps, self.batch_size = batches, batches.steps, batches.batch_size
        self.views, self.file = views, file
        self.labels = batches.split.labels.to(batches.device, copy=True)
        self.features = torch.empty(0)
        self._has_plain = views > 1 or batches.augment is compose(NONE)

    @property
    def plain(self) -> Tensor | None:
        return self.features[0] if self._has_plain and self.features.numel() else None

    def fill(self, backbone: Callable[[Tensor], Tensor], autocast: Autocast) -> Iterator[int]:
        """Run the backbone over every view of every image; after each batch, how many images are done."""
        batches, views, file, done = self.batches, self.views, self.file, 0
        chunks = torch.arange(len(batches.split)).split(images_at_once(BATCH, batches.preprocess.size, batches.device))
        for view in range(views):
            plain = view == 0 and self._has_plain
            seeds = [mix_seed(batches.seed, view, number, 1) for number in range(len(chunks))]
            for indices, (inputs, labels) in zip(chunks, batches.prepared(chunks, seeds, plain=plain), strict=True):
                with torch.inference_mode(), autocast():
                    outputs = in_micro_batches(backbone, inputs).float()
                if not self.features.numel():
                    self.features = _room(views, len(batches.split), outputs, file)
                self.features[view, indices.to(self.features.device)] = outputs.to(self.features.device)
                # A broken photo's stand-in brings its own label.
                self.labels[indices.to(self.labels.device)] = labels.to(self.labels.device)
                done += len(indices)
                yield done

    def weight(self, share: int, step: int) -> float:
        return self.batches.weight(share, step)

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        batches, workspace = self.batches, self.features.device
        order = batches.order(number).to(workspace)
        generator = torch.Generator().manual_seed(mix_seed(batches.seed, number, 2))
        views = torch.randint(self.features.shape[0], (len(order),), generator=generator).to(workspace)
        for step in range(first, self.steps):
            share = slice(step * self.batch_size + batches.rank, (step + 1) * self.batch_size, batches.world)
            indices = order[share]
            yield (
                self.features[views[share], indices].to(batches.device),
                self.labels[indices.to(self.labels.device)],
            )


def evaluation_features(
    backbone: Callable[[Tensor], Tensor],
    split: Split,
    preprocess: Preprocess,
    device: torch.device,
    autocast: Autocast,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The split's features, batch by batch, nothing random."""
    for images, labels in evaluation_batches(split, preprocess, batch_size=BATCH, device=device):
        with torch.inference_mode(), autocast():
            outputs = in_micro_batches(backbone, images).float()
        yield outputs, labels  # outside: whoever takes it may need gradients


def _room(views: int, images: int, like: Tensor, file: Path) -> Tensor:
    """Space for (views, images, F) floats, on the device or in a file that the system may page out."""
    shape = (views, images, like.shape[1])
    if views * images * like.shape[1] * 4 <= IN_MEMORY:
        return torch.empty(shape, device=like.device)
    file.parent.mkdir(parents=True, exist_ok=True)
    needed = views * images * like.shape[1] * 4
    if free_bytes(file.parent) < needed:  # a full disk would kill the process without a word
        raise DatasetError(
            "The features need {size:.1f} GB of disk in {folder}: choose fewer {augment_views} or free space.",
            size=needed / 1e9,
            folder=file.parent,
            augment_views=Setting("augment_views"),
        )
    try:
        with open(file, "wb") as out:
            if hasattr(os, "posix_fallocate"):  # what is promised cannot be taken by others meanwhile
                os.posix_fallocate(out.fileno(), 0, needed)
    except OSError as error:
        raise storage_error(file, error) from None
    count = views * images * like.shape[1]
    return torch.from_file(str(file), shared=True, size=count, dtype=torch.float32).view(shape)
