"""Which image of a known set's own files is which image of its parts: a seed divides them anew each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from imgcls.data.catalog import PEN_HELD_OUT, PEN_RENDERINGS, TRAINING_IMAGES, held_out
from imgcls.data.splitting import Split, divide
from imgcls.settings import TrainSettings

if TYPE_CHECKING:
    from imgcls.data.datasets import DataSet


def divide_pen(whole: Split) -> tuple[Split, Split]:
    drawings = len(whole) // PEN_RENDERINGS
    first = drawings - drawings // PEN_HELD_OUT
    drawing = torch.arange(len(whole)) % drawings
    return whole.take((drawing < first).nonzero()[:, 0]), whole.take((drawing >= first).nonzero()[:, 0])


def names_in_files(data: DataSet, settings: TrainSettings) -> dict[str, list[str]]:
    """{"train", "val", "test": what each image of a known set is called, by its place (from 0) in the set's own files}:
    "train/43054", whichever part a run's seed puts it in; "train/12.2" is the second picture of pen drawing 12; of two
    sets, the set's name comes first."""
    names = settings.dataset.split("+")
    of_pen = len(data.train) + len(data.val) - sum(TRAINING_IMAGES.get(name, 0) for name in names)
    made: dict[str, list[str]] = {part: [] for part in data.sizes}
    for name in names:
        count = TRAINING_IMAGES.get(name, of_pen)
        file = "train" if len(names) == 1 else f"{name}/train"
        numbers = torch.arange(count)
        whole = Split(numbers, numbers)  # divided as the images are
        if name == "pen-digits":
            divided = divide_pen(whole)
        else:
            divided = divide(whole, held_out(count, settings, name), settings.seed)
        for part, split in zip(("train", "val"), divided, strict=True):
            numbered = split.labels.tolist()
            if name == "pen-digits":
                drawings = count // PEN_RENDERINGS
                made[part] += [f"{file}/{number % drawings}.{number // drawings + 1}" for number in numbered]
            else:
                made[part] += [f"{file}/{number}" for number in numbered]
    if data.test is not None:
        file = "test" if len(names) == 1 else f"{names[0]}/test"
        made["test"] = [f"{file}/{number}" for number in range(len(data.test))]
    return made
