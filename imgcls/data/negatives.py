"""Pen drawings that are no digit, made from a seed: what teaches a network, or its calibration, where digits end.

Letters of a small stroke alphabet, pieces of real digits, digits turned, mirrored, crossed out or side by side,
scribbles and shapes, outlines with marks in them, all bent as a hand would and drawn with many pens. Letters that look
like a digit (o, l, s, z, b, g, q, ...) are left out. `python -m imgcls.data.negatives` makes the file that ships. Knows
no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from imgcls.data.pen_digits import BOX, Drawing, load_pen_digits, read_drawings, render_by_chance
from imgcls.data.registry import PEN, PEN_DIGITS
from imgcls.workspace import PROJECT

Stroke = np.ndarray  # float (points, 2), y pointing down
ALPHABET = Path(__file__).with_name("stroke_alphabet.txt")
NO_DIGIT = -1
SHIPPED = PROJECT.joinpath("data", *PEN_DIGITS.folder, "drawings.npz")
DRAWING_KINDS = (
    "letter",
    "letter",
    "letter",
    "turned",
    "piece",
    "pieces",
    "pair",
    "crossed",
    "scribble",
    "random",
    "word",
)
FIGURES = ("figure",)
NEGATIVES = ((5000, 11, DRAWING_KINDS), (4000, 12, DRAWING_KINDS), (3000, 13, FIGURES))  # (how many, seed, which)
DIGITS_KEPT = 3000


@dataclass(frozen=True)
class Drawings:
    """images: uint8 (N, 1, 28, 28); labels: int64 (N,), NO_DIGIT where there is none."""

    images: Tensor
    labels: Tensor

    @property
    def digits(self) -> Tensor:
        return self.images[self.labels != NO_DIGIT]

    @property
    def others(self) -> Tensor:
        return self.images[self.labels == NO_DIGIT]


def load_drawings() -> tuple[Drawings, Drawings] | None:
    """(to learn from, held out: digits by other writers), made once and shipped; None where the file is not there."""
    try:
        with np.load(SHIPPED, allow_pickle=False) as archive:
            images, labels, held = (torch.from_numpy(archive[name]) for name in ("images", "labels", "held_out"))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    images, labels = images[:, None], labels.long()
    return Drawings(images[~held], labels[~held]), Drawings(images[held], labels[held])


def make_drawings(path: Path, pen_digits: Path) -> None:
    """Write the shipped file: ten minutes on one core."""
    drawings, labels = read_drawings(pen_digits)
    # No piece of a held-out writer's digit is in a negative.
    first = len(drawings) - len(drawings) // PEN.validation_every
    pictures, labels_of, held = [], [], []
    for count, seed, kinds in NEGATIVES:
        random = np.random.default_rng(seed)
        others = draw_negatives((drawings[:first], labels[:first]), count=count, seed=seed, kinds=kinds)
        pictures += [render_by_chance(drawing, random) for drawing in others]
        labels_of += [NO_DIGIT] * count
        held += [False] * count
    images, digits = load_pen_digits(pen_digits, renderings=1, seed=0)  # as training has them
    for i in [*range(0, first, first // DIGITS_KEPT)[:DIGITS_KEPT], *range(first, len(drawings))]:
        pictures.append(images[i, 0].numpy())
        labels_of.append(int(digits[i]))
        held.append(i >= first)
    np.savez_compressed(path, images=np.stack(pictures), labels=np.array(labels_of, np.int8), held_out=np.array(held))


def draw_negatives(
    digits: tuple[list[Drawing], list[int]], *, count: int, seed: int, kinds: Sequence[str] = DRAWING_KINDS
) -> list[Drawing]:
    """`count` drawings in the tablet's units, y pointing up as the pen digits' do."""
    random = np.random.default_rng([seed, count])
    maker = _Maker(digits, random)
    return [maker.drawing(kinds[i % len(kinds)]) for i in range(count)]


class _Maker:
    def __init__(self, digits: tuple[list[Drawing], list[int]], random: np.random.Generator) -> None:
        self.random = random
        self.glyphs = read_alphabet()
        self.digits = list(zip(*digits, strict=True))

    def drawing(self, kind: str) -> Drawing:
        strokes = _fitted(_by_hand(getattr(self, f"_{kind}")(), self.random))
        return [[[float(x), BOX - float(y)] for x, y in stroke] for stroke in strokes]

    def _letter(self) -> list[Stroke]:
        return self.glyphs[self.random.integers(len(self.glyphs))]

    def _word(self) -> list[Stroke]:
        left, right = self._letter(), self._letter()
        return _beside(left, right, self.random.uniform(0, 0.5))

    def _digit(self, *, but: tuple[int, ...] = ()) -> tuple[list[Stroke], int]:
        while True:
            strokes, label = self.digits[self.random.integers(len(self.digits))]
            if label not in but:
                return _fitted([np.array([(x, BOX - y) for x, y in s]) for s in strokes]), label

    def _pair(self) -> list[Stroke]:
        return _beside(self._digit()[0], self._digit()[0], self.random.uniform(0.02, 0.4))

    def _turned(self) -> list[Stroke]:
        """A digit mirrored or lying down, where that is no digit any more."""
        way = int(self.random.integers(3))
        strokes, _ = self._digit(but=((0, 1, 8), (0, 8), (0, 8))[way] + ((2, 5) if way == 0 else ()))
        matrix = (((-1, 0), (0, 1)), ((0, 1), (-1, 0)), ((0, -1), (1, 0)))[way]
        return [(s - 50) @ np.array(matrix, float) + 50 for s in strokes]

    def _piece(self) -> list[Stroke]:
        """The first or the last half of a digit, along the pen's way."""
        strokes, _ = self._digit(but=(0, 1, 7, 9, 6))
        share = self.random.uniform(0.35, 0.55)
        points = [(i, p) for i, s in enumerate(strokes) for p in s]
        first, last = int(len(points) * share), int(len(points) * (1 - share))
        points_left = points[:first] if self.random.random() < 0.5 else points[last:]
        strokes_left = [np.array([p for i, p in points_left if i == n]) for n in range(len(strokes))]
        strokes_left = [s for s in strokes_left if len(s) > 2]
        # A straight line or a plain arc may be a 1 or a 7: it gets company.
        return strokes_left + self._stroke() if strokes_left else self._random()

    def _pieces(self) -> list[Stroke]:
        return [s for _ in range(2) for s in self._piece_of_digit()]

    def _piece_of_digit(self) -> list[Stroke]:
        strokes, _ = self._digit()
        stroke = strokes[self.random.integers(len(strokes))]
        start = self.random.integers(0, max(1, len(stroke) // 2))
        return [stroke[start : start + max(4, len(stroke) // 2)] + self.random.uniform(-50, 50, 2)]

    def _crossed(self) -> list[Stroke]:
        """A digit with one or two strokes that do not belong to it."""
        strokes, _ = self._digit(but=(1,))
        middle, angle = self.random.uniform(25, 75, 2), self.random.uniform(0, np.pi)
        half = self.random.uniform(45, 80) * np.array([np.cos(angle), np.sin(angle)])
        across = [np.array([middle - half, middle + half])]
        return strokes + across + (self._stroke() if self.random.random() < 0.5 else [])

    def _stroke(self) -> list[Stroke]:
        ends = self.random.uniform(-10, 110, (int(self.random.integers(2, 5)), 2))
        return [_curve(ends) if self.random.random() < 0.5 else ends]

    def _random(self) -> list[Stroke]:
        return [s for _ in range(self.random.integers(2, 5)) for s in self._stroke()]

    def _figure(self) -> list[Stroke]:
        """A closed outline, round or with corners, with marks in it that touch it nowhere, as pupils draw things; some
        have lines that leave it."""
        corners = int(self.random.integers(3, 7)) if self.random.random() < 0.5 else 0
        half = self.random.uniform(32, 50, 2)
        # An outline that is nearly round is a 0, and so is one with a dot or a stroke in it to some.
        marks = int(self.random.integers(1 if 0 < corners < 5 else 3, 6))
        rays = int(self.random.integers(1, 4)) if self.random.random() < 0.3 else 0
        made = [_outline(corners, np.array([50.0, 50.0]), half, self.random)]
        made += [stroke for _ in range(marks) for stroke in self._marks(half)]
        return made + [self._ray(half) for _ in range(rays)]

    def _marks(self, half: np.ndarray) -> list[Stroke]:
        """A dot, a small outline, an arc or a line; or two of them, mirrored, as eyes and windows are."""
        random, way = self.random, int(self.random.integers(4))
        if way == 0:
            mark = random.uniform(-2, 2, (2, 2))
        elif way == 1:
            mark = _outline(int(random.choice([0, 4])), np.zeros(2), half * random.uniform(0.08, 0.2, 2), random)
        elif way == 2:
            turns = np.linspace(0, random.uniform(0.6, 1.1) * np.pi, 12) + random.choice([0, np.pi])
            mark = half * random.uniform(0.2, 0.4, 2) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        else:
            end = half * random.uniform(-0.3, 0.3, 2)
            mark = np.array([-end, end])
        placed = mark + half * random.uniform(-0.45, 0.45, 2)
        mirrored = [50 + placed * (-1, 1)] if random.random() < 0.5 else []
        return [50 + placed, *mirrored]

    def _ray(self, half: np.ndarray) -> Stroke:
        turn, out = self.random.uniform(0, 2 * np.pi), np.sort(self.random.uniform(0.9, 1.9, 2))
        return 50 + half * out[:, None] * np.array([np.cos(turn), np.sin(turn)])

    def _scribble(self) -> list[Stroke]:
        return [_curve(self.random.uniform(0, 100, (int(self.random.integers(7, 40)), 2)))]


def read_alphabet() -> list[list[Stroke]]:
    """Every way of drawing every sign."""
    lines = [line for line in ALPHABET.read_text("utf-8").splitlines() if not line.startswith("#")]
    return [_strokes(way) for line in lines for way in line.split("\t")[1].split("|")]


def _strokes(text: str) -> list[Stroke]:
    strokes = []
    for stroke in text.strip().split(";"):
        points = np.array([tuple(map(float, p.split(","))) for p in stroke.lstrip("~").split()]) * 10
        strokes.append(_curve(points) if stroke.startswith("~") else points)
    return strokes


def _curve(points: Stroke) -> Stroke:
    """Catmull and Rom's spline through the points, eight steps each."""
    if len(points) < 3:
        return points
    p = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])


def _outline(corners: int, middle: np.ndarray, half: np.ndarray, random: np.random.Generator) -> Stroke:
    """Closed: with so many corners, or round."""
    start = random.uniform(0, 2 * np.pi)
    if corners:
        places = np.append(np.arange(corners) + random.uniform(-0.25, 0.25, corners), 0.0)
        places[-1] = places[0] + corners
        turns = start + places * (2 * np.pi / corners)
    else:
        turns = start + np.linspace(0, 2 * np.pi + random.uniform(-0.2, 0.4), 24)
    return middle + half * np.stack([np.cos(turns), np.sin(turns)], axis=1)


def _beside(left: list[Stroke], right: list[Stroke], gap: float) -> list[Stroke]:
    left, right = _fitted(left), _fitted(right)
    shift = max(s[:, 0].max() for s in left) - min(s[:, 0].min() for s in right) + gap * 100
    return left + [s + (shift, 0) for s in right]


def _fitted(strokes: list[Stroke]) -> list[Stroke]:
    """Into 100 x 100, proportions kept."""
    points = np.concatenate(strokes)
    low, size = points.min(0), max(float(np.ptp(points, axis=0).max()), 1e-6)
    return [(s - low) * (100 / size) for s in strokes]


def _by_hand(strokes: list[Stroke], random: np.random.Generator) -> list[Stroke]:
    """Turned, slanted, stretched and bent by a smooth random field; corners a little off."""
    turn, slant, stretch = random.normal(0, 0.1), random.normal(0, 0.15), np.exp(random.normal(0, 0.15))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array(
        [[stretch, slant], [0, 1 / stretch]]
    )
    field = random.normal(0, 5.0, (4, 4, 2))
    bent = []
    for stroke in _fitted(strokes):
        at = np.clip(_dense(stroke + random.normal(0, 1.5, stroke.shape)), 0, 100)
        knot = np.minimum((at * 0.03).astype(int), 2)
        f = at * 0.03 - knot
        bend = sum(
            field[knot[:, 0] + dx, knot[:, 1] + dy]
            * ((f[:, 0] if dx else 1 - f[:, 0]) * (f[:, 1] if dy else 1 - f[:, 1]))[:, None]
            for dx in (0, 1)
            for dy in (0, 1)
        )
        bent.append((at + bend) @ matrix.T)
    return bent


def _dense(stroke: Stroke, step: float = 8.0) -> Stroke:
    """Points at most about `step` apart, so that straight lines bend too."""
    dense = [stroke[:1]]
    for a, b in zip(stroke, stroke[1:], strict=False):
        n = max(1, int(np.hypot(*(b - a)) / step))
        dense.append(a + (b - a) * (np.arange(1, n + 1) / n)[:, None])
    return np.concatenate(dense)


if __name__ == "__main__":
    make_drawings(SHIPPED, SHIPPED.with_name(PEN_DIGITS.files[0]))
