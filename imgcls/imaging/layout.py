"""How ink lies on the paper, before any network is asked: a dot, a scribble over everything or a block of thick lines,
one digit or several. A small 0 in a broad pen fills its box as a dot does, but has a hole.

Several digits stand beside each other, about equally high, with clear paper between them; a 5 whose bar is apart or a 4
in two strokes is one. Knows numpy only. The page has the same in web/classify/js/layout.js.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from imgcls.imaging.ink import coarsened, pieces

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the ink
DOT = 0.7, 1.4  # a disc fills 0.785 of its box; longer over shorter side
HOLE = 0.005  # of the box: paper with ink all around it
HOLES = 2  # of an 8; lines that fill an area leave more
TOUCH = 0.25  # of the paper's longer side: what is solid and larger was filled in, not touched once
SCRIBBLE = 0.42, 0.8  # ink's share of the paper, and its box's share of either side
SPECK = 0.04  # of the largest piece
APART = 0.1  # clear paper between two digits, as a share of the higher one's height
LOWEST = 0.6  # of the highest digit's height
MAX_DIGITS = 8  # digits in a row


@dataclass(frozen=True)
class Layout:
    """`boxes`: where each digit's ink is, left to right; one box unless kind is "several"."""

    kind: Literal["digit", "several", "dot", "scribble"]
    boxes: tuple[Box, ...]


def layout_of(ink: np.ndarray) -> Layout:
    """ink: float (H, W) in 0..1, as `ink.find_ink` gives it, with some above 0.3."""
    coarse, step = coarsened(ink)
    labels, count = pieces(coarse)
    areas: list[tuple[int, Box]] = []
    for name in range(1, count + 1):
        rows, columns = np.nonzero(labels == name)
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        areas.append((len(rows), (int(left) * step, int(top) * step, int(right) * step, int(bottom) * step)))
    largest = max(area for area, _ in areas)
    least = min(largest, max(2, SPECK * largest))
    boxes = sorted(box for area, box in areas if area >= least)
    whole = _around(boxes)
    solid = ink > 0.3
    inked = solid[whole[1] : whole[3], whole[0] : whole[2]]
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1  # to the pixel
    full = np.count_nonzero(inked) / (height * width)
    if full >= DOT[0] and max(width, height) <= DOT[1] * min(width, height):
        touched = max(width, height) <= TOUCH * max(ink.shape)
        if not _ring(inked, HOLE * height * width):
            return Layout("dot" if touched else "scribble", (whole,))
    if solid.mean() >= SCRIBBLE[0] and min(width / ink.shape[1], height / ink.shape[0]) >= SCRIBBLE[1]:
        return Layout("scribble", (whole,))
    groups = _groups(boxes)
    if 2 <= len(groups) <= MAX_DIGITS and _in_a_row(groups):
        return Layout("several", tuple(groups))
    return Layout("digit", (whole,))


def _ring(inked: np.ndarray, least: float) -> bool:
    """Whether ink, bool (H, W), goes around one hole or two of together at least so many pixels, as in 0, 6, 8, 9."""
    labels, count = pieces(np.pad(~inked, 1, constant_values=True))
    enclosed = np.count_nonzero(labels) - np.count_nonzero(labels == labels[0, 0])
    return 1 <= count - 1 <= HOLES and enclosed >= least


def _groups(boxes: list[Box]) -> list[Box]:
    """Boxes whose columns overlap belong together; left to right."""
    lines: list[Box] = []
    for box in boxes:
        if lines and box[0] < lines[-1][2]:
            lines[-1] = _around([lines[-1], box])
        else:
            lines.append(box)
    return lines


def _in_a_row(groups: list[Box]) -> bool:
    highest = max(bottom - top for _, top, _, bottom in groups)
    if any(bottom - top < LOWEST * highest for _, top, _, bottom in groups):
        return False
    return all(right[0] - left[2] >= APART * highest for left, right in zip(groups, groups[1:], strict=False))


def _around(boxes: list[Box]) -> Box:
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)
