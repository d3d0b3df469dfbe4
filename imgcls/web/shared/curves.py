"""Loss and accuracy as SVG: a few kilobytes an update, sharp on every screen, readable in both themes.

A chart is a list of series; each series is points with a name and a style. What lies outside the scale is marked, never
cut off in silence. Values on hover and by keyboard: `charts.js`. Knows nothing of runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render

WIDTH, HEIGHT = 340, 220  # in pixels of a chart at a page 1280 wide, so that 12-pixel text is 12 pixels there
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 36
DIGIT = 8  # pixels that a digit of the axis takes at most
NICE = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Series:
    """points: (x, y); `kind`: "line", "dots" (a line with its points marked) or "over" (a run to compare with); `tone`:
    a CSS class; `broke`: training diverged after the last point."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "line"
    tone: str = "c1"
    broke: bool = False


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    x_end: float

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, value / self.x_end if self.x_end else 0)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)

    def outside(self, value: float) -> int:
        return (value > self.high) - (value < self.low)


def chart(
    title: str,
    series: Sequence[Series],
    translate: Translator,
    *,
    x_end: float,
    x_name: str,
    percent: bool = False,
    legend: bool = True,
    top: float = math.inf,
    mark: tuple[float, str] | None = None,
) -> Markup:
    """One chart from x = 0 to `x_end`. `percent`: y is a share, drawn from 0 to 100 % and, for the zoom, on the part of
    the scale that it ends in; `top`: the highest y that the scale of other charts may reach;
    `mark`: (x, what is there), a line down the chart."""
    finite = [(s, [p for p in s.points if math.isfinite(p[1])]) for s in series]
    values = [y for _, points in finite for _, y in points]
    if percent:
        scales = [_Scale(0.0, 1.0, x_end)]
        if (low := _floor(finite)) > 0:
            scales.append(_Scale(low, 1.0, x_end))
    else:
        scales = [_Scale(0.0, _ceiling([min(value, top) for value in values]), x_end)]
    last = "; ".join(f"{s.name} {number(points[-1][1], percent)}" for s, points in finite if points)
    outside = [y for y in values if scales[0].outside(y)]
    return render(
        "chart",
        translate,
        title=title,
        spoken=f"{title}: {last}",
        legend=[s for s, points in finite if legend and points],
        scales=[_drawing(scale, finite, percent) for scale in scales],
        values=[
            {
                "name": s.name,
                "tone": s.tone,
                "points": [[round(scales[0].x(x), 1), round(x, 2), number(y, percent)] for x, y in points],
            }
            for s, points in finite
        ],
        outside=len(outside),
        highest=number(max(outside, default=0), percent),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        down=_numbers(scales[0]),
        x_name=x_name,
        mark=(scales[0].x(mark[0]), mark[1]) if mark else None,
    )


def _drawing(scale: _Scale, finite: Sequence[tuple[Series, list[tuple[float, float]]]], percent: bool) -> dict:
    """The lines across and every series' places on one scale."""
    return {
        "across": [(scale.y(value), number(value, percent)) for value in _ticks(scale)],
        "series": [
            {
                "tone": s.tone,
                "kind": s.kind,
                "broke": s.broke,
                "places": [(scale.x(x), scale.y(y)) for x, y in points],
                "outside": [(scale.x(x), scale.outside(y)) for x, y in points if scale.outside(y)],
            }
            for s, points in finite
            if points
        ],
    }


def windows(points: Sequence[tuple[float, float, float]], count: int = 100) -> list[tuple[float, float]]:
    """Means over windows of equal numbers of images: `points` are (x at its end, weight, value); at most `count`."""
    total = sum(weight for _, weight, _ in points)
    size, points_smoothed, weights, summed = total / count, [], 0.0, 0.0
    for i, (x, weight, value) in enumerate(points):
        weights, summed = weights + weight, summed + weight * value
        if weights >= size * 0.999 or i + 1 == len(points):
            points_smoothed.append((x, summed / weights if weights else value))
            weights, summed = 0.0, 0.0
    return points_smoothed


def _floor(finite: Sequence[tuple[Series, list[tuple[float, float]]]]) -> float:
    """Where the zoomed scale of shares begins: below where every series spends its last half."""
    late = [y for _, points in finite for _, y in points[len(points) // 2 :]]
    low = min(late, default=0.0)
    return next((floor for floor in (0.98, 0.95, 0.9, 0.8, 0.5) if low >= floor), 0.0)


def _ceiling(values: Sequence[float]) -> float:
    """The top of a scale from 0 that a few wild values do not squeeze; those are marked as outside."""
    if not values:
        return 1.0
    usual = sorted(values)[int((len(values) - 1) * 0.97)]
    top = max(values) if max(values) <= 6 * usual else usual * 1.1
    return round_step(max(top, 1e-6) / 4) * 4


def round_step(least: float) -> float:
    """The smallest round number that is at least `least`."""
    power = 10 ** math.floor(math.log10(least))
    return next(nice * power for nice in NICE if nice * power >= least * 0.999)


def _ticks(scale: _Scale) -> list[float]:
    return [scale.low + (scale.high - scale.low) * i / 4 for i in range(5)]


def _numbers(scale: _Scale) -> list[tuple[float, str]]:
    """(x on the screen, the number there) along the bottom; the end always has one."""
    room = (WIDTH - LEFT - RIGHT) / (DIGIT * (len(f"{scale.x_end:g}") + 1.5))
    step = max(1, math.ceil(round_step(max(scale.x_end, 1) / room)))
    whole: list[float] = [x for x in range(0, math.floor(scale.x_end) + 1, step)]
    if whole[-1] != scale.x_end:
        if len(whole) > 1 and scale.x_end - whole[-1] < step / 2:
            whole.pop()
        whole.append(scale.x_end)
    return [(scale.x(x), f"{x:g}") for x in whole]


def number(value: float, percent: bool = False) -> str:
    if percent:
        return f"{value * 100:.1f}".removesuffix(".0") + "%"
    if abs(value) >= 10_000:
        return f"{value:.1e}".replace(".0e", "e").replace("e+0", "e").replace("e+", "e")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
