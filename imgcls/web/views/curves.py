"""Loss and accuracy as SVG: a few kilobytes an update, no script, sharp on every screen, readable in both themes.

A chart is a list of series; each series is points with a name and a style. Knows nothing of runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from imgcls.web.i18n.translator import Translator
from imgcls.web.views.render import render

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 30
POINTS = 240  # more than a screen shows


@dataclass(frozen=True)
class Series:
    """points: (x, y); `kind`: "line" or "dots" (a line with its points marked); `tone`: a CSS class."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "line"
    tone: str = "c1"


def chart(
    title: str,
    series: Sequence[Series],
    words: Translator,
    *,
    x_end: float,
    x_name: str,
    percent: bool = False,
    legend: bool = True,
    top: float = math.inf,
) -> Markup:
    """One chart from x = 0 to `x_end`. `percent`: y is a share, shown as a percentage up to 100; `top`: the highest y
    that the scale may reach."""
    drawn = [(s, _thinned([p for p in s.points if math.isfinite(p[1])])) for s in series]
    values = [y for _, points in drawn for _, y in points]
    low, high = _range([min(value, top) for value in values], percent)

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, x / x_end if x_end else 0)
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (1 - (min(max(y, low), high) - low) / (high - low))

    last = "; ".join(f"{s.name} {_number(points[-1][1], percent)}" for s, points in drawn if points)
    return render(
        "chart",
        words,
        title=title,
        spoken=f"{title}: {last}",
        series=[
            {
                "name": s.name,
                "tone": s.tone,
                "kind": s.kind,
                "in_legend": bool(legend and s.points),
                "places": [place(x, y) for x, y in points],
            }
            for s, points in drawn
        ],
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        across=_lines(low, high, percent),
        down=_numbers(x_end),
        x_name=x_name,
    )


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Neighbours averaged until there are at most POINTS."""
    size = -(-len(points) // POINTS)
    if size <= 1:
        return points
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def _range(values: list[float], percent: bool) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    if percent:
        ordered = sorted(values)
        # The first noisy steps would squeeze everything that matters into the top.
        low = ordered[len(ordered) // 8]
        for floor in (0.95, 0.9, 0.8, 0.5):
            if low >= floor:
                return floor, 1.0
        return 0.0, 1.0
    high = sorted(values)[int(len(values) * 0.97)]
    return 0.0, _nice(max(high * 1.05, 1e-6))


def _nice(value: float) -> float:
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 5, 10) if value <= step * power)


def _lines(low: float, high: float, percent: bool) -> list[tuple[float, str]]:
    """(y on the screen, what stands beside it) of the lines across."""
    step = (HEIGHT - TOP - BOTTOM) / 4
    return [(HEIGHT - BOTTOM - step * i, _number(low + (high - low) * i / 4, percent)) for i in range(5)]


def _numbers(x_end: float) -> list[tuple[float, int]]:
    """(x on the screen, the number there) along the bottom."""
    step, made = max(1, math.ceil(x_end / 8)), []
    for x in range(0, math.floor(x_end) + 1, step):
        across = LEFT + (WIDTH - LEFT - RIGHT) * (x / x_end if x_end else 0)
        if across < WIDTH - RIGHT - 40 or x == 0:
            made.append((across, x))
    return made


def _number(value: float, percent: bool) -> str:
    if percent:
        return f"{value * 100:.1f}%".replace(".0%", "%") if value < 0.9995 else "100%"
    if abs(value) >= 10_000:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
