"""An image in any mode (palette, CMYK, 1 bit, 16 bits, float, transparent) -> RGB or RGBA, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from imgcls.imaging.preprocess import flatten

STRIP = 1 << 20  # pixels that are turned to RGB at a time: whole, 16-bit grey would take 32 bytes a pixel


def to_rgb(image: Image.Image, keep_alpha: bool) -> Image.Image:
    """Any mode -> RGB, or RGBA where there is transparency to keep."""
    clear = image.getbands()[-1] in "Aa" or "transparency" in image.info
    made = Image.new("RGBA" if clear and keep_alpha else "RGB", image.size)
    grey = _grey_range(image) if image.mode[0] in "IF" else None
    for strip, place in _strips(image):
        if grey:
            strip = Image.fromarray(_eight_bits(strip, *grey))
        elif strip.mode == "La":
            strip = strip.convert("LA")
        made.paste(strip.convert(made.mode) if made.mode == "RGBA" else flatten(strip).convert("RGB"), place)
    return made


def _strips(image: Image.Image) -> Iterator[tuple[Image.Image, tuple[int, int]]]:
    """Some rows at a time, and where they belong."""
    width, height = image.size
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(height, top + rows))), (0, top)


def _grey_range(image: Image.Image) -> tuple[float, float]:
    """What becomes black and what white in 16-bit, 32-bit and float grey, where Pillow would clip."""
    found = []
    for strip, _ in _strips(image):
        values = np.nan_to_num(np.asarray(strip).astype(np.float64))
        found += [float(values.min()), float(values.max())]
    low, high = min(found), max(found)
    if "16" in image.mode or image.format == "PNG":  # older Pillow opens 16-bit PNG as 32-bit
        low, high = 0.0, 65535.0
    elif image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif image.mode == "I" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    return low, high


def _eight_bits(image: Image.Image, low: float, high: float) -> np.ndarray:
    """Grey values from `low` to `high` -> uint8 (H, W)."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    scaled = (values - low) * (255 / ((high - low) or 1.0))
    return scaled.round().clip(0, 255).astype(np.uint8)
