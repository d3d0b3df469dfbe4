"""A drawing or a photo of a digit -> the 28x28 that MNIST's authors would have made of it.

Their recipe: find the ink, fit it into 20x20 keeping its shape, antialiased, and put its centre of mass into the
middle of 28x28 (LeCun et al. 1998, section III.A). Two things are added for what people draw: paper may be dark,
transparent, shaded or noisy, so it is estimated and taken away; and a pen much finer or broader than MNIST's is
brought towards MNIST's width, for a hairline on a large canvas would vanish in the shrinking. Knows numpy and PIL
only: no network, no data set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from imgcls.errors import InputError

SIDE, BOX = 28, 20  # pixels: the image, and the square that the ink is fitted into
MIDDLE = 14.5  # where MNIST's centres of mass lie, pixel edges counted from 0: measured 14.49 and 14.51, spread 0.29
WORK = 512  # pixels: larger drawings are reduced to this first, which bounds the work
FINE = 6  # the width of strokes is judged and mended at BOX * FINE pixels
NARROW, WIDE = 1.9, 4.2  # pixels of the 20x20 box: strokes outside are brought to the nearer one
LEAST_CONTRAST = 10.0  # grey levels of 255 between ink and paper


class NoInk(InputError):
    """Nothing is drawn."""

    def __init__(self) -> None:
        super().__init__("There is nothing to read: draw something first.")


def mnist_normalize(image: Image.Image | np.ndarray) -> np.ndarray:
    """uint8 (28, 28), light ink on black. Raises NoInk where there is none.

    image: a drawing or photo of any size, polarity and paper (transparent too); an array is (H, W), (H, W, 3) or
    (H, W, 4) uint8. An image that is MNIST's own already comes back as it is.
    """
    grey = _grey(image)
    if _is_mnist(grey):
        return grey.round().astype(np.uint8)
    return normalize_ink(_ink(grey))


def is_mnist(image: Image.Image | np.ndarray) -> bool:
    """Whether it is made as MNIST's are already: 28x28, light on black, centred."""
    size = image.shape[:2] if isinstance(image, np.ndarray) else image.size
    return size == (SIDE, SIDE) and _is_mnist(_grey(image))


def find_ink(image: Image.Image | np.ndarray) -> np.ndarray:
    """How much ink each pixel holds, float32 (H, W) in 0..1, at most WORK pixels a side. Raises NoInk."""
    return _ink(_grey(image))


def normalize_ink(ink: np.ndarray) -> np.ndarray:
    """uint8 (28, 28) from ink already found, or from a part of it. Raises NoInk."""
    return _centred(_pen_width(_fine(_cropped(_whole_strokes(_cropped(ink))))))


def _grey(image: Image.Image | np.ndarray) -> np.ndarray:
    """float32 (H, W) in 0..255, at most WORK pixels a side. Transparent paper becomes the opposite of its ink."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(np.ascontiguousarray(image))
    if max(image.size) > WORK:
        image = image.copy()
        image.thumbnail((WORK, WORK), Image.Resampling.BOX, reducing_gap=None)
    if "A" in image.getbands() or "transparency" in image.info:
        both = np.asarray(image.convert("LA"), dtype=np.float32)
        grey, alpha = both[..., 0], both[..., 1] / 255
        if alpha.min() < 1:
            seen = alpha.sum()
            light = seen > 0 and (grey * alpha).sum() / seen > 127
            return grey * alpha + (0.0 if light else 255.0) * (1 - alpha)
        return grey
    if image.mode.startswith(("I", "F")):
        array = np.asarray(image, dtype=np.float32)
        low, high = float(array.min()), float(array.max())
        return (array - low) * (255 / (high - low)) if high > low else np.zeros_like(array)
    return np.asarray(image.convert("L"), dtype=np.float32)


def _is_mnist(grey: np.ndarray) -> bool:
    """28x28, black around, ink within and centred as MNIST's is."""
    if grey.shape != (SIDE, SIDE) or grey.max() < 100:
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


def _ink(grey: np.ndarray) -> np.ndarray:
    """How much ink each pixel holds, float32 (H, W) in 0..1, whatever the paper. Raises NoInk."""
    difference = grey - _paper(grey)
    noise = 1.4826 * _median(np.abs(difference - _median(difference)))
    strong = max(LEAST_CONTRAST, 5 * noise)
    dark, light = np.maximum(-difference - strong, 0).sum(), np.maximum(difference - strong, 0).sum()
    signed = -difference if dark >= light else difference
    full = _strongest(signed, max(4, signed.size // 2000))
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


def _strongest(values: np.ndarray, count: int) -> float:
    """The mean of the `count` largest values, to a grey level; 0 where none is positive."""
    counts = np.bincount(np.maximum(values, 0).ravel().astype(np.uint16))[::-1]
    taken = np.diff(np.minimum(counts.cumsum(), count), prepend=0)
    return float((taken * np.arange(len(counts) - 1, -1, -1)).sum()) / count


def _cropped(ink: np.ndarray) -> np.ndarray:
    """The box that holds the ink."""
    inked = ink > 0.25
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if not len(rows):
        raise NoInk
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _paper(grey: np.ndarray) -> np.ndarray:
    """The paper's grey at every pixel: a surface of second order fitted to what most pixels agree on."""
    middle = _median(grey)
    if np.mean(np.abs(grey - middle) < 2) > 0.5:  # even paper: most drawings
        return np.full_like(grey, middle)
    step = max(1, max(grey.shape) // 48)
    small = grey[step // 2 :: step, step // 2 :: step]
    terms = _terms(small.shape)
    values, weights = small.ravel(), np.ones(small.size, np.float32)
    fitted = np.full_like(values, middle)
    for _ in range(8):
        weighted = terms * weights[:, None]
        coefficients = np.linalg.lstsq(weighted, values * weights, rcond=None)[0]
        fitted = terms @ coefficients
        off = np.abs(values - fitted)
        weights = 1 / (1 + (off / (2 * np.median(off) + 1)) ** 2)
    return (_terms(grey.shape) @ coefficients).reshape(grey.shape).astype(np.float32)


def _terms(shape: tuple[int, int]) -> np.ndarray:
    """1, x, y, x², xy, y² at every pixel, x and y from -1 to 1: float32 (H * W, 6)."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, shape[0], dtype=np.float32), np.linspace(-1, 1, shape[1], dtype=np.float32), indexing="ij"
    )
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


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
    kept = np.repeat(np.repeat(keep[labels] | ~coarse, step, 0), step, 1)
    return ink * kept[: ink.shape[0], : ink.shape[1]]


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


def _fine(crop: np.ndarray) -> Image.Image:
    """The crop with its longer side at BOX * FINE pixels, with room around for broader strokes."""
    scale = BOX * FINE / max(crop.shape)
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
    peak = _strongest(array * 255, 20) / 255
    array = np.minimum(array / max(peak, 1e-3), 1)
    width = _stroke_width(array > 0.4)
    for _ in range(4):
        target = min(max(width, NARROW * FINE), WIDE * FINE)
        grow = (target - width) / 2
        if abs(grow) < 0.3:
            break
        array = _moved_edge(array, grow)
        before, width = width, _stroke_width(array > 0.5)
        if width == 0 or abs(width - before) < 0.1:
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
    pixel = longer / BOX
    y, x = _centre(ink)
    room = int(np.ceil(SIDE * pixel))
    padded = Image.fromarray(np.pad((ink * 255).astype(np.uint8), room))
    left, top = x + room - MIDDLE * pixel, y + room - MIDDLE * pixel
    box = (left, top, left + SIDE * pixel, top + SIDE * pixel)
    filtered = Image.Resampling.BOX if pixel >= 2 else Image.Resampling.BILINEAR
    small = padded.resize((SIDE, SIDE), filtered, box=box)
    made = np.asarray(small, dtype=np.float32)
    peak = made.max()
    return np.minimum(made * (255 / peak), 255).round().astype(np.uint8) if peak else made.astype(np.uint8)


Strokes = Sequence[Sequence[Sequence[float]]]


def render(
    strokes: Strokes, *, side: int = 280, width: float = 20, place: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Strokes as a pad would show them: white ink on black, "L", `side` pixels square, antialiased.

    strokes: [[(x, y), ...], ...], y pointing down, any unit. width: of the pen, in pixels. place: (left, top, right,
    bottom) in pixels to fit the drawing into, keeping its shape; the middle 60 % by default.
    """
    fine = 3 if side <= 150 else 2
    left, top, right, bottom = place or (0.2 * side, 0.2 * side, 0.8 * side, 0.8 * side)
    points = np.array([p[:2] for stroke in strokes for p in stroke], dtype=np.float64)
    low, high = points.min(0), points.max(0)
    scale = min((right - left) / max(high[0] - low[0], 1e-9), (bottom - top) / max(high[1] - low[1], 1e-9))
    shift = np.array([(left + right) / 2, (top + bottom) / 2]) - scale * (low + high) / 2
    canvas = Image.new("L", (side * fine, side * fine), 0)
    pen, radius = ImageDraw.Draw(canvas), width * fine / 2
    for stroke in strokes:
        path = (np.array([p[:2] for p in stroke], dtype=np.float64) * scale + shift) * fine
        if len(path) > 1:
            pen.line([tuple(p) for p in path], fill=255, width=max(1, round(width * fine)), joint="curve")
        for x, y in (path[0], path[-1]):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return canvas.resize((side, side), Image.Resampling.BOX)
