"""How well a digit network reads MNIST's test images when they are spoilt, and tells digits from other signs.

    python -m benchmarks.robustness [--checkpoints lenet-mnist lenet-digits] [--images 10000]

The fifteen ways are those of MNIST-C (Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for Computer Vision"), in
code of our own and at one strength each, so that figures compare networks with each other and not with that paper.
Signs are those of the lab's own alphabet (Latin letters that look like no digit, Greek ones, Chinese characters,
doodles), drawn by a hand and with pens of a seed that no calibration has used; the alphabet itself is what calibrations
know. Prints two tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.data.download import load_arrays
from imgcls.data.negatives import draw_negatives, render_by_chance
from imgcls.data.pen_digits import read_drawings
from imgcls.data.registry import DATASETS
from imgcls.inference.predictor import Predictor
from imgcls.workspace import Workspace

BATCH = 1000
SIGNS, SIGN_SEED = 1000, 2026
Spoil = Callable[[Tensor, torch.Generator], Tensor]


def moved(images: Tensor, matrix: list[list[float]]) -> Tensor:
    """Through an affine map from places in the result to places in the picture, in halves of the side."""
    grid = F.affine_grid(torch.tensor([matrix]).expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def rotated(images: Tensor, random: torch.Generator) -> Tensor:
    cos, sin = float(np.cos(np.pi / 6)), float(np.sin(np.pi / 6))
    return moved(images, [[cos, -sin, 0], [sin, cos, 0]])


def motion(images: Tensor, random: torch.Generator) -> Tensor:
    return F.conv2d(images, torch.eye(7)[None, None] / 7, padding=3)


def glass(images: Tensor, random: torch.Generator) -> Tensor:
    """Each pixel changes places with a near one."""
    side = images.shape[-1]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    shift = torch.randint(-2, 3, (2, len(images), side, side), generator=random)
    rows, columns = ((place + by).clamp(0, side - 1) for place, by in zip((rows, columns), shift, strict=True))
    return images[torch.arange(len(images))[:, None, None], 0, rows, columns][:, None]


def line(images: Tensor, random: torch.Generator, *, dotted: bool) -> Tensor:
    """From the left edge to the right one, a pixel and a half thick: dotted, or as a zigzag."""
    side = images.shape[-1]
    ends = torch.rand(2, len(images), 1, 1, generator=random) * (side - 1)
    rows = torch.arange(side)[:, None].expand(side, side)
    columns = torch.arange(side)[None].expand(side, side)
    height = ends[0] + (ends[1] - ends[0]) * columns / (side - 1)
    if not dotted:
        height = height + 3 * ((columns % 8 - 4).abs() - 2)
    ink = (rows - height).abs() < 0.8
    if dotted:
        ink = ink & (columns % 4 < 2)
    return torch.maximum(images, ink[:, None].float())


def spatter(images: Tensor, random: torch.Generator) -> Tensor:
    drops = torch.randn(images.shape, generator=random)
    drops = F.avg_pool2d(drops, 5, stride=1, padding=2)
    return torch.where(drops > 0.45, torch.ones(()), images)


def fog(images: Tensor, random: torch.Generator) -> Tensor:
    clouds = torch.rand(len(images), 1, 5, 5, generator=random)
    return images * 0.6 + 0.4 * F.interpolate(clouds, images.shape[-1], mode="bicubic").clamp(0, 1)


def edges(images: Tensor, random: torch.Generator) -> Tensor:
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    slopes = F.conv2d(images, torch.stack([across, across.T])[:, None], padding=1)
    return (slopes.square().sum(dim=1, keepdim=True).sqrt() > 1.5).float()


def stripe(images: Tensor, random: torch.Generator) -> Tensor:
    """Columns in the middle are inverted."""
    made = images.clone()
    made[..., 11:17] = 1 - made[..., 11:17]
    return made


WAYS: dict[str, Spoil] = {
    "as they are": lambda images, random: images,
    "shot noise": lambda images, random: torch.poisson(images * 6, generator=random) / 6,
    "impulse noise": lambda images, random: torch.where(
        torch.rand(images.shape, generator=random) < 0.12, torch.bernoulli(images * 0 + 0.5, generator=random), images
    ),
    "glass blur": glass,
    "motion blur": motion,
    "shear": lambda images, random: moved(images, [[1, 0.6, 0], [0, 1, 0]]),
    "scale": lambda images, random: moved(images, [[1.6, 0, 0], [0, 1.6, 0]]),
    "rotate": rotated,
    "brightness": lambda images, random: (images + 0.4).clamp(0, 1),
    "translate": lambda images, random: moved(images, [[1, 0, 0.3], [0, 1, 0.2]]),
    "stripe": stripe,
    "fog": fog,
    "spatter": spatter,
    "dotted line": lambda images, random: line(images, random, dotted=True),
    "zigzag": lambda images, random: line(images, random, dotted=False),
    "edges": edges,
}


def accuracy(predictor: Predictor, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """(share that is right, share that is called "not sure")."""
    answers = [answer for part in images.split(BATCH) for answer in predictor.predict_stored(part, top=1)]
    right = sum(answer.label == str(label) for answer, label in zip(answers, labels.tolist(), strict=True))
    return right / len(labels), sum(not answer.sure for answer in answers) / len(labels)


def area(digits: list[float], signs: list[float]) -> float:
    """Of the ROC curve: how often a digit is more familiar than a sign; half where they are equal."""
    values = np.concatenate([digits, signs])
    order = values.argsort(kind="stable")
    ranks = np.empty(len(values))
    ranks[order] = np.arange(1, len(values) + 1)
    for value in np.unique(values):  # ties share their mean rank
        same = values == value
        ranks[same] = ranks[same].mean()
    own = ranks[: len(digits)].sum() - len(digits) * (len(digits) + 1) / 2
    return float(own / (len(digits) * len(signs)))


def familiarities(predictor: Predictor, images: Tensor) -> list[float]:
    answers = (answer for part in images.split(BATCH) for answer in predictor.predict_stored(part, top=1))
    return [answer.familiarity or 0.0 for answer in answers]


def drawn_signs(workspace: Workspace) -> Tensor:
    """uint8 (N, 1, 28, 28)."""
    spec = DATASETS["pen-digits"]
    drawings, labels = read_drawings(spec.in_workspace(workspace) / spec.files[0])
    random = np.random.default_rng(SIGN_SEED)
    drawn = draw_negatives((drawings, labels), count=SIGNS, seed=SIGN_SEED, kinds=("letter",))
    return torch.from_numpy(np.stack([render_by_chance(one, random) for one in drawn]))[:, None]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoints", nargs="+", default=["lenet-mnist", "lenet-digits"])
    parser.add_argument("--images", type=int, default=10_000)
    arguments = parser.parse_args()
    workspace = Workspace()
    predictors = [
        Predictor.load(workspace.shipped("checkpoints", name, "best.safetensors")) for name in arguments.checkpoints
    ]
    images, labels = (tensor[: arguments.images] for tensor in load_arrays("mnist", workspace)["test"])
    print("| MNIST's test images | " + " | ".join(f"{name}: right | not sure" for name in arguments.checkpoints) + " |")
    print("| --- |" + " ---: | ---: |" * len(predictors))
    for name, spoil in WAYS.items():
        spoilt = spoil(images.float() / 255, torch.Generator().manual_seed(0)).clamp(0, 1).mul(255).round()
        figures = [accuracy(predictor, spoilt.to(torch.uint8), labels) for predictor in predictors]
        print(f"| {name} | " + " | ".join(f"{right:.1%} | {unsure:.1%}" for right, unsure in figures) + " |")
    signs = drawn_signs(workspace)
    print("\n| checkpoint | area under the ROC curve, digits against signs | signs called not sure |")
    print("| --- | ---: | ---: |")
    for name, predictor in zip(arguments.checkpoints, predictors, strict=True):
        _, unsure = accuracy(predictor, signs, torch.zeros(len(signs), dtype=torch.int64))
        print(
            f"| {name} | {area(familiarities(predictor, images), familiarities(predictor, signs)):.4f} | {unsure:.1%} |"
        )


if __name__ == "__main__":
    main()
