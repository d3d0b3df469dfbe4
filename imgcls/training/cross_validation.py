"""How good a network's last layer would be on a folder of few photos: a figure from all of them, with its interval.

The folder is cut into folds; for each one a linear layer learns from the features of the others, and is asked about it.
So every photo is asked about once, by a layer that has not seen it, its copies or its burst. The features are those of
the pre-trained network that photos begin with. No run is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from imgcls.audit.confident_learning import FOLDS, out_of_sample
from imgcls.audit.features import AuditImages, photo_images, pretrained
from imgcls.data.catalog import folder_of
from imgcls.data.grouping import group_ids
from imgcls.data.registry import is_builtin
from imgcls.errors import DatasetError
from imgcls.inference.metrics import ClassFigures, MacroMeans, Outputs, classification_report
from imgcls.recipes import usual_network
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Misread:
    """A photo that was taken for another class. confidence: the share that its class was given, from 0 to 1."""

    file: str
    label: str
    read_as: str
    confidence: float


@dataclass(frozen=True)
class CrossValidation:
    """Of every photo that was asked about.

    Attributes:
        dataset: the folder.
        model: the pre-trained network whose features they are.
        folds: how many.
        images: photos that were asked about.
        accuracy: share of them that were named right.
        interval: 95 %, of the accuracy.
        balanced_accuracy: the mean of the classes' recalls (macro recall).
        classes: precision, recall and F1 of each class.
        macro: their means.
        confusion: confusion[i][j]: photos of class i taken for class j.
        mistakes: the photos that were taken for another class, the most confident ones first.
        not_judged: photos whose class no other fold has.
        seconds: that it took.
    """

    dataset: str
    model: str
    folds: int
    images: int
    accuracy: float
    interval: tuple[float, float]
    balanced_accuracy: float | None
    classes: tuple[ClassFigures, ...]
    macro: MacroMeans
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Misread, ...]
    not_judged: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The same as `imgcls cross-validate --json`."""
        return asdict(self)


def cross_validate(
    dataset: str,
    workspace: Workspace,
    *,
    folds: int = FOLDS,
    progress: Callable[[int, int], None] | None = None,
    images: AuditImages | None = None,
) -> CrossValidation:
    """images: the features, where they are known already. Raises DatasetError, WeightsError."""
    if is_builtin(dataset):
        raise DatasetError(
            "{name} has a part to be measured on: train, then evaluate. Folds are for a folder of few photos.",
            name=dataset,
        )
    folder_of(dataset, workspace)  # says so where there is none
    began = time.perf_counter()
    if images is None:
        network = pretrained(usual_network(dataset), dataset, workspace)
        images = photo_images(dataset, workspace, progress=progress, network=network)
    counts = images.labels.bincount(minlength=len(images.classes))
    if len(images.classes) < 2 or int(counts.max()) < folds:
        raise DatasetError(
            "{name} has too few photos for {folds} folds: at least two classes, and {folds} photos of one of them.",
            name=dataset,
            folds=folds,
        )
    groups = group_ids(images.files) if images.files else None
    probabilities = out_of_sample(images.features, images.labels, len(images.classes), groups=groups, folds=folds)
    judged = ~probabilities.isnan().any(dim=1)
    if not judged.any():
        raise DatasetError(
            "No photo of {name} can be judged: each class was taken in one go, so that none is left to learn from. "
            "Take photos of each class at several times.",
            name=dataset,
        )
    report = classification_report(_outputs(images, probabilities, judged), images.classes)
    return CrossValidation(
        dataset=dataset,
        model=usual_network(dataset),
        folds=folds,
        images=report.images,
        accuracy=report.accuracy,
        interval=report.interval,
        balanced_accuracy=report.balanced_accuracy,
        classes=report.classes,
        macro=report.macro,
        confusion=report.confusion,
        mistakes=_mistakes(images, probabilities, judged),
        not_judged=int((~judged).sum()),
        seconds=time.perf_counter() - began,
    )


def _mistakes(images: AuditImages, probabilities: torch.Tensor, judged: torch.Tensor) -> tuple[Misread, ...]:
    confidence, predicted = probabilities.nan_to_num(-1.0).max(dim=1)
    wrong = (judged & (predicted != images.labels)).nonzero()[:, 0].tolist()
    wrong.sort(key=lambda i: -float(confidence[i]))
    names = images.classes
    return tuple(
        Misread(images.paths[i], names[int(images.labels[i])], names[int(predicted[i])], float(confidence[i]))
        for i in wrong
    )


def _outputs(images: AuditImages, probabilities: torch.Tensor, judged: torch.Tensor) -> Outputs:
    labels, said = images.labels[judged], probabilities[judged]
    likeliest, classes = said.topk(said.shape[1], dim=1)
    losses = -said.gather(1, labels[:, None])[:, 0].clamp(min=1e-12).log()
    everywhere = torch.ones(len(labels))
    return Outputs(labels, classes, likeliest, losses, everywhere, everywhere > 0)
