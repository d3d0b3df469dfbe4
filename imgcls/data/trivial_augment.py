"""TrivialAugment for a whole batch at once: each image gets one of 14 changes at a strength of its own.

Source: Müller & Hutter 2021, TrivialAugment, the wide space; changes and strengths are those of torchvision's
TrivialAugmentWide, which has one change for all images of a batch. A test compares each change with torchvision's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

LEVELS = 31
SHEAR, ROTATION, BLEND = 0.99, 135.0, 0.99  # strongest: of the side, degrees, factor
TRANSLATION = 32  # pixels
POSTERIZED_BITS = 6  # at most so many of 8 are taken away
GREY = (0.2989, 0.587, 0.114)


def trivial_augment(images: Tensor, *, generator: Generator) -> Tensor:
    """Float (N, C, H, W) in [0, 255] -> the same, rounded to whole values and changed at random by `generator`."""
    n, device = len(images), images.device
    kinds = torch.randint(len(CHANGES), (n,), generator=generator, device=device)
    levels = torch.randint(LEVELS, (n,), generator=generator, device=device)
    signs = torch.where(torch.rand(n, generator=generator, device=device) < 0.5, -1.0, 1.0)
    changed = images.round()
    for number, change in enumerate(CHANGES.values()):
        chosen = (kinds == number).nonzero()[:, 0]
        if len(chosen) and change is not identity:
            share = levels[chosen] / (LEVELS - 1)
            changed[chosen] = change(changed[chosen], share, signs[chosen]).round().clamp(0, 255)
    return changed


# Each: (whole float images, strength from 0 to 1 of each, -1 or 1 of each) -> the images changed.
def identity(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    return images


def _read(images: Tensor, source: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Tensor:
    """Each pixel from the nearest one of where `source` says, (columns, rows) -> those to read; black outside."""
    n, channels, height, width = images.shape
    columns = torch.arange(width, device=images.device, dtype=torch.float32).expand(n, height, width)
    rows = torch.arange(height, device=images.device, dtype=torch.float32)[:, None].expand(n, height, width)
    x, y = source(columns, rows)
    x, y = x.round().long(), y.round().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    positions = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).view(n, 1, -1).expand(-1, channels, -1)
    return images.flatten(2).gather(2, positions).view_as(images) * inside[:, None]


def _each(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1)


def shear_x(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    """About the upper left corner, as PIL's."""
    return _read(images, lambda x, y: (x + _each(share * SHEAR * sign) * (y + 0.5), y))


def shear_y(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    return _read(images, lambda x, y: (x, y + _each(share * SHEAR * sign) * (x + 0.5)))


def translate_x(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    return _read(images, lambda x, y: (x - _each((share * TRANSLATION).floor() * sign), y))


def translate_y(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    return _read(images, lambda x, y: (x, y - _each((share * TRANSLATION).floor() * sign)))


def rotate(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    angle = share * (math.radians(ROTATION) * sign)
    cos, sin = _each(angle.cos()), _each(angle.sin())
    middle_x, middle_y = (images.shape[-1] - 1) / 2, (images.shape[-2] - 1) / 2

    def source(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x, y = x - middle_x, y - middle_y
        return cos * x - sin * y + middle_x, sin * x + cos * y + middle_y

    return _read(images, source)


def _blend(images: Tensor, plain: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    """Away from `plain` or towards it."""
    factor = (1 + sign * share * BLEND).view(-1, 1, 1, 1)
    return factor * images + (1 - factor) * plain


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    return (images * torch.tensor(GREY, device=images.device).view(-1, 1, 1)).sum(dim=1, keepdim=True).floor()


def brightness(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    return _blend(images, torch.zeros_like(images), share, sign)


def color(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    return images if images.shape[1] == 1 else _blend(images, _grey(images), share, sign)


def contrast(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    return _blend(images, _grey(images).mean(dim=(1, 2, 3), keepdim=True), share, sign)


def sharpness(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    """The border, which has no pixels on one side, stays as it is."""
    channels = images.shape[1]
    kernel = torch.ones(3, 3, device=images.device)
    kernel[1, 1] = 5
    kernel = (kernel / kernel.sum()).expand(channels, 1, 3, 3)
    blurred = images.clone()
    blurred[:, :, 1:-1, 1:-1] = F.conv2d(images, kernel, groups=channels).round()
    return _blend(images, blurred, share, sign)


def posterize(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    step = 2.0 ** (share * POSTERIZED_BITS).round()
    step = step.view(-1, 1, 1, 1)
    return (images / step).floor() * step


def solarize(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    return torch.where(images >= ((1 - share) * 255).view(-1, 1, 1, 1), 255 - images, images)


def auto_contrast(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    flat = low == high
    scale = 255 / torch.where(flat, torch.ones_like(high), high - low)
    return torch.where(flat, images, (images - low) * scale)


def equalize(images: Tensor, share: Tensor, sign: Tensor) -> Tensor:
    from torchvision.transforms.v2 import functional

    return functional.equalize(images.to(torch.uint8)).float()


CHANGES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "Identity": identity,
    "ShearX": shear_x,
    "ShearY": shear_y,
    "TranslateX": translate_x,
    "TranslateY": translate_y,
    "Rotate": rotate,
    "Brightness": brightness,
    "Color": color,
    "Contrast": contrast,
    "Sharpness": sharpness,
    "Posterize": posterize,
    "Solarize": solarize,
    "AutoContrast": auto_contrast,
    "Equalize": equalize,
}
