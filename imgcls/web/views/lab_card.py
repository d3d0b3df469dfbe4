"""An initialisation lab: curves over each other, and a table of what every layer starts with.

Knows labs and views of runs, not how they are started.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from imgcls.runs.init_lab import Lab
from imgcls.runs.reader import RunView
from imgcls.settings import choices
from imgcls.training import events
from imgcls.training.layer_statistics import LayerStatistics
from imgcls.web.i18n.labels import STATES
from imgcls.web.i18n.translator import Translator
from imgcls.web.views.curves import Series, chart
from imgcls.web.views.render import render

SOUND = (1e-3, 1e2)  # a signal or gradient outside is tinted: it dies out or explodes


def none(words: Translator) -> Markup:
    return render("no_lab", words)


def card(lab: Lab, state: str, views: Mapping[str, RunView], words: Translator) -> Markup:
    said = lab.failure()
    statistics = lab.statistics()
    return render(
        "lab_card",
        words,
        lab=lab,
        state=state,
        state_said=words(STATES[state]),
        made=f"{words.value(lab.settings.model)} · {words.value(lab.settings.dataset)}",
        failed=words.message(said) if said else None,
        results=[_result(init, views.get(init), words) for init in lab.inits],
        charts=_curves(lab, views, words),
        inits=[(tone(init), words.value(init)) for init in statistics],
        tables=_tables(statistics, words) if statistics else [],
    )


def tone(init: str) -> str:
    """The same colour for an initialisation wherever it appears."""
    return f"c{(choices('init') or ()).index(init) + 1}"


def _result(init: str, view: RunView | None, words: Translator) -> tuple[str, str, str, str]:
    """(tone, initialisation, best validation accuracy, how it is going)."""
    value = f"{view.best.val_accuracy:.1%}" if view and view.best else "–"
    if view is None:
        more = words("waits its turn")
    elif isinstance(view.ending, events.Failed) and not view.live and view.ending.error == "DivergedError":
        more = words("diverged")
    else:
        more = words(STATES[view.state])
    return tone(init), words.value(init), value, more


def _curves(lab: Lab, views: Mapping[str, RunView], words: Translator) -> list[Markup]:
    if not any(view.progress for view in views.values()):
        return []
    total = lab.settings.epochs
    named = {init: words.value(init) for init in views}

    def over(measure: Callable[[events.Progress], float]) -> list[Series]:
        return [
            Series(named[init], [(p.epoch, measure(p)) for p in view.progress], "line", tone(init))
            for init, view in views.items()
        ]

    loss = chart(
        words("Training loss"),
        over(lambda p: p.loss),
        words,
        x_end=total,
        x_name=words("epochs"),
        legend=False,
        top=4.0,
    )
    accuracy = chart(
        words("Training accuracy"),
        over(lambda p: p.accuracy),
        words,
        x_end=total,
        x_name=words("epochs"),
        percent=True,
        legend=False,
    )
    return [loss, accuracy]


def _tables(statistics: Mapping[str, list[LayerStatistics]], words: Translator) -> list[dict[str, Any]]:
    layers = list(zip(*statistics.values(), strict=True))  # one tuple a layer, a row an initialisation
    signal = [(of[0].layer, [_cell(row.std, mean=_number(row.mean)) for row in of]) for of in layers]
    gradient = [(of[0].layer, [_cell(row.gradient) for row in of]) for of in layers]
    return [
        {
            "title": words("Signal before the first step"),
            "more": words(
                "standard deviation of each layer's output, its mean beneath: it should neither vanish nor explode"
            ),
            "rows": signal,
        },
        {
            "title": words("Gradient before the first step"),
            "more": words("its norm in each layer: too small learns nothing, too large jumps"),
            "rows": gradient,
        },
    ]


def _cell(value: float | None, *, mean: tuple[str, str] | None = None) -> dict[str, Any]:
    return {"verdict": _verdict(value), "value": _number(value), "mean": mean}


def _verdict(value: float | None) -> str:
    if value is None or value > SOUND[1]:
        return "explodes"
    return "dies" if value < SOUND[0] else ""


def _number(value: float | None) -> tuple[str, str]:
    """(the number, its power of ten or "")."""
    if value is None:
        return "∞", ""
    if value and not 1e-3 <= abs(value) < 999.5:
        power = math.floor(math.log10(abs(value)))
        return f"{value / 10**power:.1f}".replace("-", "−"), f"{power}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−"), ""
