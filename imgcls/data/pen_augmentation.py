"""Digits as another hand and another pen would have drawn them: a whole batch at once, each image its own.

Bending (a smooth random field), turning, slanting, scaling and shifting are one sampling grid for the batch; the
stroke is then made thicker or thinner. Knows neither labels nor settings; works on the device that holds the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

TURN = math.radians(12)
SLANT = 0.3  # sideways over upward
SCALE = (0.82, 1.12)
ASPECT = 0.15  # width over height, plus or minus
SHIFT = 1.6 / 14  # of half the side: 1.6 pixels of 28
BEND = 1.7 / 14
KNOTS = 5  # of the bending field, a side: strokes bend, they do not crumple
THICKER, THINNER = 0.9, 0.45  # share of the way to a stroke one pixel broader or finer all around


def pen(images: Tensor, *, generator: Generator) -> Tensor:
    """Float (N, C, H, W) in [0, 1], light ink on black -> the same shape, changed at random by `generator`."""
    moved = F.grid_sample(images, _grid(images, generator), mode="bilinear", padding_mode="zeros", align_corners=False)
    return _stroke(moved, generator)


def _grid(images: Tensor, generator: Generator) -> Tensor:
    """(N, H, W, 2): where each pixel of the result is taken from. One matrix product for turning, slanting, scaling,
    shifting and bending: 2 µs of a core an image, where torch's affine grid and bicubic enlargement take 31
    (benchmarks/pen_speed.py)."""
    n, device = len(images), images.device
    angle, slant = _between(n, -TURN, TURN, generator, device), _between(n, -SLANT, SLANT, generator, device)
    scale, aspect = _between(n, *SCALE, generator, device), _between(n, 1 - ASPECT, 1 + ASPECT, generator, device)
    width, height = scale * aspect.sqrt(), scale / aspect.sqrt()
    shift = _between(2 * n, -SHIFT, SHIFT, generator, device).view(2, n)
    cos, sin = angle.cos(), angle.sin()
    # The inverse of: slant, then scale, then turn; the grid says where to read from.
    rows = [
        torch.stack([cos / width - slant * -sin / height, sin / width - slant * cos / height, shift[0]], dim=1),
        torch.stack([-sin / height, cos / height, shift[1]], dim=1),
    ]
    knots = torch.rand(n, 2, KNOTS, KNOTS, generator=generator, device=device).mul_(2 * BEND).sub_(BEND)
    factors = torch.cat([torch.stack(rows, dim=1), knots.view(n, 2, -1)], dim=2)
    grid = factors.view(2 * n, -1) @ _fields(*images.shape[-2:], device)
    return grid.view(n, 2, *images.shape[-2:]).permute(0, 2, 3, 1)


@lru_cache(maxsize=8)
def _fields(height: int, width: int, device: torch.device) -> Tensor:
    """(3 + KNOTS², H · W): what is added up to a grid: x, y, 1, and a bicubic bump around each knot."""
    with torch.inference_mode(False):
        still = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], device=device)
        plane = F.affine_grid(still, [1, 1, height, width], align_corners=False).reshape(-1, 2)
        each = torch.eye(KNOTS**2, device=device).view(-1, 1, KNOTS, KNOTS)
        bumps = F.interpolate(each, (height, width), mode="bicubic", align_corners=True).flatten(1)
        return torch.cat([plane.T, torch.ones(1, height * width, device=device), bumps])


def _stroke(images: Tensor, generator: Generator) -> Tensor:
    """Between the image and its 3x3 maximum (thicker) or minimum (thinner), then ink back to where it was."""
    n = len(images)
    amount = _between(n, -1, 1, generator, images.device).view(-1, 1, 1, 1)
    broad = _among_neighbours(_among_neighbours(images, torch.maximum, 2), torch.maximum, 3)
    # The least over a plus, not a square, or a fine diagonal would be gone.
    fine = torch.minimum(*(_among_neighbours(images, torch.minimum, dim) for dim in (2, 3)))
    changed = (
        images + (amount.clamp(min=0) * THICKER) * (broad - images) + (amount.clamp(max=0) * THINNER) * (images - fine)
    )
    before, after = images.amax(dim=(1, 2, 3), keepdim=True), changed.amax(dim=(1, 2, 3), keepdim=True)
    return (changed * (before / after.clamp(min=1e-3))).clamp_(0, 1)


def _among_neighbours(images: Tensor, choose: Callable[..., Tensor], dim: int) -> Tensor:
    """Each pixel, the one before and the one after it along `dim`: the one to `choose`: 1.6 µs of a core an image,
    where torch's pool takes 11 (benchmarks/pen_speed.py)."""
    changed, side = images.clone(), images.shape[dim]
    for to, of in ((slice(1, side), slice(0, side - 1)), (slice(0, side - 1), slice(1, side))):
        target = changed[(slice(None),) * dim + (to,)]
        choose(target, images[(slice(None),) * dim + (of,)], out=target)
    return changed


def _between(n: int, low: float, high: float, generator: Generator, device: torch.device) -> Tensor:
    return torch.rand(n, generator=generator, device=device).mul_(high - low).add_(low)
