"""A drawing or a photo -> how much ink each pixel holds, and the connected pieces of it.

Paper may be dark, transparent, shaded or noisy, so it is estimated and taken away. Knows numpy and PIL only.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from imgcls.errors import InputError
from imgcls.messages import Message

WORK = 512  # pixels: larger drawings are reduced to this first, which bounds the work
LEAST_CONTRAST = 10.0  # grey levels of 255 between ink and paper


class NoInk(InputError):
    """Nothing is drawn, or nothing stands out in an image file."""

    def __init__(self, file: str = "") -> None:
        if file:
            super().__init__(
                Message("{file} shows nothing to read: it has a single tone, or its ink is too faint.", file=file)
            )
        else:
            super().__init__(Message("There is nothing to read: draw something first."))


def find_ink(image: Image.Image | np.ndarray) -> np.ndarray:
    """How much ink each pixel holds, float32 (H, W) in 0..1, at most WORK pixels a side. Raises NoInk."""
    return ink_of(to_grey(image))


def to_grey(image: Image.Image | np.ndarray) -> np.ndarray:
    """float32 (H, W) in 0..255, at most WORK pixels a side. Transparent paper becomes the opposite of its ink."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(np.ascontiguousarray(image))
    if max(image.size) > WORK:
        image = image.resize(_within(image.size, WORK), Image.Resampling.BOX)
    if "A" in image.getbands() or "transparency" in image.info:
        both = np.asarray(image.convert("LA"), dtype=np.float32)
        grey, alpha = both[..., 0], both[..., 1] / 255
        if alpha.min() < 1:
            opacity = alpha.sum()
            light = opacity > 0 and (grey * alpha).sum() / opacity > 127
            return grey * alpha + (0.0 if light else 255.0) * (1 - alpha)
        return grey
    if image.mode.startswith(("I", "F")):
        array = np.asarray(image, dtype=np.float32)
        low, high = float(array.min()), float(array.max())
        return (array - low) * (255 / (high - low)) if high > low else np.zeros_like(array)
    return np.asarray(image.convert("L"), dtype=np.float32)


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """`size` with its longer side at `side`, as Pillow's thumbnail() rounds the shorter one; that copies the image."""
    aspect = size[0] / size[1]
    if aspect > 1:
        exact = side / aspect
        return side, min(max(1, math.floor(exact)), math.ceil(exact), key=lambda n: abs(aspect - side / n))
    exact = side * aspect
    return min(max(1, math.floor(exact)), math.ceil(exact), key=lambda n: abs(aspect - n / side)), side


def ink_of(grey: np.ndarray) -> np.ndarray:
    """How much ink each pixel holds, float32 (H, W) in 0..1, whatever the paper. Raises NoInk."""
    difference = grey - _paper(grey)
    noise = 1.4826 * _median(np.abs(difference - _median(difference)))
    strong = max(LEAST_CONTRAST, 5 * noise)
    dark, light = np.maximum(-difference - strong, 0).sum(), np.maximum(difference - strong, 0).sum()
    signed = -difference if dark >= light else difference
    full = strongest(signed, max(4, signed.size // 2000))
    if full < strong:
        raise NoInk
    # Clean drawings keep their antialiased edges; on noisy paper faint lines and shadows are not ink.
    low = 0.06 * full if noise < 1.5 else max(0.35 * full, 4 * noise)
    high = 0.85 * full
    return np.clip((signed - low) / (high - low), 0, 1).astype(np.float32)


def _median(values: np.ndarray) -> float:
    """To a whole grey level: np.median takes 30 times as long on the many equal values of a drawing."""
    low = float(values.min())
    counts = np.bincount((values.ravel() - low + 0.5).astype(np.uint16))
    return low + float(np.searchsorted(counts.cumsum(), values.size / 2))


def strongest(values: np.ndarray, count: int) -> float:
    """The mean of the `count` largest values, to a grey level; 0 where none is positive."""
    counts = np.bincount(np.maximum(values, 0).ravel().astype(np.uint16))[::-1]
    counted = np.diff(np.minimum(counts.cumsum(), count), prepend=0)
    return float((counted * np.arange(len(counts) - 1, -1, -1)).sum()) / count


def _paper(grey: np.ndarray) -> np.ndarray:
    """The paper's grey at every pixel: a surface of second order fitted to what most pixels agree on."""
    middle = _median(grey)
    if np.mean(np.abs(grey - middle) < 2) > 0.5:  # even paper: most drawings
        return np.full_like(grey, middle)
    steps = [max(1, side // 48) for side in grey.shape]
    grid = tuple(slice(step // 2, None, step) for step in steps)
    every = _terms(grey.shape)
    terms = every.reshape(*grey.shape, -1)[grid].reshape(-1, every.shape[-1]).astype(np.float64)
    values = grey[grid].ravel()
    weights = np.ones(len(values))
    for _ in range(8):
        # Six normal equations, well conditioned from -1 to 1; the ridge is for strips too narrow to bend. numpy's lstsq
        # asks every core for them and waits: rendering drawings in two processes on two cores took 2.7 times as long.
        weighted = terms.T * weights**2
        normal = weighted @ terms
        ridge = 1e-9 * np.trace(normal) * np.eye(len(normal))
        coefficients = np.linalg.solve(normal + ridge, weighted @ values)
        fitted = terms @ coefficients
        off = np.abs(values - fitted)
        weights = 1 / (1 + (off / (2 * np.median(off) + 1)) ** 2)
    return (every @ coefficients).reshape(grey.shape).astype(np.float32)


def _terms(shape: tuple[int, int]) -> np.ndarray:
    """1, x, y, x², xy, y² at every pixel, x and y from -1 to 1: float32 (H * W, 6)."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, shape[0], dtype=np.float32), np.linspace(-1, 1, shape[1], dtype=np.float32), indexing="ij"
    )
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def coarsened(ink: np.ndarray) -> tuple[np.ndarray, int]:
    """(where there is ink, bool, on a grid of 80 to 160 cells a side at most; pixels a cell)."""
    step = max(1, max(ink.shape) // 80)
    height, width = -(-ink.shape[0] // step) * step, -(-ink.shape[1] // step) * step
    padded = np.zeros((height, width), bool)
    padded[: ink.shape[0], : ink.shape[1]] = ink > 0.3
    rows = np.logical_or.reduce([padded[i::step] for i in range(step)])
    return np.logical_or.reduce([rows[:, i::step] for i in range(step)]), step


def pieces(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Connected pieces (8 neighbours): labels int (H, W), 0 where there is none, and how many.

    By runs of a row, all at once: a loop over them took a quarter of the time of an answer.
    """
    labels = np.zeros(mask.shape, np.int32)
    framed = np.zeros((mask.shape[0], mask.shape[1] + 2), bool)
    framed[:, 1:-1] = mask
    rows, starts = np.nonzero(framed[:, 1:] > framed[:, :-1])
    ends = np.nonzero(framed[:, 1:] < framed[:, :-1])[1]  # one beyond
    if not len(rows):
        return labels, 0
    wide = mask.shape[1] + 2
    # The runs of the row above that touch a run follow each other: from the first that ends late enough, to the last
    # that begins early enough.
    first = np.searchsorted(rows * wide + ends, (rows - 1) * wide + starts, side="left")
    last = np.searchsorted(rows * wide + starts, (rows - 1) * wide + ends, side="right")
    count = np.maximum(last - first, 0)
    below = np.repeat(np.arange(len(rows)), count)
    above = np.arange(len(below)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    root = np.arange(len(rows))
    while True:  # each run takes the lowest root it touches, then its root's root
        least = np.minimum(root[above], root[below])
        hooked = root.copy()
        np.minimum.at(hooked, root[above], least)
        np.minimum.at(hooked, root[below], least)
        hooked = hooked[hooked]
        if np.array_equal(hooked, root):
            break
        root = hooked
    names, root = np.unique(root, return_inverse=True)
    labels[mask] = np.repeat(root + 1, ends - starts)
    return labels, len(names)
