"""What a sweep has found, as a page shows it: one table, a plot a factor with its interval, parallel coordinates."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from imgcls.inference.significance import mean_and_spread, paired_mean_interval
from imgcls.messages import Message
from imgcls.recipes import needed
from imgcls.runs.search import Value
from imgcls.runs.sweep_result import Result, Row, compared_places
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import address
from imgcls.web.shared.curves import round_step
from imgcls.web.shared.render import render

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 300, 190, 48, 14, 12, 46  # pixels of a plot
GLYPH = 6.5  # pixels that a letter of a label takes at most; a Chinese one two of them
TICKS = 5  # steps along an axis, about
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
        label=lambda name, value: translate.setting(name, _text(value)),
        parallel=parallel(found.rows, list(found.request.factors), translate),
        command=found.best_command(),
        query=address.query(needed(best)) if best else "",
    )


def _scale(accuracies: Sequence[float]) -> tuple[float, float, list[tuple[float, str]]]:
    """Low and high of an axis that shows them all between round figures, and those figures."""
    low, high = min(accuracies), max(accuracies)
    step = round_step(max(high - low, 0.002) / TICKS)
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    if first == last:
        first, last = (first, last + 1) if last * step < 1 else (first - 1, last)
    ticks = [(step * k, f"{100 * step * k:.6g}%") for k in range(first, last + 1)]
    return step * first, step * last, ticks


def factor_plot(rows: Sequence[Row], name: str, translate: Translator) -> dict[str, Any] | None:
    """Each value of a factor: every run as a dot; the mean, with its 95 % interval, of those where the other settings
    are at their best, as the sentence has it."""
    found: dict[Value, list[float]] = {}
    for row in rows:
        found.setdefault(row.combination[name], []).extend(row.accuracies.values())
    found = {value: accuracies for value, accuracies in found.items() if accuracies}
    if not found:
        return None
    low, high, ticks = _scale([accuracy for accuracies in found.values() for accuracy in accuracies])
    values = sorted(found, key=lambda value: (isinstance(value, str), value if not isinstance(value, str) else ""))
    best = next(iter(compared_places(rows, name)), None)
    at_best = {value: list(row.accuracies.values()) for value, row in best.found.items()} if best else found

    def y(accuracy: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (min(max(accuracy, low), high) - low) / (high - low))

    room = (WIDTH - LEFT - RIGHT) / len(values)
    labels = [_label(name, value, translate) for value in values] if len(values) <= MOST_LEVELS else [""] * len(values)
    crowded = any(_width(label) > room - GLYPH for label in labels)
    places = []
    for i, (value, label) in enumerate(zip(values, labels, strict=True)):
        shown = at_best.get(value, [])
        mean, _ = mean_and_spread(shown)
        interval = paired_mean_interval(shown)
        most = (2 if crowded else 1) * room - GLYPH
        places.append(
            {
                "x": LEFT + room * (i + 0.5),
                "label": label,
                "row": i % 2 if crowded else 0,
                "squeezed": most if _width(label) > most else 0,
                "dots": [y(accuracy) for accuracy in found[value]],
                "mean": None if mean is None else y(mean),
                "interval": (y(interval[1]), y(interval[0])) if interval else None,
                "said": f"{label or _text(value)}" + ("" if mean is None else f": {mean:.2%}"),
            }
        )
    return {
        "name": translate.setting(name),
        "at": translate.message(best.said).strip(" ,，") if best and isinstance(best.said, Message) else "",
        "places": places,
        "ticks": [(y(value), text) for value, text in ticks],
        "size": (WIDTH, HEIGHT, LEFT, RIGHT),
    }


def _width(label: str) -> float:
    return sum(GLYPH * (1 if ord(letter) < 0x2E80 else 2) for letter in label)


def parallel(rows: Sequence[Row], names: Sequence[str], translate: Translator) -> dict[str, Any] | None:
    """A line a combination from axis to axis, the last one being the accuracy; None where one factor says it all."""
    shown = [row for row in rows if row.n][:MOST_LINES]
    if len(names) < 2 or len(shown) < 2:
        return None
    low, high, ticks = _scale([row.mean or 0.0 for row in shown])
    axes, places = [], {}
    for i, name in enumerate(names):
        values = sorted({row.combination[name] for row in shown}, key=lambda value: (isinstance(value, str), value))
        at = {value: _spread(k, len(values)) for k, value in enumerate(values)}
        places[name] = at
        labels = [(at[value], _label(name, value, translate)) for value in values] if len(values) <= MOST_LEVELS else []
        axes.append({"x": LEFT + i * AXIS, "name": translate.setting(name), "labels": labels})
    end = LEFT + len(names) * AXIS
    axes.append(
        {
            "x": end,
            "name": translate("Validation accuracy"),
            "labels": [(TOP, ticks[-1][1]), (HEIGHT - BOTTOM, ticks[0][1])],
        }
    )
    lines = []
    for row in sorted(shown, key=lambda row: row.mean or 0.0):
        share = ((row.mean or 0.0) - low) / (high - low)
        points = [(LEFT + i * AXIS, places[name][row.combination[name]]) for i, name in enumerate(names)]
        points.append((end, TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)))
        said = ", ".join(_label(name, row.combination[name], translate) for name in names)
        lines.append(
            {"points": " ".join(f"{x:.1f},{y:.1f}" for x, y in points), "share": share, "said": f"{said}: {row.figure}"}
        )
    return {"axes": axes, "lines": lines, "size": (end + 90, HEIGHT, TOP, HEIGHT - BOTTOM)}


def _spread(place: int, count: int) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (0.5 if count == 1 else 1 - place / (count - 1))


def _label(name: str, value: Value, translate: Translator) -> str:
    """What the form calls it, without what it says in addition."""
    return re.split(r"[,，]| N[(（]", translate.setting(name, _text(value)))[0]


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:g}"
