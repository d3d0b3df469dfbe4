"""How good a network is on a set of images: loss, accuracy, per-class figures, confusion matrix.

Knows neither checkpoints' files nor how the network was trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH = 256


@dataclass(frozen=True)
class EvalResult:
    """`loss`: mean cross entropy in nats; `predicted`: int64 (N,)."""

    loss: float
    accuracy: float
    predicted: Tensor
    labels: Tensor


@dataclass(frozen=True)
class ClassFigures:
    name: str
    images: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClassificationReport:
    """`confusion[i][j]`: images of class i taken for class j."""

    images: int
    accuracy: float
    loss: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], *, autocast: Any = None) -> EvalResult:
    """One pass in whatever mode the model is in; sums stay on the device until the end."""
    import contextlib

    losses, predicted, labels = [], [], []
    for inputs, targets in batches:
        with autocast() if autocast else contextlib.nullcontext():
            logits = model(inputs)
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


def classification_report(measured: EvalResult, classes: tuple[str, ...]) -> ClassificationReport:
    """Per-class precision, recall and F1 (0 where a class was never predicted or never there)."""
    count = len(classes)
    confusion = torch.bincount(measured.labels * count + measured.predicted, minlength=count**2).view(count, count)
    right = confusion.diagonal().double()
    there, said = confusion.sum(1).double(), confusion.sum(0).double()
    recall = torch.where(there > 0, right / there.clamp(min=1), 0.0)
    precision = torch.where(said > 0, right / said.clamp(min=1), 0.0)
    both = precision + recall
    f1 = torch.where(both > 0, 2 * precision * recall / both.clamp(min=1e-12), 0.0)
    rows = zip(classes, there.tolist(), precision.tolist(), recall.tolist(), f1.tolist(), strict=True)
    return ClassificationReport(
        images=len(measured.labels),
        accuracy=measured.accuracy,
        loss=measured.loss,
        classes=tuple(ClassFigures(name, int(n), p, r, f) for name, n, p, r, f in rows),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )
