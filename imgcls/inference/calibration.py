"""What a checkpoint knows of its own doubts: a temperature, how familiar an image is, where it lies, what is like it.

Made from validation images once training is over, kept as tensors beside the weights (half precision), read by the
page's own arithmetic too. Everything here works on the features that go into the last layer.

    probabilities = softmax(logits / temperature)
    z             = whitening @ features                    float (R,)
    distance      = the least |z - means[c]| over classes c: Mahalanobis's, with one covariance for all classes
    familiarity   = 2 ** -(distance / threshold) ** 2       1 as usual, below 1/2: "not sure"
    place         = axes @ features + origin                float (2,), a map of `points` coloured by `labels`

Sources: temperature, Guo et al. 2017; distance, Lee et al. 2018. Knows no data set and no file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.errors import CheckpointError

QUANTILE = 0.98  # of validation images pass
SHRINK = 0.01  # of the covariance towards a multiple of the identity: features that never vary
WIDEST = {True: 128, False: 64}  # kept directions of the features, for up to and beyond 1,024 of them
MAP_BYTES, MAP_POINTS = 20_000, 1000
NEIGHBOURS = 1000


@dataclass(frozen=True)
class Neighbours:
    """Training images that answers are compared with. features: half (N, R), whitened; names: where each came from."""

    features: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """As above. means: float (C, R); whitening: float (R, F); axes: float (2, F); origin: float (2,); points: float
    (P, 2); labels: int64 (P,)."""

    temperature: float
    threshold: float
    means: Tensor
    whitening: Tensor
    axes: Tensor
    origin: Tensor
    points: Tensor
    labels: Tensor
    neighbours: Neighbours | None = None

    def probabilities(self, logits: Tensor) -> Tensor:
        return (logits / self.temperature).softmax(dim=1)

    def familiarity(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """float (N, F) -> (familiarity float (N,), nearest class int64 (N,))."""
        distance, nearest = torch.cdist(features @ self.whitening.T, self.means).min(dim=1)
        return familiarity_of(distance, self.threshold), nearest

    def place(self, features: Tensor) -> Tensor:
        """float (N, F) -> float (N, 2), a place on the map."""
        return features @ self.axes.T + self.origin

    def nearest(self, features: Tensor, count: int) -> list[list[str]]:
        """Names of the `count` training images most like each."""
        if self.neighbours is None:
            return [[] for _ in features]
        distance = torch.cdist(features @ self.whitening.T, self.neighbours.features.float())
        found = distance.topk(min(count, distance.shape[1]), dim=1, largest=False).indices
        return [[self.neighbours.names[i] for i in row] for row in found.tolist()]

    def tensors(self) -> dict[str, Tensor]:
        made = {
            "temperature": torch.tensor([self.temperature]),
            "threshold": torch.tensor([self.threshold]),
            "means": self.means.half(),
            "whitening": self.whitening.half(),
            "axes": self.axes.half(),
            "origin": self.origin.float(),
            "points": self.points.half(),
            "labels": self.labels.to(torch.int16),
        }
        if self.neighbours is not None:
            text = json.dumps(self.neighbours.names, ensure_ascii=False).encode()
            made["neighbour_features"] = self.neighbours.features.half()
            made["neighbour_names"] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        return made

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], *, features: int, classes: int) -> Calibration | None:
        """None where there are none. Raises CheckpointError where they do not fit the network."""
        if not tensors:
            return None
        try:
            made = cls(
                temperature=float(tensors["temperature"].item()),
                threshold=float(tensors["threshold"].item()),
                means=tensors["means"].float(),
                whitening=tensors["whitening"].float(),
                axes=tensors["axes"].float(),
                origin=tensors["origin"].float(),
                points=tensors["points"].float(),
                labels=tensors["labels"].long(),
                neighbours=_neighbours(tensors),
            )
            width = made.whitening.shape[0]
            fits = (
                made.whitening.shape == (width, features)
                and made.means.shape == (classes, width)
                and made.axes.shape == (2, features)
                and made.origin.shape == (2,)
                and made.points.shape == (len(made.labels), 2)
                and made.temperature > 0
                and made.threshold > 0
            )
            if made.neighbours is not None:
                fits &= made.neighbours.features.shape == (len(made.neighbours.names), width)
        except (KeyError, ValueError, RuntimeError, AttributeError):
            fits = False
        if not fits:
            raise CheckpointError("The checkpoint's calibration does not fit its network: calibrate it again.")
        return made


def familiarity_of(distance: Tensor, threshold: float) -> Tensor:
    return torch.exp2(-((distance / threshold) ** 2))


def _neighbours(tensors: Mapping[str, Tensor]) -> Neighbours | None:
    if "neighbour_features" not in tensors:
        return None
    names = json.loads(bytes(tensors["neighbour_names"].tolist()))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError
    return Neighbours(tensors["neighbour_features"], tuple(names))


def fit(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    *,
    threshold_on: Tensor | None = None,
    neighbours: tuple[Tensor, Sequence[str]] | None = None,
) -> Calibration:
    """From validation images: features float (N, F), logits float (N, C), labels int64 (N,).

    threshold_on: features of other images that are to pass, e.g. pen drawings; neighbours: features float (M, F) of
    training images and their names.
    """
    classes, width = logits.shape[1], features.shape[1]
    whitening, means = _whitened(features, labels, classes, min(width, WIDEST[width <= 1024]))
    distances = _held_out_distances(features, labels, classes, len(whitening))
    limits = [distances]
    if threshold_on is not None:
        limits.append(torch.cdist(threshold_on @ whitening.T, means).amin(dim=1))
    axes, origin, points, shown = _map(features, labels)
    return Calibration(
        temperature=fit_temperature(logits, labels),
        threshold=max(float(d.quantile(QUANTILE)) for d in limits),
        means=means,
        whitening=whitening,
        axes=axes,
        origin=origin,
        points=points,
        labels=shown,
        neighbours=None
        if neighbours is None
        else Neighbours((neighbours[0] @ whitening.T).half(), tuple(neighbours[1])),
    )


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature of least cross entropy: golden section on its logarithm, between 1/20 and 20."""
    logits = logits.double()
    low, high, ratio = -3.0, 3.0, (5**0.5 - 1) / 2

    def loss(log: float) -> float:
        return float(F.cross_entropy(logits / torch.tensor(log, dtype=torch.float64).exp(), labels))

    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = loss(a), loss(b)
    while high - low > 1e-3:
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - ratio * (high - low)
            at_a = loss(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + ratio * (high - low)
            at_b = loss(b)
    return float(torch.tensor((low + high) / 2).exp())


def _whitened(features: Tensor, labels: Tensor, classes: int, keep: int) -> tuple[Tensor, Tensor]:
    """(whitening (R, F), class means (C, R)): the `keep` directions in which features vary most, made equally wide."""
    features = features.double()
    count = torch.bincount(labels, minlength=classes).clamp(min=1)[:, None]
    means = torch.zeros(classes, features.shape[1], dtype=torch.float64).index_add_(0, labels, features) / count
    centred = features - means[labels]
    covariance = centred.T @ centred / max(len(features), 1)
    total = torch.cov(features.T) if len(features) > 1 else covariance
    size = float(covariance.diagonal().mean()) or 1.0
    identity = torch.eye(len(covariance), dtype=torch.float64)
    covariance = (1 - SHRINK) * covariance + SHRINK * size * identity
    if keep < len(covariance):
        directions = torch.linalg.eigh(total).eigenvectors[:, -keep:]
        covariance = directions.T @ covariance @ directions
        whitening = torch.linalg.inv(torch.linalg.cholesky(covariance)) @ directions.T
    else:
        whitening = torch.linalg.inv(torch.linalg.cholesky(covariance))
    absent = torch.bincount(labels, minlength=classes) == 0
    placed = means @ whitening.T
    placed[absent] = 1e4  # a class without an image is near nothing; half precision holds 65,504
    return whitening.float(), placed.float()


def _held_out_distances(features: Tensor, labels: Tensor, classes: int, keep: int) -> Tensor:
    """Each image's distance under statistics of the others' (two halves, each judged by the other)."""
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))
    halves = order.chunk(2) if len(order) > 3 else (order, order)
    made = []
    for known, asked in (halves, halves[::-1]):
        whitening, means = _whitened(features[known], labels[known], classes, keep)
        made.append(torch.cdist(features[asked] @ whitening.T, means).amin(dim=1))
    return torch.cat(made)


def _map(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(axes (2, F), origin (2,), points (P, 2), their labels): the two directions in which features vary most."""
    count = max(1, min(MAP_POINTS, (MAP_BYTES - 6 * features.shape[1]) // 6))
    middle = features.mean(dim=0)
    covariance = (features - middle).double().T @ (features - middle).double()
    axes = torch.linalg.eigh(covariance).eigenvectors[:, [-1, -2]].T.float()
    scale = ((features - middle) @ axes.T).abs().amax().clamp(min=1e-6)
    axes = axes / scale
    chosen = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[:count]
    origin = -(axes @ middle)
    return axes, origin, features[chosen] @ axes.T + origin, labels[chosen]
