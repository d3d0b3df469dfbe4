"""Digits as another hand and another pen would have drawn them: a whole batch at once, each image its own.

Bending (a smooth random field), turning, slanting, scaling and shifting are one sampling grid for the batch; the
stroke is then made thicker or thinner. Knows neither labels nor settings; works on the device that holds the batch.
"""

from __future__ import annotations

import math

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
    """(N, H, W, 2): where each pixel of the result is taken from."""
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
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    knots = torch.rand(n, 2, KNOTS, KNOTS, generator=generator, device=device).mul_(2 * BEND).sub_(BEND)
    bend = F.interpolate(knots, images.shape[-2:], mode="bicubic", align_corners=True)
    return grid + bend.permute(0, 2, 3, 1)


def _stroke(images: Tensor, generator: Generator) -> Tensor:
    """Between the image and its 3x3 maximum (thicker) or minimum (thinner), then ink back to where it was."""
    n = len(images)
    amount = _between(n, -1, 1, generator, images.device).view(-1, 1, 1, 1)
    broad = F.max_pool2d(images, 3, stride=1, padding=1)
    # The pool over a plus, not a square, or a fine diagonal would be gone.
    fine = torch.minimum(_least(images, (3, 1)), _least(images, (1, 3)))
    changed = (
        images + (amount.clamp(min=0) * THICKER) * (broad - images) + (amount.clamp(max=0) * THINNER) * (images - fine)
    )
    before, after = images.amax(dim=(1, 2, 3), keepdim=True), changed.amax(dim=(1, 2, 3), keepdim=True)
    return (changed * (before / after.clamp(min=1e-3))).clamp_(0, 1)


def _least(images: Tensor, window: tuple[int, int]) -> Tensor:
    return -F.max_pool2d(-images, window, stride=1, padding=(window[0] // 2, window[1] // 2))


def _between(n: int, low: float, high: float, generator: Generator, device: torch.device) -> Tensor:
    return torch.rand(n, generator=generator, device=device).mul_(high - low).add_(low)
