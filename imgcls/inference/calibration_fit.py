"""A calibration is fitted: temperature, threshold, classes, neighbours and map from what a network made of its images.

Sources: temperature, Guo et al. 2017; distance, Lee et al. 2018. Knows no data set and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcls.inference.calibration import Calibration, Neighbours, OODDetector
from imgcls.inference.features import features_of
from imgcls.optimizers import torch_optimizer

QUANTILE = 0.98  # of validation images pass
# Fewer validation images do not tell what is far: after 12 of them, two in three fresh roses were called strange.
FEWEST = 50
NOTHING_IS_FAR = 1e30
DETECTOR_QUANTILE = 0.985  # hands that no data set has seen are a little stranger
SHRINK = 0.01  # of the covariance towards a multiple of the identity: features that never vary
WIDEST = {True: 128, False: 64}  # kept directions of the features, for up to and beyond 1,024 of them
IMAGES_A_DIRECTION = 10  # with as many directions as images, every image is equally far from its class
MAP_BYTES, MAP_POINTS = 20_000, 1000
NEIGHBOURS = 1000
PRIOR = 10
OVERSAMPLED, ITERATIONS = 10, 4  # of the subspace iteration
HIDDEN, DETECTOR_EPOCHS, DETECTOR_BATCH, DETECTOR_LR = 64, 6, 512, 5e-3


@dataclass(frozen=True)
class LayerOutputs:
    """What a network made of some images: activations float (N, T), logits float (N, C), labels int64 (N,)."""

    activations: Tensor
    logits: Tensor
    labels: Tensor


def fit(
    train: LayerOutputs,
    val: LayerOutputs,
    *,
    features: int,
    names: Sequence[str] | None = None,
    also: Tensor | None = None,
    detector: OODDetector | None = None,
) -> Calibration:
    """Where classes lie is learnt from training images, how far is too far from validation images.

    features: width of the last layer's input; names: where each training image came from, to keep them as neighbours;
    also: activations of other images that are to pass, e.g. pen drawings; detector: from `fit_detector`.
    """
    classes = val.logits.shape[1]
    of_train, of_val = (features_of(outputs.activations, features, classes) for outputs in (train, val))
    keep = min(features, WIDEST[features <= 1024], max(1, len(of_train) // IMAGES_A_DIRECTION))
    whitening, shift, means = _whitened(of_train, train.labels, classes, keep)
    limits = [val.activations] if also is None else [val.activations, also]
    if detector is not None:
        threshold = min(float(detector(t).quantile(1 - DETECTOR_QUANTILE)) for t in limits)
    elif len(val.activations) < FEWEST:
        threshold = NOTHING_IS_FAR
    else:
        placed = [features_of(t, features, classes) @ whitening.T + shift for t in limits]
        threshold = max(float(torch.cdist(z, means).amin(dim=1).quantile(QUANTILE)) for z in placed)
    axes, origin, points, shown = _map(of_val, val.labels)
    return Calibration(
        temperature=fit_temperature(val.logits, val.labels),
        threshold=threshold,
        means=means,
        whitening=whitening,
        shift=shift,
        axes=axes,
        origin=origin,
        points=points,
        labels=shown,
        neighbours=None if names is None else _kept_neighbours(of_train @ whitening.T + shift, names),
        detector=detector,
    )


def fit_detector(familiar: Tensor, foreign: Tensor) -> OODDetector:
    """A small network that tells activations of digits from those of what is none: HIDDEN units, seconds. Seeded."""
    generator = torch.Generator().manual_seed(0)
    x = torch.cat([familiar, foreign])
    y = torch.cat([torch.ones(len(familiar)), torch.zeros(len(foreign))])
    middle, scale = x.mean(dim=0), x.std(dim=0)
    scale = scale + 0.1 * scale.mean()  # units that are silent here may speak elsewhere: not a thousandfold
    x = (x - middle) / scale
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), torch.inference_mode(False):
        torch.manual_seed(0)
        first, last = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, 1)
        net = nn.Sequential(first, nn.ReLU(), last)
        optimizer = torch_optimizer("AdamW")(net.parameters(), lr=DETECTOR_LR, weight_decay=0.01)
        steps = DETECTOR_EPOCHS * (len(x) // DETECTOR_BATCH)
        for step in range(steps):
            if step % max(1, len(x) // DETECTOR_BATCH) == 0:
                order = torch.randperm(len(x), generator=generator).split(DETECTOR_BATCH)
            optimizer.param_groups[0]["lr"] = DETECTOR_LR * (1 - step / steps)
            chosen = order[step % (len(x) // DETECTOR_BATCH)]
            loss = F.binary_cross_entropy_with_logits(net(x[chosen])[:, 0], y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    weight = _rounded(first.weight.detach() / scale)
    return OODDetector(
        weight, first.bias.detach() - weight @ middle, _rounded(last.weight.detach()), last.bias.detach().clone()
    )


def _rounded(values: Tensor) -> Tensor:
    """To what half precision holds: shifts and thresholds are then those of the values that are kept."""
    return values.half().float()


def _kept_neighbours(placed: Tensor, names: Sequence[str]) -> Neighbours:
    chosen = torch.randperm(len(names), generator=torch.Generator().manual_seed(0))[:NEIGHBOURS].sort().values
    return Neighbours(placed[chosen].half(), tuple(names[int(i)] for i in chosen))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature of least cross entropy: golden section on its logarithm, between 1/20 and 20.

    A few images that are all right would ask for 1/20: PRIOR images' weight holds it near 1.
    """
    logits = logits.double()
    low, high, ratio = -3.0, 3.0, (5**0.5 - 1) / 2

    def loss(log: float) -> float:
        scaled = logits / torch.tensor(log, dtype=torch.float64).exp()
        return float(F.cross_entropy(scaled, labels)) + PRIOR / len(labels) * log**2

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


def _whitened(features: Tensor, labels: Tensor, classes: int, keep: int) -> tuple[Tensor, Tensor, Tensor]:
    """(whitening (R, F), shift (R,), class means (C, R)): the `keep` directions in which features vary most, made
    equally wide, the middle of all images at 0."""
    exact, middle = features.double(), features.double().mean(dim=0)
    images_of_class = torch.bincount(labels, minlength=classes)
    means = torch.zeros(classes, features.shape[1], dtype=torch.float64).index_add_(0, labels, exact - middle)
    means /= images_of_class.clamp(min=1)[:, None]
    directions = _principal(exact - middle, keep)
    centred = exact - middle - means[labels]
    size = float(centred.square().mean()) or 1.0
    placed_there = centred @ directions
    covariance = placed_there.T @ placed_there / max(len(features), 1)
    covariance = (1 - SHRINK) * covariance + SHRINK * size * torch.eye(keep, dtype=torch.float64)
    whitening = torch.linalg.inv(torch.linalg.cholesky(covariance)) @ directions.T
    rounded = _rounded(whitening.float())
    placed = _rounded((means @ rounded.double().T).float())
    # A class without an image is near nothing; half precision holds 65,504.
    placed[images_of_class == 0] = 1e4
    return rounded, -(rounded.double() @ middle).float(), placed


def _principal(centred: Tensor, keep: int) -> Tensor:
    """(F, keep): orthonormal directions in which the rows of `centred` (N, F) vary most, the most first.

    Found by subspace iteration: the eigenvectors of AlexNet's 4,096 x 4,096 covariance take a minute and gigabytes.
    """
    if keep == centred.shape[1]:
        return torch.eye(keep, dtype=centred.dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wide = min(keep + OVERSAMPLED, *centred.shape)
        directions = torch.svd_lowrank(centred, q=wide, niter=ITERATIONS)[2][:, :keep]
    missing = keep - directions.shape[1]  # fewer rows than directions asked for
    return torch.nn.functional.pad(directions, (0, missing)) if missing else directions


def _map(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(axes (2, F), origin (2,), points (P, 2), their labels): the two directions in which features vary most."""
    count = max(1, min(MAP_POINTS, (MAP_BYTES - 6 * features.shape[1]) // 6))
    middle = features.mean(dim=0)
    axes = _principal(features - middle, 2).T
    scale = ((features - middle) @ axes.T).abs().amax().clamp(min=1e-6)
    axes = _rounded(axes / scale)
    chosen = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))[:count]
    origin = -(axes @ middle)
    return axes, origin, features[chosen] @ axes.T + origin, labels[chosen]
