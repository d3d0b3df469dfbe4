"""A few training images as the network will get them, augmentation included, without reading the whole set.

What the grid shows before Start and what TensorBoard shows after it come from the same Batches. Knows no page.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.augmentations import crops_photos
from imgcls.data.catalog import folder_of
from imgcls.data.datasets import load_dataset
from imgcls.data.image_folders import scan
from imgcls.data.loader import Batches
from imgcls.data.photos import StorageFormat
from imgcls.data.registry import classes_of, is_builtin, parts_of
from imgcls.data.splitting import Split, join
from imgcls.errors import DatasetError, InputError
from imgcls.imaging.preprocess import Preprocess
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

TILE_PX = 128  # pixels: a grid shows no more, and a server keeps some dozens of these


@dataclass(frozen=True)
class Preview:
    """images: uint8 (N, C, side, side), as the network gets them, made smaller where that is more than SHOWN pixels;
    labels: the class name of each."""

    images: Tensor
    labels: tuple[str, ...]
    preprocess: Preprocess


def preview(
    settings: TrainSettings, workspace: Workspace, preprocess: Preprocess, *, count: int = 24, seed: int = 0
) -> Preview:
    """`count` images of the training part, another draw for each `seed`. Raises DatasetError."""
    if is_builtin(settings.dataset) and any(spec.renderings for spec in parts_of(settings.dataset)):
        classes, split = _with_renderings(settings, workspace, preprocess, count, seed)
    elif is_builtin(settings.dataset):
        data = load_dataset(settings, workspace, preprocess)
        classes, split = data.classes, data.train.take(_some(len(data.train), count, seed))
    else:
        classes, split = _photos(settings, workspace, preprocess, count, seed)
    batches = Batches(
        split, preprocess, batch_size=count, augment=settings.augment, seed=seed, device=torch.device("cpu")
    )
    inputs, labels = batches.prepare(torch.arange(len(split)), seed)
    images = preprocess.picture(inputs)
    if preprocess.size > TILE_PX:
        images = F.interpolate(images, (TILE_PX, TILE_PX), mode="bilinear", antialias=True)
    if labels.ndim == 2:  # mixed: every class that an image has something of
        names = [" + ".join(classes[i] for i in row.nonzero()[:, 0].tolist()) for row in labels]
    else:
        names = [classes[i] for i in labels.tolist()]
    return Preview(images, tuple(names), preprocess)


def _some(total: int, count: int, seed: int) -> Tensor:
    return torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:count]


def _with_renderings(
    settings: TrainSettings, workspace: Workspace, preprocess: Preprocess, count: int, seed: int
) -> tuple[tuple[str, ...], Split]:
    """Drawings rendered one by one (all 22,482 take a minute), and their share of the other set's images."""
    specs = parts_of(settings.dataset)
    total, splits = sum(spec.counts["train"] for spec in specs), []
    for spec in specs:
        share = count if len(specs) == 1 else round(count * spec.counts["train"] / total)
        if renderings := spec.renderings:
            file = spec.source(workspace).file(spec.files[0])
            splits.append(Split(*renderings.render(file, share, renderings.validation_every, seed)))
        else:
            one_set = settings.model_copy(update={"dataset": spec.name})
            whole = load_dataset(one_set, workspace, preprocess).train
            splits.append(whole.take(_some(len(whole), share, seed)))
    split = join(splits)
    return classes_of(settings.dataset), split.take(_some(len(split), len(split), seed))


def _photos(
    settings: TrainSettings, workspace: Workspace, preprocess: Preprocess, count: int, seed: int
) -> tuple[tuple[str, ...], Split]:
    """Some photos of the folder, in the form that training keeps them in; broken ones are passed over."""
    photos = scan(folder_of(settings.dataset, workspace))
    files = photos.splits["train"]
    whole = crops_photos(settings.augment)
    form = StorageFormat.of(preprocess, whole_photo=whole)
    images, aspects, labels = [], [], []
    for i in _some(len(files), count * 2, seed).tolist():
        path, label = files[i]
        try:
            image, aspect = form.read(path)
        except InputError:
            continue
        images.append(image)
        aspects.append(aspect)
        labels.append(label)
        if len(images) == count:
            break
    if not images:
        raise DatasetError("{name} has no readable image to use for train: look at its report.", name=settings.dataset)
    return photos.classes, Split(torch.stack(images), torch.tensor(labels), torch.tensor(aspects) if whole else None)
