"""How runs, evaluations and predictions show themselves in a notebook: HTML and SVG that need nothing else.

Templates stand in `*.html.j2` beside this file; whatever is filled in is escaped. Colours are readable on light and
dark notebooks alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

WIDTH_PX, HEIGHT_PX = 320, 190
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 44, 10, 10, 26
LINES_ACROSS = 4


@dataclass(frozen=True)
class Line:
    """points: (x, y); colour: of CSS; dots: whether each point is marked."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    dots: bool = False


@dataclass(frozen=True)
class Chart:
    """Some lines over one pair of axes from x = 0; `percent`: y is a share, drawn from 0 to 1."""

    title: str
    lines: tuple[Line, ...]
    percent: bool = False

    width, height, left, top = WIDTH_PX, HEIGHT_PX, LEFT_PX, TOP_PX
    right, bottom = WIDTH_PX - RIGHT_PX, HEIGHT_PX - BOTTOM_PX

    @property
    def x_end(self) -> float:
        return max((x for line in self.lines for x, _ in line.points), default=1.0) or 1.0

    @property
    def y_end(self) -> float:
        if self.percent:
            return 1.0
        return max((y for line in self.lines for _, y in line.points if math.isfinite(y)), default=1.0) or 1.0

    def places(self, line: Line) -> list[tuple[float, float]]:
        """Of the points, in the drawing's own units; a value that is no number has none."""
        points = [(x, y) for x, y in line.points if math.isfinite(y)]
        return [
            (
                round(self.left + (self.right - self.left) * x / self.x_end, 1),
                round(self.bottom - (self.bottom - self.top) * min(max(y / self.y_end, 0.0), 1.0), 1),
            )
            for x, y in points
        ]

    def across(self) -> list[tuple[float, str]]:
        """(y in the drawing, the number there) of each horizontal line."""
        shares = [i / LINES_ACROSS for i in range(LINES_ACROSS + 1)]
        return [(self.bottom - (self.bottom - self.top) * s, self.number(s * self.y_end)) for s in shares]

    def number(self, value: float) -> str:
        return f"{value:.0%}" if self.percent else f"{value:.3g}"

    def spoken(self) -> str:
        """What a screen reader says of it: where each line ends."""
        ends = [f"{line.name} {self.number(line.points[-1][1])}" for line in self.lines if line.points]
        return f"{self.title}: {'; '.join(ends)}"


def html(template: str, **values: Any) -> str:
    """`template`.html.j2, filled in."""
    return _templates().get_template(f"{template}.html.j2").render(**values).strip()


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
