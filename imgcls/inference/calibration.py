"""What a checkpoint knows of its own doubts: a temperature, how familiar an image is, where it lies, what is like it.

Made once training is over, kept as tensors beside the weights (half precision), read by the page's own arithmetic too.
`activations` is what a FeatureExtractor gives: the inputs of the last linear layers and the logits; `features` the last
layer's input within it.

    probabilities = softmax(logits / temperature)
    z             = whitening @ features + shift            float (R,)
    distance      = the least |z - means[c]| over classes c: Mahalanobis's, with one covariance for all classes
    familiarity   = 2 ** -(distance / threshold) ** 2       1 as usual, below 1/2: "not sure"
    place         = axes @ features + origin                float (2,), a map of `points` coloured by `labels`

A network that reads digits has a detector besides, which has seen what is no digit; familiarity is then

    score         = weight_2 @ relu(weight_1 @ activations + bias_1) + bias_2
    familiarity   = 1 / (1 + exp(threshold - score))

Measured on letters of another alphabet than the detector has seen, those apart that look like a digit, with 98 % of
validation images passing: distance flags 60 %, nearest neighbours 60 %, the detector 90 % (docs/results.md).

Sources: temperature, Guo et al. 2017; distance, Lee et al. 2018. Knows no data set and no file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.errors import CheckpointError
from imgcls.inference.features import features_of


@dataclass(frozen=True)
class Neighbours:
    """Training images that answers are compared with. features: half (N, R), whitened; names: where each came from."""

    features: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True)
class OODDetector:
    """Tells what a network was trained on from what it was not: weight_1 float (H, T), bias_1 (H,), weight_2 (1, H),
    bias_2 (1,)."""

    weight_1: Tensor
    bias_1: Tensor
    weight_2: Tensor
    bias_2: Tensor

    def __call__(self, activations: Tensor) -> Tensor:
        """float (N, T) -> score float (N,): large as usual, small for what is foreign."""
        hidden = F.relu(F.linear(activations, self.weight_1, self.bias_1))
        return F.linear(hidden, self.weight_2, self.bias_2)[:, 0]

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"detector_{name}": tensor.half() if name.startswith("weight") else tensor.float()
            for name, tensor in vars(self).items()
        }

    def fits(self, width: int) -> bool:
        hidden = len(self.bias_1)
        return (
            self.weight_1.shape == (hidden, width)
            and self.weight_2.shape == (1, hidden)
            and self.bias_1.shape == (hidden,)
            and self.bias_2.shape == (1,)
        )


@dataclass(frozen=True)
class Calibration:
    """As above. means: float (C, R); whitening: float (R, F); shift: float (R,); axes: float (2, F); origin: float
    (2,); points: float (P, 2); labels: int64 (P,)."""

    temperature: float
    threshold: float
    means: Tensor
    whitening: Tensor
    shift: Tensor
    axes: Tensor
    origin: Tensor
    points: Tensor
    labels: Tensor
    neighbours: Neighbours | None = None
    detector: OODDetector | None = None

    def probabilities(self, logits: Tensor) -> Tensor:
        return (logits / self.temperature).softmax(dim=1)

    def familiarity(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        """float (N, T) -> (familiarity float (N,), nearest class int64 (N,))."""
        distance, nearest = torch.cdist(self.whitened(activations), self.means).min(dim=1)
        if self.detector is not None:
            return torch.sigmoid(self.detector(activations) - self.threshold), nearest
        return torch.exp2(-((distance / self.threshold) ** 2)), nearest

    def features(self, activations: Tensor) -> Tensor:
        return features_of(activations, self.whitening.shape[1], len(self.means))

    def whitened(self, activations: Tensor) -> Tensor:
        """float (N, T) -> z, float (N, R)."""
        return self.features(activations) @ self.whitening.T + self.shift

    def place(self, activations: Tensor) -> Tensor:
        """float (N, T) -> float (N, 2), a place on the map."""
        return self.features(activations) @ self.axes.T + self.origin

    def nearest(self, activations: Tensor, count: int) -> list[list[str]]:
        """Names of the `count` training images most like each."""
        if self.neighbours is None:
            return [[] for _ in activations]
        distance = torch.cdist(self.whitened(activations), self.neighbours.features.float())
        indices = distance.topk(min(count, distance.shape[1]), dim=1, largest=False).indices
        return [[self.neighbours.names[i] for i in row] for row in indices.tolist()]

    def tensors(self) -> dict[str, Tensor]:
        tensors_by_name = {
            "temperature": torch.tensor([self.temperature]),
            "threshold": torch.tensor([self.threshold]),
            "means": self.means.half(),
            "whitening": self.whitening.half(),
            "shift": self.shift.float(),
            "axes": self.axes.half(),
            "origin": self.origin.float(),
            "points": self.points.half(),
            "labels": self.labels.to(torch.int16),
        }
        if self.neighbours is not None:
            text = json.dumps(self.neighbours.names).encode()
            tensors_by_name["neighbour_features"] = self.neighbours.features.half()
            tensors_by_name["neighbour_names"] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        if self.detector is not None:
            tensors_by_name |= self.detector.tensors()
        return tensors_by_name

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], *, features: int, activation_count: int, classes: int
    ) -> Calibration | None:
        """None where there are none. Raises CheckpointError where they do not fit the network."""
        if not tensors:
            return None
        try:
            calibration = cls(
                temperature=float(tensors["temperature"].item()),
                threshold=float(tensors["threshold"].item()),
                means=tensors["means"].float(),
                whitening=tensors["whitening"].float(),
                shift=tensors["shift"].float(),
                axes=tensors["axes"].float(),
                origin=tensors["origin"].float(),
                points=tensors["points"].float(),
                labels=tensors["labels"].long(),
                neighbours=_neighbours(tensors),
                detector=_detector(tensors),
            )
            width = calibration.whitening.shape[0]
            fits = (
                calibration.whitening.shape == (width, features)
                and calibration.shift.shape == (width,)
                and calibration.means.shape == (classes, width)
                and calibration.axes.shape == (2, features)
                and calibration.origin.shape == (2,)
                and calibration.points.shape == (len(calibration.labels), 2)
                and calibration.temperature > 0
            )
            if calibration.detector is not None:
                fits &= calibration.detector.fits(activation_count)
            if calibration.neighbours is not None:
                fits &= calibration.neighbours.features.shape == (len(calibration.neighbours.names), width)
        except (KeyError, ValueError, RuntimeError, AttributeError, UnicodeDecodeError):
            fits = False
        if not fits:
            raise CheckpointError("The checkpoint's calibration does not fit its network: calibrate it again.")
        return calibration


def _detector(tensors: Mapping[str, Tensor]) -> OODDetector | None:
    if "detector_weight_1" not in tensors:
        return None
    return OODDetector(**{name: tensors[f"detector_{name}"].float() for name in OODDetector.__dataclass_fields__})


def _neighbours(tensors: Mapping[str, Tensor]) -> Neighbours | None:
    if "neighbour_features" not in tensors:
        return None
    names = json.loads(bytes(tensors["neighbour_names"].tolist()))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError
    return Neighbours(tensors["neighbour_features"], tuple(names))
