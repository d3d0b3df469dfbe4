"""Images of a batch mixed with each other: two in one, and a label that says how much of each.

Each image has a partner and a share of its own. shares: float (N, classes), what of each image is of which class.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

# Of MixUp's Beta distribution: mostly one image with a trace of another. Source: Zhang et al. 2018, ImageNet.
ALPHA = 0.2
TRIES = 10  # of which one is taken in 95 % of all cases


def mixup(images: Tensor, shares: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """The weighted mean of two images, weights by Beta(0.2, 0.2).

    Source: Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization.
    """
    partner, own = _partner(images, generator), _beta(len(images), ALPHA, generator, images.device)
    kept = own.view(-1, 1, 1, 1)
    return images * kept + images[partner] * (1 - kept), _mixed(shares, partner, own)


def cutmix(images: Tensor, shares: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """A box of each image is another one's, its area uniform from none to all of the image, cut off at the border.

    Source: Yun et al. 2019, CutMix, section 3.1.
    """
    (n, _, height, width), device = images.shape, images.device
    partner = _partner(images, generator)
    side = (1 - torch.rand(n, generator=generator, device=device)).sqrt()
    rows = _inside(side, height, generator, device)
    columns = _inside(side, width, generator, device)
    box = (rows[:, :, None] & columns[:, None, :])[:, None]
    own = 1 - box.float().mean(dim=(1, 2, 3))
    return torch.where(box, images[partner], images), _mixed(shares, partner, own)


def _partner(images: Tensor, generator: Generator) -> Tensor:
    return torch.randperm(len(images), generator=generator, device=images.device)


def _mixed(shares: Tensor, partner: Tensor, own: Tensor) -> Tensor:
    return shares * own[:, None] + shares[partner] * (1 - own[:, None])


def _inside(side: Tensor, pixels: int, generator: Generator, device: torch.device) -> Tensor:
    """bool (N, pixels): a stretch of `side` of them around a random middle."""
    middle = torch.rand(len(side), generator=generator, device=device) * pixels
    at = torch.arange(pixels, device=device) + 0.5
    return (at - middle[:, None]).abs() < side[:, None] * pixels / 2


def _beta(n: int, alpha: float, generator: Generator, device: torch.device) -> Tensor:
    """n numbers by Beta(alpha, alpha), from the generator alone: the first of some tries that fits (Johnk 1964)."""
    drawn = torch.rand(2, n, TRIES, generator=generator, device=device) ** (1 / alpha)
    total = drawn.sum(0)
    fits = (total <= 1) & (total > 0)
    first = fits.int().argmax(dim=1, keepdim=True)
    share = (drawn[0] / total.clamp(min=1e-30)).gather(1, first)[:, 0]
    return torch.where(fits.any(dim=1), share, 1.0)
