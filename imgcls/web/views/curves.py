"""Loss and accuracy as SVG: a few kilobytes an update, no script, sharp on every screen, readable in both themes.

A chart is a list of series; each series is points with a name and a style. Knows nothing of runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

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
    *,
    x_end: float,
    x_name: str,
    percent: bool = False,
    legend: bool = True,
    top: float = math.inf,
) -> str:
    """One chart from x = 0 to `x_end`. `percent`: y is a share, shown as a percentage up to 100; `top`: the highest y
    that the scale may reach."""
    drawn = [(s, _thinned([p for p in s.points if math.isfinite(p[1])])) for s in series]
    values = [y for _, points in drawn for _, y in points]
    low, high = _range([min(value, top) for value in values], percent)

    def place(x: float, y: float) -> str:
        across = LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, x / x_end if x_end else 0)
        down = TOP + (HEIGHT - TOP - BOTTOM) * (1 - (min(max(y, low), high) - low) / (high - low))
        return f"{across:.1f},{down:.1f}"

    parts = [_grid(low, high, x_end, percent)]
    for s, points in drawn:
        if not points:
            continue
        path = " ".join(place(x, y) for x, y in points)
        parts.append(f'<polyline class="{s.tone} {s.kind}" points="{path}"/>')
        if s.kind == "dots" or len(points) == 1:  # a line of one point would not be seen
            parts += [
                f'<circle class="{s.tone}" cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3"/>' for p in path.split()
            ]
    names = (
        "".join(f'<span class="{s.tone}"><i></i>{escape(s.name)}</span>' for s in series if s.points) if legend else ""
    )
    last = "; ".join(f"{s.name} {_number(points[-1][1], percent)}" for s, points in drawn if points)
    return (
        f'<figure class="chart"><figcaption><strong>{escape(title)}</strong><span class="legend">{names}</span>'
        f'</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title}: {last}")}">'
        f'{"".join(parts)}<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">'
        f"{escape(x_name)}</text></svg></figure>"
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


def _grid(low: float, high: float, x_end: float, percent: bool) -> str:
    parts = []
    for i in range(5):
        y = low + (high - low) * i / 4
        down = TOP + (HEIGHT - TOP - BOTTOM) * (1 - i / 4)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down:.1f}" y2="{down:.1f}"/>')
        parts.append(
            f'<text class="axis" x="{LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{_number(y, percent)}</text>'
        )
    step = max(1, math.ceil(x_end / 8))
    for x in range(0, math.floor(x_end) + 1, step):
        across = LEFT + (WIDTH - LEFT - RIGHT) * (x / x_end if x_end else 0)
        if across < WIDTH - RIGHT - 40 or x == 0:
            parts.append(f'<text class="axis" x="{across:.1f}" y="{HEIGHT - 14}" text-anchor="middle">{x}</text>')
    return "".join(parts)


def _number(value: float, percent: bool) -> str:
    if percent:
        return f"{value * 100:.1f}%".replace(".0%", "%") if value < 0.9995 else "100%"
    if abs(value) >= 10_000:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
