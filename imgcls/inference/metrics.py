"""How good a network is on a set of images: loss, accuracy, per-class figures, confusion matrix, calibration.

Knows neither checkpoints' files nor how the network was trained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcls.inference.significance import wilson_interval
from imgcls.models.forward import in_micro_batches

BATCH = 256
BINS = 15  # of confidence, equally wide. Source: Guo et al. 2017
TOP_K = (3, 5)


@dataclass(frozen=True)
class EvalResult:
    """`loss`: mean cross entropy in nats; `predicted`: int64 (N,)."""

    loss: float
    accuracy: float
    predicted: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Outputs:
    """What a network said of N images, its K likeliest classes each.

    labels: int64 (N,); classes: int64 (N, K), likeliest first; probabilities: float (N, K), as they are shown, that is
    calibrated; losses: float (N,), cross entropy of the network's own logits in nats; familiarity: float (N,), 1 as
    usual, 0 like nothing it knows; sure: bool (N,).
    """

    labels: Tensor
    classes: Tensor
    probabilities: Tensor
    losses: Tensor
    familiarity: Tensor
    sure: Tensor

    @property
    def right(self) -> Tensor:
        return self.classes[:, 0] == self.labels

    @property
    def confidence(self) -> Tensor:
        return self.probabilities[:, 0]


@dataclass(frozen=True)
class ClassFigures:
    """None where there are no images of the class: nothing is known of it."""

    name: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class MacroMeans:
    """Means over the `classes` that there are images of, each counting the same; None where there is none."""

    classes: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers whose confidence lies in (low, high]: how confident they were on average, how many were right."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class SureFigures:
    """`share` of the images are "not sure"; accuracy of the `images` that are sure."""

    share: float
    images: int
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class ClassificationReport:
    """`confusion[i][j]`: images of class i taken for class j; `interval`: 95 %, of the accuracy; `ece`: expected
    calibration error; `top_k`: share of the images whose class is among the k likeliest; `balanced_accuracy`: the mean
    of the classes' recalls, also called macro recall: a rare class decides as much as a common one."""

    images: int
    accuracy: float
    interval: tuple[float, float]
    loss: float
    top_k: dict[int, float]
    ece: float
    reliability: tuple[ReliabilityBin, ...]
    not_sure: SureFigures
    classes: tuple[ClassFigures, ...]
    balanced_accuracy: float | None
    macro: MacroMeans
    confusion: tuple[tuple[int, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], *, autocast: Any = None) -> EvalResult:
    """One pass of a model in eval mode; sums stay on the device until the end."""
    losses, predicted, labels = [], [], []
    for inputs, targets in batches:
        with autocast() if autocast else contextlib.nullcontext():
            logits = in_micro_batches(model, inputs)
        losses.append(F.cross_entropy(logits.float(), targets, reduction="sum"))
        predicted.append(logits.argmax(dim=1))
        labels.append(targets)
    all_predicted, all_labels = torch.cat(predicted), torch.cat(labels)
    return EvalResult(
        loss=float(torch.stack(losses).sum()) / len(all_labels),
        accuracy=float((all_predicted == all_labels).float().mean()),
        predicted=all_predicted.cpu(),
        labels=all_labels.cpu(),
    )


def classification_report(outputs: Outputs, classes: tuple[str, ...]) -> ClassificationReport:
    """Everything above. Precision and F1 are 0 of a class that was there and never predicted; a class of which there
    are no images has neither them nor a recall, and no part in the macro means."""
    count, images, right = len(classes), len(outputs.labels), int(outputs.right.sum())
    confusion = torch.bincount(outputs.labels * count + outputs.classes[:, 0], minlength=count**2).view(count, count)
    ece, bins = calibration_error(outputs.confidence, outputs.right)
    figures = _class_figures(confusion, classes)
    macro = _macro_means(figures)
    return ClassificationReport(
        images=images,
        accuracy=right / max(images, 1),
        interval=wilson_interval(right, images),
        loss=float(outputs.losses.double().mean()) if images else 0.0,
        top_k={
            k: float((outputs.classes[:, :k] == outputs.labels[:, None]).any(1).double().mean())
            for k in TOP_K
            if k < count and k <= outputs.classes.shape[1]
        },
        ece=ece,
        reliability=bins,
        not_sure=_sure_figures(outputs),
        classes=figures,
        balanced_accuracy=macro.recall,
        macro=macro,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def calibration_error(
    confidence: Tensor, right: Tensor, *, bins: int = BINS
) -> tuple[float, tuple[ReliabilityBin, ...]]:
    """(expected calibration error, the bins): mean distance of confidence and accuracy, weighted by images.

    confidence: float (N,) in 0..1; right: bool (N,). Source: Guo et al. 2017, eq. 3.
    """
    which = (confidence.double() * bins).ceil().long().sub(1).clamp(0, bins - 1)
    images = torch.bincount(which, minlength=bins)
    there = images.clamp(min=1).double()
    said = torch.bincount(which, weights=confidence.double(), minlength=bins) / there
    true = torch.bincount(which, weights=right.double(), minlength=bins) / there
    error = float(((said - true).abs() * images).sum() / max(len(confidence), 1))
    rows = zip(images.tolist(), said.tolist(), true.tolist(), strict=True)
    return error, tuple(ReliabilityBin(i / bins, (i + 1) / bins, n, c, a) for i, (n, c, a) in enumerate(rows))


def _sure_figures(outputs: Outputs) -> SureFigures:
    images, sure = len(outputs.labels), int(outputs.sure.sum())
    right = int((outputs.right & outputs.sure).sum())
    return SureFigures(1 - sure / max(images, 1), sure, right / max(sure, 1), wilson_interval(right, sure))


def _class_figures(confusion: Tensor, classes: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    right = confusion.diagonal().double()
    there, said = confusion.sum(1).double(), confusion.sum(0).double()
    recall = right / there.clamp(min=1)
    precision = torch.where(said > 0, right / said.clamp(min=1), 0.0)
    both = precision + recall
    f1 = torch.where(both > 0, 2 * precision * recall / both.clamp(min=1e-12), 0.0)
    rows = zip(classes, there.tolist(), precision.tolist(), recall.tolist(), f1.tolist(), strict=True)
    return tuple(
        ClassFigures(name, int(n), p, r, f) if n else ClassFigures(name, 0, None, None, None)
        for name, n, p, r, f in rows
    )


def _macro_means(rows: Sequence[ClassFigures]) -> MacroMeans:
    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    return MacroMeans(
        classes=sum(row.images > 0 for row in rows),
        precision=mean([row.precision for row in rows]),
        recall=mean([row.recall for row in rows]),
        f1=mean([row.f1 for row in rows]),
    )
