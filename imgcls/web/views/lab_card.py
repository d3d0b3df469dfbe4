"""An initialisation lab as HTML: curves over each other, and a table of what every layer starts with.

Knows labs and views of runs, not how they are started.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from html import escape

from imgcls.runs.init_lab import Lab
from imgcls.runs.reader import RunView
from imgcls.settings import choices
from imgcls.training import events
from imgcls.training.layer_statistics import LayerStatistics
from imgcls.web.i18n.labels import STATES
from imgcls.web.i18n.translator import Translator
from imgcls.web.views.curves import Series, chart

SOUND = (1e-3, 1e2)  # a signal or gradient outside is tinted: it dies out or explodes


def none(words: Translator) -> str:
    more = words("Choose initialisations on the left and press Compare: curves and layers appear here.")
    return (
        '<section class="run nothing"><div class="nothing-mark" aria-hidden="true"></div>'
        f"<strong>{escape(words('Nothing has been compared yet'))}</strong><span>{escape(more)}</span></section>"
    )


def card(lab: Lab, state: str, views: Mapping[str, RunView], words: Translator) -> str:
    settings = lab.settings
    made = f"{words.value(settings.model)} · {words.value(settings.dataset)}"
    said = lab.failure()
    failed = f'<p class="failure" role="alert">{escape(words.message(said))}</p>' if said else ""
    return (
        f'<section class="run lab" data-state="{state}" data-testid="lab"><header><div><h3>{escape(lab.name)}</h3>'
        f'<p>{escape(made)}</p></div><span class="state {state}">{escape(words(STATES[state]))}</span></header>'
        f"{failed}{_results(lab, views, words)}{_curves(lab, views, words)}{_tables(lab, words)}</section>"
    )


def tone(init: str) -> str:
    """The same colour for an initialisation wherever it appears."""
    return f"c{(choices('init') or ()).index(init) + 1}"


def _results(lab: Lab, views: Mapping[str, RunView], words: Translator) -> str:
    tiles = ""
    for init in lab.inits:
        view = views.get(init)
        value = f"{view.best.val_accuracy:.1%}" if view and view.best else "–"
        if view is None:
            more = words("waits its turn")
        elif isinstance(view.ending, events.Failed) and not view.live:
            more = words("diverged") if view.ending.error == "DivergedError" else words(STATES["failed"])
        else:
            more = words(STATES[view.state])
        tiles += (
            f'<div class="{tone(init)}"><dt><i></i>{escape(words.value(init))}</dt>'
            f"<dd>{value}</dd><small>{escape(more)}</small></div>"
        )
    return f'<dl class="figures inits" aria-label="{escape(words("Validation accuracy"))}">{tiles}</dl>'


def _curves(lab: Lab, views: Mapping[str, RunView], words: Translator) -> str:
    if not any(view.progress for view in views.values()):
        return ""
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
        x_end=total,
        x_name=words("epochs"),
        legend=False,
        top=4.0,
    )
    accuracy = chart(
        words("Training accuracy"),
        over(lambda p: p.accuracy),
        x_end=total,
        x_name=words("epochs"),
        percent=True,
        legend=False,
    )
    return f'<div class="charts">{loss}{accuracy}</div>'


def _tables(lab: Lab, words: Translator) -> str:
    statistics = lab.statistics()
    if not statistics:
        return ""
    signal = _table(
        statistics,
        words("Signal before the first step"),
        words("standard deviation of each layer's output, its mean beneath: it should neither vanish nor explode"),
        words,
        _signal,
        lambda row: row.std,
    )
    gradient = _table(
        statistics,
        words("Gradient before the first step"),
        words("its norm in each layer: too small learns nothing, too large jumps"),
        words,
        lambda r: _number(r.gradient),
        lambda r: r.gradient,
    )
    return f'<div class="layer-tables">{signal}{gradient}</div>'


def _table(
    statistics: Mapping[str, list[LayerStatistics]],
    title: str,
    more: str,
    words: Translator,
    cell: Callable[[LayerStatistics], str],
    measure: Callable[[LayerStatistics], float | None],
) -> str:
    head = "".join(
        f'<th scope="col" class="{tone(init)}"><i></i>{escape(words.value(init))}</th>' for init in statistics
    )
    rows = ""
    for layers in zip(*statistics.values(), strict=True):
        cells = "".join(f'<td class="{_verdict(measure(row))}">{cell(row)}</td>' for row in layers)
        rows += f'<tr><th scope="row">{escape(layers[0].layer)}</th>{cells}</tr>'
    return (
        f'<div><p class="layer-head"><strong>{escape(title)}</strong>{escape(more)}</p>'
        f'<div class="layer-table"><table aria-label="{escape(title)}">'
        f'<thead><tr><th scope="col">{escape(words("layer"))}</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div>"
    )


def _verdict(value: float | None) -> str:
    if value is None or value > SOUND[1]:
        return "explodes"
    return "dies" if value < SOUND[0] else ""


def _signal(row: LayerStatistics) -> str:
    return f"{_number(row.std)}<small>{_number(row.mean)}</small>"


def _number(value: float | None) -> str:
    if value is None:
        return "∞"
    if value and not 1e-3 <= abs(value) < 999.5:
        power = math.floor(math.log10(abs(value)))
        return f"{value / 10**power:.1f}·10<sup>{power}</sup>".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")
