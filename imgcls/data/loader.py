"""Fast batches: a gather, an augmentation and a normalisation for many steps at once.

An epoch's order and its random changes depend on (seed, epoch) alone, so a run that goes on in the middle of an epoch
sees exactly what it would have seen. With several processes each takes its share of every batch. Knows no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.augmentations import NONE, mixes
from imgcls.data.augmentation import compose
from imgcls.data.balance import equally_often
from imgcls.data.splitting import Split
from imgcls.imaging.preprocess import Preprocess

# Small images are augmented for several steps at a time: per-call costs shrink, and 2 MB of float stays in the cache.
CHUNK_BYTES = 2_000_000
# Images as they are: a step has driven this code from the processor's caches, so that preparing a batch takes two to
# seven times as long. In turns of 40 steps, LeNet on MNIST and CIFAR-10, of stepping on one batch that lies there:
# 0.97 and 0.96 where one step is gathered at a time, 1.00 and 0.98 where twelve are, 0.98 and 0.96 for thirty-two.
PLAIN_CHUNK_BYTES, PLAIN_CHUNK = 10_000_000, 12
# On a GPU every call costs a launch, augmented or not, and nothing is gained by small pieces.
GPU_CHUNK_BYTES = 64_000_000
# Of a batch that only goes forward, on a processor: what a layer hands on to the next one is to stay in the cache. A
# network's own row may say fewer (models/forward.py).
# Measured, EfficientNet-Lite0 at 160 pixels, milliseconds of one core an image: 12.5 in batches of 16, 18.4 of 32, 19.9
# of 64. ResNet18 at 64 pixels: batches of 64 run 1.14 times as fast as of 256.
PIXELS_AT_ONCE = 16 * 160**2
FEWEST_AT_ONCE = 16  # a large network's weights are read anew for every batch
GPU_PIXELS_AT_ONCE = 256 * 224**2  # a GPU wants many at once: as many small images as make 256 of ImageNet's size


class Batches:
    """Batches of one split for training.

    `epoch(number, start_step=0)` yields (inputs float (B, C, size, size), labels int64 (B,)) from step `start_step` on;
    where images are mixed with each other, shares of the classes float (B, classes) instead of labels.
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
        answered: Split | None = None,
        sampled: bool = False,
        classes: int | None = None,
    ) -> None:
        """answered: the same images in the form in which the network is asked about them, where that is another;
        sampled: each class is shown equally often, instead of each image once; classes: how many there are, where
        the labels do not show it."""
        self.sampled, self.mixes = sampled, mixes(augment)
        self.classes = classes or (int(split.labels.max()) + 1 if self.mixes else 0)
        self.answered = answered or split
        self.split, self.preprocess, self.device = split, preprocess, device
        self.augment = compose(augment)
        self.batch_size, self.seed, self.rank, self.world = min(batch_size, len(split)), seed, rank, world
        # A last batch of one image has no variance to normalise by (BatchNorm fails on it): it is left out.
        full, rest = divmod(len(split), self.batch_size)
        self.steps = full + (rest >= 2 * world)
        self.images = full * self.batch_size + (rest if self.steps > full else 0)
        image_bytes = preprocess.channels * preprocess.size**2 * 4
        on_gpu = device.type == "cuda" and not split.streams
        if on_gpu:
            room, most = GPU_CHUNK_BYTES, 64
        elif augment == "none" and not split.streams:
            room, most = PLAIN_CHUNK_BYTES, PLAIN_CHUNK
        else:
            room, most = CHUNK_BYTES, 16 if augment != "none" else 1
        self.chunk = max(1, min(most, room // (image_bytes * self.batch_size)))

    def weight(self, share: int, step: int) -> float:
        """This process's share of step `step`'s batch over an even share: 1 where every process has as many images."""
        whole = min(self.batch_size, self.images - step * self.batch_size)
        return share * self.world / whole

    def order(self, epoch: int) -> Tensor:
        """The epoch's permutation, the same in every process."""
        generator = torch.Generator().manual_seed(mix_seed(self.seed, epoch))
        if self.sampled:
            return equally_often(self.split.labels.cpu(), generator)[: self.images]
        return torch.randperm(len(self.split), generator=generator)[: self.images]

    def epoch(self, number: int, start_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.order(number)
        if not self.split.streams:  # once, not batch by batch: each time the processor would wait for the GPU
            order = order.to(self.split.tensor.device)
        starts = range(start_step - start_step % self.chunk, self.steps, self.chunk)
        # What is not changed at random can be shared out before it is gathered.
        shared = self.world > 1 and self.augment is compose(NONE) and not self.split.streams
        indices = [order[step * self.batch_size : (step + self.chunk) * self.batch_size] for step in starts]
        if shared:
            shares = [[one[self.rank :: self.world] for one in some.split(self.batch_size)] for some in indices]
            indices = [torch.cat(some) for some in shares]
        batches = self.prepared(indices, [mix_seed(self.seed, number, step) for step in starts])
        for chunk, (step, (inputs, labels)) in enumerate(zip(starts, batches, strict=True)):
            sizes = [len(one) for one in shares[chunk]] if shared else self.batch_size
            for i, (x, y) in enumerate(zip(inputs.split(sizes), labels.split(sizes), strict=True)):
                if step + i >= start_step:
                    whole = self.world == 1 or shared
                    yield (x, y) if whole else (x[self.rank :: self.world], y[self.rank :: self.world])

    def prepared(
        self, indices: Sequence[Tensor], seeds: Sequence[int], *, plain: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Each list of indices as the network gets its images, changed at random by the seed of the same rank; where
        `plain` as it will be asked about them."""
        if plain:
            for images, _, labels in self.answered.read(indices):
                yield self.preprocess.to_input(images.to(self.device)), labels.to(self.device)
            return
        for seed, (images, aspects, labels) in zip(seeds, self.split.read(indices), strict=True):
            images, labels = images.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
            aspects = None if aspects is None else aspects.to(self.device)
            generator = torch.Generator(self.device).manual_seed(seed)
            changed = self.augment(images, aspects, generator, self.preprocess)
            if self.mixes:
                labels = F.one_hot(labels, self.classes).float()
                for spec in self.mixes:
                    changed, labels = spec.apply(changed, labels, generator)
            yield self.preprocess.normalise(changed), labels

    def prepare(self, indices: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """One list of indices."""
        return next(self.prepared([indices], [seed]))

    def sample(self, count: int = 32) -> Tensor:
        """The first images of the first epoch as the network gets them: uint8 (at most count, C, size, size)."""
        # The whole first chunk: fewer images would draw other random numbers.
        inputs, _ = self.prepare(self.order(0)[: self.chunk * self.batch_size], mix_seed(self.seed, 0, 0))
        return self.preprocess.picture(inputs[:count]).cpu()


def images_at_once(most: int, size: int, device: torch.device) -> int:
    """How many images of `size` pixels go forward together: at most `most`, but more of small ones on a GPU."""
    if device.type == "cuda":
        return max(most, min(4096, GPU_PIXELS_AT_ONCE // size**2))
    return most if device.type != "cpu" else min(most, max(FEWEST_AT_ONCE, PIXELS_AT_ONCE // size**2))


def evaluation_batches(
    split: Split, preprocess: Preprocess, *, batch_size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """The split in order, nothing random: (inputs, labels), of at most `batch_size` images."""
    indices = torch.arange(len(split)).split(images_at_once(batch_size, preprocess.size, device))
    for images, _, labels in split.read(indices, leave_out_broken=True):
        if len(labels):
            yield preprocess.to_input(images.to(device, non_blocking=True)), labels.to(device)


def mix_seed(*numbers: int) -> int:
    """One seed from several numbers: Knuth's multiplicative hash, so that neighbours do not collide."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 2654435761 + number + 1) % (2**63)
    return mixed
