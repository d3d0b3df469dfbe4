"""Which image of a built-in set's own files is in which split: the places that a seed draws, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from imgcls.data.catalog import validation_size
from imgcls.data.manifest import Lineage
from imgcls.data.registry import DatasetSpec
from imgcls.errors import DatasetError
from imgcls.settings import TrainSettings

if TYPE_CHECKING:
    from imgcls.data.datasets import DataSet


def divide_indices(spec: DatasetSpec, images: int, settings: TrainSettings) -> tuple[Tensor, Tensor]:
    """Places of the training and of the validation images among the `images` of a built-in set's training file.

    Of drawings the last are held out, every rendering of them, so that validation asks about hands never seen.
    """
    if renderings := spec.renderings:
        drawings = images // renderings.each
        drawing = torch.arange(images) % drawings
        first = drawings - drawings // renderings.validation_every
        return (drawing < first).nonzero()[:, 0], (drawing >= first).nonzero()[:, 0]
    size = validation_size(images, settings, spec.name)
    order = torch.randperm(images, generator=torch.Generator().manual_seed(settings.seed))
    return order[size:], order[:size]


def _called(spec: DatasetSpec) -> str:
    """The set's name; of one whose images may be others next time, such as a set of one's own, with its version."""
    return f"{spec.name}@{spec.version}" if spec.version else spec.name


def divide_after(spec: DatasetSpec, images: int, settings: TrainSettings, lineage: Lineage) -> tuple[Tensor, Tensor]:
    """As `divide_indices`, for a run that starts from another network: what that has learnt validates nothing, and what
    it was validated on is not learnt from. Raises DatasetError where nothing is left to validate on."""
    train, val = divide_indices(spec, images, settings)
    order = torch.cat([val, train])
    ids = index_names(spec, "train", order, images)
    learnt = torch.tensor([image_id in lineage.learnt for image_id in ids])
    validated = torch.tensor([image_id in lineage.validated for image_id in ids])
    chosen = torch.cat([order[validated], order[~validated & ~learnt]])[: len(val)]
    if not len(chosen):
        raise nothing_to_validate_on(settings.dataset, lineage)
    is_validation = torch.isin(order, chosen)
    return order[~is_validation & ~validated], chosen


def nothing_to_validate_on(dataset: str, lineage: Lineage) -> DatasetError:
    return DatasetError(
        "{name} has no image to validate on: {ancestor}, which this run starts from, has learnt from all of them. Add "
        "new ones, or give it a val folder.",
        name=dataset,
        ancestor=lineage.name,
    )


def indices_of(spec: DatasetSpec, paths: Sequence[str], images: int) -> Tensor:
    """The places among a built-in set's training images of those of `paths` that are its own; see `index_names`."""
    start = f"{_called(spec)}/train/"
    numbers = [path.removeprefix(start) for path in paths if path.startswith(start)]
    if not spec.renderings:
        return torch.tensor([int(number) for number in numbers], dtype=torch.int64)
    drawings = images // spec.renderings.each
    pairs = (number.split(".") for number in numbers)
    return torch.tensor([int(drawing) + (int(which) - 1) * drawings for drawing, which in pairs], dtype=torch.int64)


def index_names(spec: DatasetSpec, file: str, indices: Tensor, images: int) -> tuple[str, ...]:
    """What images are called by their places (from 0) in a set's own file: "mnist/train/43054"; "pen-digits/train/12.2"
    is the second picture of pen drawing 12."""
    start = f"{_called(spec)}/{file}/"
    if not spec.renderings:
        return tuple(f"{start}{index}" for index in indices.tolist())
    drawings = images // spec.renderings.each
    return tuple(f"{start}{index % drawings}.{index // drawings + 1}" for index in indices.tolist())


def names_in_files(data: DataSet) -> dict[str, tuple[str, ...]]:
    """{"train", "val", "test": what each image of a built-in set is called}; of a single set without the set's name."""
    several = "+" in data.name
    return {
        split_name: split.paths if several else tuple(path.partition("/")[2] for path in split.paths)
        for split_name, split in data.manifest.splits.items()
    }
