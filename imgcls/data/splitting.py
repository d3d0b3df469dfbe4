"""A part of a data set: its images, in memory, mapped, or read from their files while training.

Knows nothing of batches' order or of augmentation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from imgcls.data.photos import StreamingPhotos
from imgcls.errors import DatasetError
from imgcls.messages import Setting
from imgcls.processes import available_cores

BURST_SHARE = 0.2  # of a class that is one burst: its last photos are for validation
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

    @property
    def tensor(self) -> Tensor:
        """The images, for who knows that they are in memory or mapped."""
        assert isinstance(self.images, Tensor), "these photos are read from their files"
        return self.images

    def image(self, index: int) -> Tensor:
        """One image: uint8 (C, H, W). A photo that cannot be read is black."""
        return self.images[index] if isinstance(self.images, Tensor) else self.images[index][0]

    def take(self, indices: Tensor) -> Split:
        paths = None if self.paths is None else tuple(self.paths[i] for i in indices.tolist())
        at = indices.to(self.labels.device)
        aspects = None if self.aspects is None else self.aspects[at]
        stored = self.images
        images = stored.index_select(0, at) if isinstance(stored, Tensor) else stored.take(indices.tolist())
        return Split(images, self.labels[at], aspects, paths)

    def to(self, device: torch.device) -> Split:
        """Photos that are still to be read stay what they are: their batches go to the device one by one."""
        aspects = None if self.aspects is None else self.aspects.to(device)
        images = self.images.to(device) if isinstance(self.images, Tensor) else self.images
        return replace(self, images=images, labels=self.labels.to(device), aspects=aspects)

    def read(
        self, batches: Sequence[Tensor], *, leave_out_broken: bool = False
    ) -> Iterator[tuple[Tensor, Tensor | None, Tensor]]:
        """(images, aspects or None, labels) for each of the lists of indices, in that order.

        Photos are read ahead by worker processes. A broken one is left out, or another of its list stands in for it;
        where its whole list is broken, the next photo that can be read.
        """
        stored = self.images
        if isinstance(stored, StreamingPhotos):
            yield from self._streamed(stored, batches, leave_out_broken)
            return
        for indices in batches:
            indices = indices.to(stored.device)
            # index_select copies rows whole: measured 16 us for 64 digits where images[indices] takes 81.
            images, labels = stored.index_select(0, indices), self.labels.index_select(0, indices)
            yield images, None if self.aspects is None else self.aspects[indices], labels

    def _streamed(
        self, photos: StreamingPhotos, batches: Sequence[Tensor], leave_out_broken: bool
    ) -> Iterator[tuple[Tensor, Tensor | None, Tensor]]:
        workers = min(MAX_WORKERS, available_cores(), len(batches)) if len(batches) > 1 else 0
        loader = DataLoader(
            photos,
            batch_sampler=[indices.tolist() for indices in batches],
            num_workers=workers,
            generator=torch.Generator(),  # its own: a number drawn from the global one would change the dropout
        )
        for indices, (images, aspects, ok) in zip(batches, loader, strict=True):
            labels = self.labels[indices]
            if not bool(ok.all()):
                photos.broken.update(indices[~ok].tolist())
                good = ok.nonzero()[:, 0]
                if not leave_out_broken and not len(good):
                    image, aspect, label = self._readable_after(photos, int(indices[-1]))
                    images, aspects, labels = image[None], aspect[None], label[None]
                    good, ok = torch.zeros(1, dtype=torch.int64), torch.zeros_like(ok)
                if not leave_out_broken:
                    here = torch.arange(len(ok))
                    good = torch.where(ok, here, good[here % len(good)])
                images, aspects, labels = images[good], aspects[good], labels[good]
            yield images, aspects if photos.form.resize_mode == "stretch" else None, labels

    def _readable_after(self, photos: StreamingPhotos, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """(image, aspect, label) of the next photo that can be read: the same one whenever the run passes here."""
        for step in range(1, len(self)):
            other = (index + step) % len(self)
            image, aspect, ok = photos[other]
            if ok:
                return image, aspect, self.labels[other]
        raise DatasetError("None of the {count:,} photos can be read: look at their report.", count=len(self))


def stratify(
    labels: Sequence[int],
    groups: Sequence[int],
    size: int,
    seed: int,
    name: str,
    *,
    copies: Callable[[], Sequence[int]] | None = None,
) -> list[int]:
    """Places of `size` photos for validation: from each class its share, no group parted, never all of a class.

    groups: for each photo the group that must stay on one side (grouping.group_ids). Where groups are larger than what
    is due, somewhat fewer are held out. A group of several classes stays in training. Of a class that would have
    nothing held out, since its photos are one burst, the last fifth is: better measured on photos that look alike than
    not at all. copies: for each photo the group of its copies alone, which are never parted; without it no burst is
    cut. Raises DatasetError where some class would be left without a training image.
    """
    quotas = _quotas(Counter(labels), size, seed, name)
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    of_class: dict[int, list[list[int]]] = {label: [] for label in quotas}
    groups_left = list(members.values())
    for index in torch.randperm(len(groups_left), generator=torch.Generator().manual_seed(seed)).tolist():
        if len(label := {labels[i] for i in groups_left[index]}) == 1:
            of_class[label.pop()].append(groups_left[index])
    held = []
    for label, quota in quotas.items():
        chosen: list[int] = []
        apart = of_class[label]
        for group in apart:
            if len(chosen) + len(group) <= quota:
                chosen += group
        if quota and not chosen and len(apart) > 1:  # every group is larger than the share: the smallest, then
            chosen = min(apart, key=len)
        if quota and not chosen and copies is not None:
            chosen = _last_fifth(label, labels, copies())
        held += chosen
    if not held:
        raise DatasetError(
            "{name} cannot be divided: all photos of a class are the same or of one burst; add other photos, "
            "or a val folder.",
            name=name,
        )
    return sorted(held)


def _last_fifth(label: int, labels: Sequence[int], copies: Sequence[int]) -> list[int]:
    """Places of a class's last photos, which were taken last; [] where all of them are copies of one, or also stand in
    another class."""
    members: dict[int, list[int]] = {}
    for i, group in enumerate(copies):
        members.setdefault(group, []).append(i)
    own = [group for group in members.values() if all(labels[i] == label for i in group)]
    count = sum(labels[i] == label for i in range(len(labels)))
    most, chosen = max(1, round(BURST_SHARE * count)), []
    for group in sorted(own, key=max, reverse=True):
        if len(chosen) + len(group) > most:
            break
        chosen += group
    if not chosen and own:  # the last photo has many copies
        chosen = min(own, key=len)
    return chosen if len(chosen) < count else []


def stratified_subset(labels: Sequence[int], count: int, seed: int) -> list[int]:
    """Places of the first `count` images of a seeded order; no class is left out as long as there is room for all."""
    if count >= len(labels):
        return list(range(len(labels)))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed + 1)).tolist()
    first: dict[int, int] = {}
    for i in order:
        first.setdefault(labels[i], i)
    chosen = list(first.values())[:count]
    chosen_set = set(chosen)
    for i in order:
        if len(chosen) == count:
            break
        if i not in chosen_set:
            chosen.append(i)
    return sorted(chosen)


def _quotas(counts: Counter[int], size: int, seed: int, name: str) -> dict[int, int]:
    """How many of each class are held out, `size` in all: the largest remainders are rounded up."""
    if size > sum(counts.values()) - len(counts):
        raise DatasetError(
            "{name} has {count} training images in {classes} classes, and {val_split} takes {size} of them: "
            "choose a smaller one, so that each class keeps an image to learn from.",
            val_split=Setting("val_split"),
            name=name,
            count=sum(counts.values()),
            classes=len(counts),
            size=size,
        )
    share = size / sum(counts.values())
    quotas = {label: min(int(count * share), count - 1) for label, count in sorted(counts.items())}
    order = torch.randperm(len(quotas), generator=torch.Generator().manual_seed(seed)).tolist()
    chance = dict(zip(quotas, order, strict=True))
    while (missing := size - sum(quotas.values())) > 0:
        open_ones = [label for label, count in counts.items() if quotas[label] < count - 1]
        open_ones.sort(key=lambda label: (quotas[label] - counts[label] * share, chance[label]))
        for label in open_ones[:missing]:
            quotas[label] += 1
    return quotas


def join(splits: list[Split]) -> Split:
    if len(splits) == 1:
        return splits[0]
    aspects = [p.aspects for p in splits if p.aspects is not None]
    paths = [p.paths for p in splits if p.paths is not None]
    return Split(
        torch.cat([p.tensor for p in splits]),
        torch.cat([p.labels for p in splits]),
        torch.cat(aspects) if len(aspects) == len(splits) else None,
        tuple(path for of_split in paths for path in of_split) if len(paths) == len(splits) else None,
    )


def flip_labels(labels: Tensor, classes: int, *, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """(labels, the places that were changed): a share of them, drawn by seed, each to any other class."""
    generator = torch.Generator().manual_seed(seed + 2)
    count = round(share * len(labels))
    chosen = torch.randperm(len(labels), generator=generator)[:count].sort().values
    other = torch.randint(1, classes, (len(chosen),), generator=generator)
    flipped = labels.clone()
    flipped[chosen] = (labels[chosen] + other) % classes
    return flipped, chosen
