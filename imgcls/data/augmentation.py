"""Random changes of a whole batch at once, each image its own; on the device that holds the batch.

`compose` makes one function of the rows that a setting names (augmentations.py): (images, aspects, generator,
preprocess) -> float images in [0, 255] of the network's size, not yet normalised. Photos that are cropped at random are
stored squeezed into a square with their true width/height (`aspects`) beside them: any crop of the original is then a
box in the square, and crop, flip, rotation and enlarging are one affine grid for the batch. Knows nothing of files or
labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from imgcls.augmentations import STAGES, AugmentationSpec, specs
from imgcls.imaging.preprocess import Preprocess

Augmentation = Callable[[Tensor, "Tensor | None", Generator, Preprocess], Tensor]


def compose(text: str) -> Augmentation:
    """What "crop-flip,erase" does to a batch; the same function for the same rows. Raises SettingsError."""
    return _compose(specs(text))


@lru_cache(maxsize=64)
def _compose(rows: tuple[AugmentationSpec, ...]) -> Augmentation:
    stages = {stage: [row.apply for row in rows if row.stage == stage] for stage in STAGES}
    del stages["batch"]  # those need labels: Batches applies them

    def apply(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
        for change in stages["stored"]:
            images = change(images, aspects, generator, preprocess)
        for change in stages["resize"] or [_resize]:
            images = change(images, aspects, generator, preprocess)
        for change in stages["input"]:
            images = change(images, aspects, generator, preprocess)
        return images

    return apply


def _resize(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    return preprocess.resize(images.float())


def pen(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    """Bent, slanted, thicker or thinner, as another hand and pen would have drawn it (pen_augmentation.py)."""
    from imgcls.data.pen_augmentation import pen as bend

    return bend(images.float() / 255, generator=generator) * 255


def flip(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    """Mirrored left to right, every second one."""
    swap = _uniform(len(images), 0, 1, generator, images.device) < 0.5
    return torch.where(swap.view(-1, 1, 1, 1), images.flip(-1), images)


def shift(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    """Moved by up to an eighth of the side over a mirrored border: whole pixels, so one gather."""
    n, _, height, width = images.shape
    rows = _shifted(n, height, generator, images.device)
    return _gathered(images, rows, _shifted(n, width, generator, images.device))


def crop_flip(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    """Moved as by `shift`, and mirrored, every second one."""
    n, _, height, width = images.shape
    flipped = _uniform(n, 0, 1, generator, images.device) < 0.5
    rows = _shifted(n, height, generator, images.device)
    columns = _shifted(n, width, generator, images.device)
    return _gathered(images, rows, torch.where(flipped[:, None], width - 1 - columns, columns))


def _gathered(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(N, H) and (N, W) positions to read from."""
    n, channels, height, width = images.shape
    indices = (rows[:, :, None] * width + columns[:, None, :]).view(n, 1, -1).expand(-1, channels, -1)
    return images.reshape(n, channels, -1).gather(2, indices).view(n, channels, height, width)


def _shifted(n: int, side: int, generator: Generator, device: torch.device) -> Tensor:
    """(n, side) positions to read from: 0..side-1 moved by a random number of pixels, mirrored at the border."""
    most = max(1, side // 8)
    shift = torch.randint(-most, most + 1, (n, 1), generator=generator, device=device)
    indices = (torch.arange(side, device=device) + shift).abs()
    return torch.where(indices >= side, 2 * (side - 1) - indices, indices)


def resized_crop(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    """RandomResizedCrop(size) and a horizontal flip: 8 to 100 % of the area, sides 3:4 to 4:3.

    Source: Szegedy et al. 2015, section 6; the course's training transform.
    """
    n, device = len(images), images.device
    width, height = _random_boxes(n, aspects, generator, device)
    return _sample(images, width, height, generator, preprocess, angle=0.0)


def photo(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    """As resized-crop but at least a third of the area, turned by up to 15 degrees, brighter or darker."""
    n, device = len(images), images.device
    width, height = _random_boxes(n, aspects, generator, device, least=0.35)
    sampled = _sample(images, width, height, generator, preprocess, angle=math.radians(15))
    gain = _uniform(n, 0.75, 1.25, generator, device).view(-1, 1, 1, 1)
    contrast = _uniform(n, 0.75, 1.25, generator, device).view(-1, 1, 1, 1)
    middle = sampled.mean(dim=(1, 2, 3), keepdim=True)
    return sampled.sub_(middle).mul_(contrast * gain).add_(middle * gain).clamp_(0, 255)


def _random_boxes(
    n: int, aspects: Tensor | None, generator: Generator, device: torch.device, *, least: float = 0.08
) -> tuple[Tensor, Tensor]:
    """Width and height of each crop as a share of the image's own width and height.

    As torchvision's RandomResizedCrop: the first of ten draws that fits into the image, otherwise the largest box of
    an allowed shape.
    """
    area = _uniform(n * 10, least, 1, generator, device).view(n, 10)
    ratio = _uniform(n * 10, math.log(3 / 4), math.log(4 / 3), generator, device).exp().view(n, 10)
    aspect = torch.ones(n, 1, device=device) if aspects is None else aspects.view(n, 1)
    width, height = (area * ratio / aspect).sqrt(), (area / ratio * aspect).sqrt()
    fits = (width <= 1) & (height <= 1)
    first = fits.int().argmax(dim=1, keepdim=True)
    shape = aspect.clamp(3 / 4, 4 / 3)
    some = fits.any(dim=1)
    width = torch.where(some, width.gather(1, first)[:, 0], (shape / aspect)[:, 0].clamp(max=1))
    height = torch.where(some, height.gather(1, first)[:, 0], (aspect / shape)[:, 0].clamp(max=1))
    return width, height


def _sample(
    images: Tensor, width: Tensor, height: Tensor, generator: Generator, preprocess: Preprocess, *, angle: float
) -> Tensor:
    """One affine grid for the batch: box, flip and turn of each image, enlarged to the network's size."""
    n, device = len(images), images.device
    left = (2 * _uniform(n, 0, 1, generator, device) - 1) * (1 - width)
    top = (2 * _uniform(n, 0, 1, generator, device) - 1) * (1 - height)
    sign = torch.where(_uniform(n, 0, 1, generator, device) < 0.5, -1.0, 1.0)
    turn = _uniform(n, -angle, angle, generator, device) if angle else torch.zeros(n, device=device)
    cos, sin = turn.cos(), turn.sin()
    theta = torch.stack(
        [
            torch.stack([sign * width * cos, -width * sin, left], dim=1),
            torch.stack([sign * height * sin, height * cos, top], dim=1),
        ],
        dim=1,
    )
    grid = _affine_grid(theta, preprocess.size)
    return F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _affine_grid(theta: Tensor, size: int) -> Tensor:
    """theta (N, 2, 3) -> (N, size, size, 2), F.affine_grid without align_corners: a row and a column added up,
    13 us of a core an image at 160 pixels, where its matrix product takes 385."""
    middles = (torch.arange(size, device=theta.device) * 2 + 1) / size - 1  # of the pixels, from -1 to 1
    across = theta[:, :, :1] * middles  # (N, 2, size)
    down = theta[:, :, 1:2] * middles + theta[:, :, 2:]
    return (across[:, :, None] + down[:, :, :, None]).permute(0, 2, 3, 1)


def _uniform(n: int, low: float, high: float, generator: Generator, device: torch.device) -> Tensor:
    return torch.rand(n, generator=generator, device=device).mul_(high - low).add_(low)


def trivial(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    from imgcls.data.trivial_augment import trivial_augment

    return trivial_augment(images, generator=generator)


ERASED = 0.5  # share of the images
ERASED_AREA, ERASED_RATIO = (0.02, 0.33), (0.3, 3.3)  # of the image; height over width
TRIES = 10


def erase(images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess) -> Tensor:
    """A box of every second image is made the colour that the network sees as 0: torchvision's RandomErasing, which has
    one box a batch, with a box an image.

    Source: Zhong et al. 2017, Random Erasing Data Augmentation; the numbers are torchvision's.
    """
    (n, _, height, width), device = images.shape, images.device
    area = _uniform(n * TRIES, *ERASED_AREA, generator, device).view(n, TRIES) * (height * width)
    low, high = math.log(ERASED_RATIO[0]), math.log(ERASED_RATIO[1])
    ratio = _uniform(n * TRIES, low, high, generator, device).view(n, TRIES).exp()
    high, wide = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (high < height) & (wide < width)
    first = fits.int().argmax(dim=1, keepdim=True)
    high, wide = high.gather(1, first), wide.gather(1, first)
    top = (_uniform(n, 0, 1, generator, device)[:, None] * (height - high + 1)).floor()
    left = (_uniform(n, 0, 1, generator, device)[:, None] * (width - wide + 1)).floor()
    chosen = (_uniform(n, 0, 1, generator, device) < ERASED) & fits.any(dim=1)
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    in_rows = (rows >= top) & (rows < top + high) & chosen[:, None]
    in_columns = (columns >= left) & (columns < left + wide)
    box = (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
    return torch.where(box, torch.tensor(preprocess.mean, device=device).view(-1, 1, 1) * 255, images)
