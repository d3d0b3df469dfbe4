"""A drawing or a photo of a digit -> the 28x28 that MNIST's authors would have made of it.

Their recipe: find the ink, fit it into 20x20 keeping its shape, antialiased, and put its centre of mass into the
middle of 28x28 (LeCun et al. 1998, section III.A). Two things are added for what people draw: ink is found on any
paper (ink.py); and a pen much finer or broader than MNIST's is brought towards MNIST's width, for a hairline on a
large canvas would vanish in the shrinking. Knows numpy and PIL only: no network, no data set.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from imgcls.imaging.ink import NoInk, coarsened, ink_of, pieces, strongest, to_grey

IMAGE_PX, INK_PX = 28, 20  # pixels: the image, and the square that the ink is fitted into
MIDDLE = 14.5  # where MNIST's centres of mass lie, pixel edges counted from 0: measured 14.49 and 14.51, spread 0.29
FINE = 6  # the width of strokes is judged and mended at BOX * FINE pixels
NARROW, WIDE = 1.9, 4.2  # pixels of the 20x20 box: strokes outside are brought to the nearer one


def mnist_normalize(image: Image.Image | np.ndarray) -> np.ndarray:
    """uint8 (28, 28), light ink on black. Raises NoInk where there is none.

    image: a drawing or photo of any size, polarity and paper (transparent too); an array is (H, W), (H, W, 3) or
    (H, W, 4) uint8. An image that is MNIST's own already comes back as it is.
    """
    grey = to_grey(image)
    if _is_mnist(grey):
        return grey.round().astype(np.uint8)
    return normalize_ink(ink_of(grey))


def is_mnist(image: Image.Image | np.ndarray) -> bool:
    """Whether it is made as MNIST's are already: 28x28, light on black, centred."""
    size = image.shape[:2] if isinstance(image, np.ndarray) else image.size
    return size == (IMAGE_PX, IMAGE_PX) and _is_mnist(to_grey(image))


def normalize_ink(ink: np.ndarray) -> np.ndarray:
    """uint8 (28, 28) from ink already found, or from a part of it. Raises NoInk."""
    return _centred(_pen_width(_fine(_cropped(_whole_strokes(_cropped(ink))))))


def _is_mnist(grey: np.ndarray) -> bool:
    """28x28, black around, ink within and centred as MNIST's is."""
    if grey.shape != (IMAGE_PX, IMAGE_PX) or grey.max() < 100:
        return False
    edge = np.concatenate([grey[:2].ravel(), grey[-2:].ravel(), grey[:, :2].ravel(), grey[:, -2:].ravel()])
    if edge.mean() > 8 or np.median(grey) > 0:
        return False
    y, x = _centre(grey)
    return abs(y - MIDDLE) < 1.5 and abs(x - MIDDLE) < 1.5


def _centre(ink: np.ndarray) -> tuple[float, float]:
    """(y, x) of the centre of mass, pixel edges counted from 0."""
    mass = ink.sum()
    y = (ink.sum(1) * (np.arange(ink.shape[0]) + 0.5)).sum() / mass
    x = (ink.sum(0) * (np.arange(ink.shape[1]) + 0.5)).sum() / mass
    return float(y), float(x)


def _cropped(ink: np.ndarray) -> np.ndarray:
    """The box that holds the ink."""
    inked = ink > 0.25
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if not len(rows):
        raise NoInk
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _whole_strokes(ink: np.ndarray) -> np.ndarray:
    """The ink without specks: pieces that are tiny beside the largest one. A 5's bar or a broken 4 stays."""
    coarse, step = coarsened(ink)
    if not coarse.any():
        raise NoInk
    labels, count = pieces(coarse)
    if count == 1:
        return ink
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    keep = np.zeros(count + 1, bool)
    keep[1:] = areas >= max(2, 0.04 * areas.max())
    mask = np.repeat(np.repeat(keep[labels] | ~coarse, step, 0), step, 1)
    return ink * mask[: ink.shape[0], : ink.shape[1]]


def _fine(crop: np.ndarray) -> Image.Image:
    """The crop with its longer side at BOX * FINE pixels, with room around for broader strokes."""
    scale = INK_PX * FINE / max(crop.shape)
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    filtered = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = Image.fromarray((crop * 255).astype(np.uint8)).resize(size, filtered)
    room = 2 * FINE
    canvas = Image.new("L", (size[0] + 2 * room, size[1] + 2 * room), 0)
    canvas.paste(small, (room, room))
    return canvas


def _pen_width(fine: Image.Image) -> np.ndarray:
    """Ink float32 (H, W) in 0..1 at FINE pixels a pixel, its strokes between NARROW and WIDE."""
    array = np.asarray(fine, dtype=np.float32) / 255
    # Lines finer than a fine pixel came out grey: bring them back to full ink before judging their width.
    peak = strongest(array * 255, 20) / 255
    array = np.minimum(array / max(peak, 1e-3), 1)
    width = _stroke_width(array > 0.4)
    for _ in range(4):
        target = min(max(width, NARROW * FINE), WIDE * FINE)
        grow = (target - width) / 2
        if abs(grow) < 0.3:
            break
        array = _moved_edge(array, grow)
        previous, width = width, _stroke_width(array > 0.5)
        if width == 0 or abs(width - previous) < 0.1:
            break
    return array


def _stroke_width(mask: np.ndarray) -> float:
    """Mean width in pixels: a stroke's area is length x width, its outline twice its length.

    Counting pixel edges overstates a slanting outline by 4/pi on average.
    """
    outline = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return 2 * np.count_nonzero(mask) / (outline * np.pi / 4) if outline else 0.0


def _moved_edge(ink: np.ndarray, pixels: float) -> np.ndarray:
    """The ink's edge moved outward (inward when negative) by about `pixels`, by at most two at a time."""
    step = float(np.clip(pixels, -2, 2))
    sigma = 2.0
    blurred = np.asarray(
        Image.fromarray((ink * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(sigma)), dtype=np.float32
    )
    blurred /= 255
    # Across a straight edge the blur falls as a Gaussian's integral; at `step` outside it is:
    level = 0.5 * (1 - np.tanh(0.8 * step / sigma))
    peak = max(float(blurred.max()), 1e-3)
    level = min(level, 0.5 * peak) if step > 0 else level
    softness = 0.12
    moved = np.clip((blurred - level) / (2 * softness * max(level, 0.2)) + 0.5, 0, 1)
    return np.maximum(moved, ink) if step > 0 else np.minimum(moved, ink)


def _centred(ink: np.ndarray) -> np.ndarray:
    """uint8 (28, 28): the ink's longer side at 20 pixels, its centre of mass in the middle, one antialiased resize."""
    solid = ink > 0.3
    if not solid.any():
        raise NoInk
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    longer = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    pixel = longer / INK_PX
    y, x = _centre(ink)
    room = int(np.ceil(IMAGE_PX * pixel))
    padded = Image.fromarray(np.pad((ink * 255).astype(np.uint8), room))
    left, top = x + room - MIDDLE * pixel, y + room - MIDDLE * pixel
    box = (left, top, left + IMAGE_PX * pixel, top + IMAGE_PX * pixel)
    filtered = Image.Resampling.BOX if pixel >= 2 else Image.Resampling.BILINEAR
    small = padded.resize((IMAGE_PX, IMAGE_PX), filtered, box=box)
    array = np.asarray(small, dtype=np.float32)
    peak = array.max()
    return np.minimum(array * (255 / peak), 255).round().astype(np.uint8) if peak else array.astype(np.uint8)
