"""Strokes, as a pad records them, as the picture that the pad would show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Strokes = Sequence[Sequence[Sequence[float]]]


def render(
    strokes: Strokes, *, side: int = 280, width: float = 20, box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Strokes as a pad would show them: white ink on black, "L", `side` pixels square, antialiased.

    strokes: [[(x, y), ...], ...], y pointing down, any unit. width: of the pen, in pixels. box: (left, top, right,
    bottom) in pixels to fit the drawing into, keeping its shape; the middle 60 % by default.
    """
    fine = 3 if side <= 150 else 2
    left, top, right, bottom = box or (0.2 * side, 0.2 * side, 0.8 * side, 0.8 * side)
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
