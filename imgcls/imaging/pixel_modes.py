"""An image in any mode (palette, CMYK, 1 bit, 16 bits, float, transparent) -> RGB or RGBA, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

STRIP_PIXELS = 1 << 20  # turned to RGB at a time: whole, 16-bit grey would take 32 bytes a pixel, transparency 16
TWELVE_BITS = 4095
SIDEWAYS = (
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)


def has_transparency(image: Image.Image) -> bool:
    return image.getbands()[-1] in "Aa" or "transparency" in image.info


def flatten(image: Image.Image) -> Image.Image:
    """Transparency over white; other modes unchanged."""
    if not has_transparency(image):
        return image
    flat = Image.new("RGB", image.size)
    for strip, top in strips(image):
        strip = strip.convert("RGBA")
        flat.paste(Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB"), (0, top))
    return flat


def to_rgb(image: Image.Image, keep_alpha: bool, turn: Image.Transpose | None = None) -> Image.Image:
    """Any mode -> RGB, or RGBA where there is transparency to keep; turned on the way, without a third copy."""
    size = image.size if turn not in SIDEWAYS else (image.height, image.width)
    flat = Image.new("RGBA" if keep_alpha and has_transparency(image) else "RGB", size)
    grey = _grey_range(image) if image.mode[0] in "IF" else None
    for strip, top in strips(image):
        rows = (top, top + strip.height)
        if grey:
            strip = Image.fromarray(_eight_bits(strip, *grey))
        elif strip.mode == "La":
            strip = strip.convert("LA")
        strip = strip.convert(flat.mode) if flat.mode == "RGBA" else flatten(strip).convert("RGB")
        flat.paste(strip if turn is None else strip.transpose(turn), _place(rows, image.size, turn))
    return flat


def _place(rows: tuple[int, int], size: tuple[int, int], turn: Image.Transpose | None) -> tuple[int, int]:
    """Where some rows of an image of `size` lie once it is turned: their left upper corner."""
    from_end = size[1] - rows[1]
    if turn in (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM):
        return 0, from_end
    if turn in (Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90):
        return rows[0], 0
    if turn in (Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270):
        return from_end, 0
    return 0, rows[0]


def strips(image: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    """Some rows at a time, and the number of the first."""
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(height, top + rows))), top


def dark_range(image: Image.Image) -> int | None:
    """The largest value of a 16-bit image whose values take 12 bits at most, as X-rays and microscopes make them: white
    is then 4,095. None for every other image."""
    if not _is_16_bits(image):
        return None
    high = int(_extremes(image)[1])
    return high if high <= TWELVE_BITS else None


def _is_16_bits(image: Image.Image) -> bool:
    # Older Pillow opens 16-bit PNG as 32-bit.
    return "16" in image.mode or (image.mode == "I" and image.format == "PNG")


def _extremes(image: Image.Image) -> tuple[float, float]:
    """Of the values that are numbers: one infinite pixel must not make all others black."""
    extremes = []
    for strip, _ in strips(image):
        values = np.asarray(strip).astype(np.float64)
        values = values[np.isfinite(values)]
        if values.size:
            extremes += [float(values.min()), float(values.max())]
    return min(extremes, default=0.0), max(extremes, default=0.0)


def _grey_range(image: Image.Image) -> tuple[float, float]:
    """What becomes black and what white in 16-bit, 32-bit and float grey, where Pillow would clip."""
    low, high = _extremes(image)
    if _is_16_bits(image):
        low, high = 0.0, float(TWELVE_BITS if high <= TWELVE_BITS else 65535)
    elif image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif image.mode == "I" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    return low, high


def _eight_bits(image: Image.Image, low: float, high: float) -> np.ndarray:
    """Grey values from `low` to `high` -> uint8 (H, W)."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), nan=low, posinf=high, neginf=low)
    scaled = (values - low) * (255 / ((high - low) or 1.0))
    return scaled.round().clip(0, 255).astype(np.uint8)
