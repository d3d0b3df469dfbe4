"""What a sweep has found, as a page shows it: one table, a plot a factor with its interval, parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from imgcls.inference.significance import mean_and_spread, paired_mean_interval
from imgcls.recipes import needed
from imgcls.runs.search import Value
from imgcls.runs.sweep_result import Result, Row
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import address
from imgcls.web.shared.render import render

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 300, 190, 48, 14, 12, 40  # pixels of a plot
AXIS = 130  # pixels between two parallel axes
MOST_LINES = 200
MOST_LEVELS = 12  # of a factor, that still have names under its axis


def drawn(found: Result, translate: Translator) -> Markup:
    best = found.best_settings()
    return render(
        "sweep_result",
        translate,
        found=found,
        factors=[(name, translate.setting(name)) for name in found.request.factors],
        effects=[translate.message(sentence) for sentence in found.effects()],
        plots=[plot for name in found.request.factors if (plot := factor_plot(found.rows, name, translate))],
        parallel=parallel(found.rows, list(found.request.factors), translate),
        command=found.best_command(),
        query=address.query(needed(best)) if best else "",
    )


def _scale(accuracies: Sequence[float]) -> tuple[float, float]:
    """Low and high of an axis that shows them all, a tenth wider."""
    low, high = min(accuracies), max(accuracies)
    room = max(high - low, 0.002) * 0.1
    return max(0.0, low - room), min(1.0, high + room)


def factor_plot(rows: Sequence[Row], name: str, translate: Translator) -> dict[str, Any] | None:
    """Each value of a factor: every run as a dot, their mean, and its 95 % interval over all runs with that value."""
    found: dict[Value, list[float]] = {}
    for row in rows:
        found.setdefault(row.combination[name], []).extend(row.accuracies.values())
    found = {value: accuracies for value, accuracies in found.items() if accuracies}
    if not found:
        return None
    low, high = _scale([accuracy for accuracies in found.values() for accuracy in accuracies])
    values = sorted(found, key=lambda value: (isinstance(value, str), value if not isinstance(value, str) else ""))

    def y(accuracy: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (min(max(accuracy, low), high) - low) / (high - low))

    places = []
    for i, value in enumerate(values):
        accuracies = found[value]
        mean, _ = mean_and_spread(accuracies)
        interval = paired_mean_interval(accuracies)
        places.append(
            {
                "x": LEFT + (WIDTH - LEFT - RIGHT) * (i + 0.5) / len(values),
                "label": _text(value) if len(values) <= MOST_LEVELS else "",
                "dots": [y(accuracy) for accuracy in accuracies],
                "mean": y(mean or 0.0),
                "interval": (y(interval[1]), y(interval[0])) if interval else None,
                "said": f"{_text(value)}: {mean or 0.0:.2%}",
            }
        )
    ticks = [(y(value), f"{value:.1%}") for value in (low, (low + high) / 2, high)]
    return {"name": translate.setting(name), "places": places, "ticks": ticks, "size": (WIDTH, HEIGHT, LEFT, RIGHT)}


def parallel(rows: Sequence[Row], names: Sequence[str], translate: Translator) -> dict[str, Any] | None:
    """A line a combination from axis to axis, the last one being the accuracy; None where one factor says it all."""
    shown = [row for row in rows if row.n][:MOST_LINES]
    if len(names) < 2 or len(shown) < 2:
        return None
    low, high = _scale([row.mean or 0.0 for row in shown])
    axes, places = [], {}
    for i, name in enumerate(names):
        values = sorted({row.combination[name] for row in shown}, key=lambda value: (isinstance(value, str), value))
        at = {value: _spread(k, len(values)) for k, value in enumerate(values)}
        places[name] = at
        labels = [(at[value], _text(value)) for value in values] if len(values) <= MOST_LEVELS else []
        axes.append({"x": LEFT + i * AXIS, "name": translate.setting(name), "labels": labels})
    end = LEFT + len(names) * AXIS
    axes.append(
        {
            "x": end,
            "name": translate("Validation accuracy"),
            "labels": [(TOP, f"{high:.1%}"), (HEIGHT - BOTTOM, f"{low:.1%}")],
        }
    )
    lines = []
    for row in sorted(shown, key=lambda row: row.mean or 0.0):
        share = ((row.mean or 0.0) - low) / (high - low)
        points = [(LEFT + i * AXIS, places[name][row.combination[name]]) for i, name in enumerate(names)]
        points.append((end, TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)))
        said = ", ".join(f"{name}={_text(row.combination[name])}" for name in names)
        lines.append(
            {"points": " ".join(f"{x:.1f},{y:.1f}" for x, y in points), "share": share, "said": f"{said}: {row.figure}"}
        )
    return {"axes": axes, "lines": lines, "size": (end + 90, HEIGHT, TOP, HEIGHT - BOTTOM)}


def _spread(place: int, count: int) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (0.5 if count == 1 else 1 - place / (count - 1))


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:g}"
