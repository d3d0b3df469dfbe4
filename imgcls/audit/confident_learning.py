"""Which labels are probably wrong, by confident learning: labels against out-of-sample probabilities.

A class's threshold is the mean probability that its own images get for it; an image that reaches a threshold is counted
as one of that class. The counts, scaled to all images, say how many labels are wrong; those whose own class falls
furthest behind another are named. Source: Northcutt et al. 2021, "Confident Learning", sections 3.1 (the confident
joint) and 3.2 (prune by noise rate, here over all classes).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.models.linear_head import fit_linear_head

FOLDS = 5
COMPONENTS = 256  # of the features are kept: ten times sooner, and nothing is lost (measured on flowers)
DECAY = 0.3  # of the heads' weights: measured on flowers with a tenth of the labels flipped, .1 to 1 do as well
ITERATIONS = 60


def out_of_sample(
    features: Tensor, labels: Tensor, classes: int, *, groups: Sequence[int] | None = None, folds: int = FOLDS
) -> Tensor:
    """float (N, classes): each image's probabilities by a linear head that learnt from the other folds.

    features: float (N, F); labels: int64 (N,). groups: copies and bursts, which a head must not have learnt from
    either. An image whose class no other fold has cannot be judged: its row is NaN. Nothing is random but the seeded
    folds.
    """
    whitened = _whitened(features)
    fold = folds_of(labels, groups, folds)
    probabilities = torch.full((len(labels), classes), torch.nan)
    for number in range(folds):
        held = fold == number
        if held.any() and not held.all():
            weight, bias = _head(whitened[~held], labels[~held], classes)
            probabilities[held] = torch.softmax(whitened[held] @ weight + bias, dim=1)
            learnt = torch.bincount(labels[~held], minlength=classes) > 0
            probabilities[held & ~learnt[labels]] = torch.nan
    return probabilities


def label_errors(probabilities: np.ndarray, labels: np.ndarray) -> list[tuple[int, int, float]]:
    """[(image, the class it probably is of, score)] of the labels that are probably wrong, worst first; score from 0 to
    1, above 1/2 where that class is the surer one.

    probabilities: float (N, classes), out of sample, NaN of images that cannot be judged; labels: int (N,).
    """
    judged = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    expected_errors = round(_expected(probabilities[judged], labels[judged]))
    return [issue for issue in ranked(probabilities, labels)[:expected_errors] if issue[2] > 0.5]


def ranked(probabilities: np.ndarray, labels: np.ndarray) -> list[tuple[int, int, float]]:
    """The same of all images that can be judged: by how far their own class falls behind another."""
    judged = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    others = probabilities[judged]
    places = np.arange(len(judged)), labels[judged]
    own = others[places]
    others[places] = -1.0
    behind = others.max(axis=1) - own
    order = np.argsort(-behind, kind="stable")
    return [(int(judged[i]), int(others[i].argmax()), float((1 + behind[i]) / 2)) for i in order]


def _expected(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """How many labels are wrong by the confident joint, each of its rows scaled to the images of that label."""
    count, classes = probabilities.shape
    own = probabilities[np.arange(count), labels]
    threshold = np.array([own[labels == c].mean() if (labels == c).any() else np.inf for c in range(classes)])
    reached = np.where(probabilities >= threshold, probabilities, -1.0)
    surely = reached.max(axis=1) >= 0
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[surely], reached[surely].argmax(axis=1)), 1)
    joint *= (np.bincount(labels, minlength=classes) / np.maximum(1, joint.sum(axis=1)))[:, None]
    return float(joint.sum() - np.trace(joint))


def folds_of(labels: Tensor, groups: Sequence[int] | None, folds: int) -> Tensor:
    """Fold of each image: as many of each class in each, groups whole. A class that is a single burst leaves the
    other classes' bursts to the other folds: what is in one fold alone is judged by nobody."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)).tolist()
    fold = torch.full((len(labels),), -1)
    group_of = list(groups) if groups is not None else list(range(len(labels)))
    fold_of_group: dict[int, int] = {}
    group_sizes = Counter(group_of)
    filled: dict[int, list[int]] = {}
    in_bursts = [0] * folds
    for i in order:
        sizes = filled.setdefault(int(labels[i]), [0] * folds)
        emptiest = min(range(folds), key=lambda n: (sizes[n], in_bursts[n]))
        number = fold_of_group.setdefault(group_of[i], emptiest)
        sizes[number] += 1
        in_bursts[number] += group_sizes[group_of[i]] > 1
        fold[i] = number
    return fold


def principal_components(centred: Tensor, most: int) -> Tensor:
    """float (N, F) of mean 0 -> (N, at most `most`), the last one spread the most. In doubles: of fewer images than
    features most eigenvalues are 0, and on some processors LAPACK failed on them in single precision, or made no
    numbers of them."""
    _, vectors = torch.linalg.eigh((centred.T @ centred).double())  # ascending
    return centred @ vectors[:, -most:].float()


def _whitened(features: Tensor) -> Tensor:
    """The first principal components, in units of the first one's spread."""
    centred = features - features.mean(dim=0)
    if min(centred.shape) > COMPONENTS:
        centred = principal_components(centred, COMPONENTS)
    return centred / centred.std(dim=0).mean().clamp_min(1e-6)


def _head(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    return fit_linear_head(
        features, classes, lambda logits: F.cross_entropy(logits, labels), decay=DECAY / 2, iterations=ITERATIONS
    )
