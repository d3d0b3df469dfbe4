"""A file of weights from elsewhere, tried on a data set: which of the networks that it may be answers best.

Nothing in the file says which activation it had, or where a chain was pooled; images whose classes are known do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from imgcls.checkpoints.import_weights import checked_classes, network, proposed
from imgcls.checkpoints.recognition import RecognisedNetwork, candidates, guesses
from imgcls.data.catalog import folder_of
from imgcls.data.evaluation_sets import load_for_evaluation
from imgcls.data.image_folders import scan
from imgcls.data.loader import evaluation_batches
from imgcls.data.registry import classes_of, is_builtin
from imgcls.inference.metrics import BATCH, evaluate
from imgcls.progress import Progress
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

SAMPLE = 200  # images on which each is tried


@dataclass(frozen=True)
class Trial:
    """`right` of `images` of the data set's `part`."""

    found: RecognisedNetwork
    right: int
    images: int
    part: str

    @property
    def is_guessing(self) -> bool:
        """Whether it is little better than a guess: its classes may be in another order, or its images made ready in
        another way."""
        return self.right < 2 * self.images / self.found.classes


def classes_in(dataset: str, workspace: Workspace) -> tuple[str, ...]:
    """Their names in a data set's order. Raises DatasetError."""
    return classes_of(dataset) if is_builtin(dataset) else tuple(scan(folder_of(dataset, workspace)).classes)


def try_on(
    file: Path,
    dataset: str,
    workspace: Workspace,
    *,
    classes: Sequence[str],
    kind: str = "",
    changes: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Trial]:
    """Everything that the file may be, the best first; of equals the likeliest. `progress` hears of images that are
    read, and of each network that is about to be tried. Raises ImgclsError, DatasetError where the data set has none of
    `classes`."""
    tried: list[Trial] = []
    for found, state in candidates(file):
        names = checked_classes(file, found, classes)
        form = proposed(found, kind=kind, changes=changes)
        split, part = load_for_evaluation(
            dataset,
            workspace,
            trained=TrainSettings(val_split=0.2),  # on no part of a folder: all of it is new to the network
            preprocess=form,
            classes=names,
            progress=progress,
        )
        some = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))[:SAMPLE].sort().values
        images = split.take(some)
        for guess in guesses(found):
            if progress:
                progress(len(tried), 0)
            batches = evaluation_batches(images, form, batch_size=BATCH, device=torch.device("cpu"))
            measured = evaluate(network(guess, state, file, form), batches)
            right = int((measured.predicted == measured.labels).sum())
            tried.append(Trial(guess, right, len(measured.labels), part))
    return sorted(tried, key=lambda trial: -trial.right)
