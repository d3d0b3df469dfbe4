"""An initialisation lab: curves over each other, and what every layer starts with, as pictures and as sentences.

Knows labs and views of runs, not how they are started.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from imgcls.runs.init_lab import Lab
from imgcls.runs.reader import RunView
from imgcls.settings import choices
from imgcls.web.i18n.labels import STATES
from imgcls.web.i18n.translator import Translator
from imgcls.web.init_lab import layer_lessons
from imgcls.web.shared import accuracy
from imgcls.web.shared.curves import Series, chart
from imgcls.web.shared.render import render
from imgcls.web.train.run_card import diverged, trained


def none(translate: Translator) -> Markup:
    return render("no_lab", translate)


def card(
    lab: Lab, state: str, views: Mapping[str, RunView], translate: Translator, *, expected: str = "", look: str = ""
) -> Markup:
    """`expected`: the initialisation that whoever asked thought would learn best; `look`: as live_cards.py makes it."""
    failure = lab.failure()
    statistics = lab.statistics()
    return render(
        "lab_card",
        translate,
        lab=lab,
        look=look,
        state=state,
        state_said=translate(STATES[state]),
        made=f"{translate.value(lab.settings.model)} · {translate.value(lab.settings.dataset)}",
        failed=translate.message(failure) if failure else None,
        results=[_result(init, views.get(init), translate) for init in lab.inits],
        charts=_curves(lab, views, translate),
        band=layer_lessons.sound_band(),
        lessons=[
            {
                "init": init,
                "tone": tone(init),
                "name": translate.value(init),
                "rule": translate(layer_lessons.RULES[init]),
                "said": layer_lessons.lesson(rows, translate),
                "moves": layer_lessons.movement(rows, translate),
                "layers": layer_lessons.layers(rows),
                "steps": max(len(row.updates) for row in rows),
            }
            for init, rows in statistics.items()
            if rows and init in layer_lessons.RULES
        ],
        answer=_answer(expected, state, views, translate),
    )


def _answer(expected: str, state: str, views: Mapping[str, RunView], translate: Translator) -> str | None:
    """Whether what was expected came true, once it is known."""
    best = {init: view.best.val_loss for init, view in views.items() if view.best}
    if state != "finished" or not best or expected not in views:
        return None
    first = min(best, key=best.__getitem__)
    if first == expected:
        return translate("As you expected, {init} learnt best.", init=translate.value(first))
    return translate(
        "You expected {expected}, and {init} learnt best: its pictures below say why.",
        expected=translate.value(expected),
        init=translate.value(first),
    )


def tone(init: str) -> str:
    """The same colour for an initialisation wherever it appears."""
    return f"c{(choices('init') or ()).index(init) + 1}"


def _result(init: str, view: RunView | None, translate: Translator) -> tuple[str, str, str, str]:
    """(tone, initialisation, best validation accuracy, how it is going)."""
    images = view.started.images.get("val", 0) if view and view.started else 0
    value = accuracy.share(view.best.val_accuracy, images) if view and view.best else "–"
    if view is None:
        more = translate("waits its turn")
    elif diverged(view):
        more = translate("diverged")
    else:
        more = translate(STATES[view.state])
    return tone(init), translate.value(init), value, more


def _curves(lab: Lab, views: Mapping[str, RunView], translate: Translator) -> list[Markup]:
    if not any(view.progress for view in views.values()):
        return []
    total = lab.settings.epochs
    named = {init: translate.value(init) for init in views}

    def over(measure: str) -> list[Series]:
        return [
            Series(named[init], trained(view, measure), "line", tone(init), broke=measure == "loss" and diverged(view))
            for init, view in views.items()
        ]

    loss = chart(
        translate("Training loss"),
        over("loss"),
        translate,
        x_end=total,
        x_name=translate("epochs"),
        legend=False,
        top=4.0,
    )
    accuracy = chart(
        translate("Training accuracy"),
        over("accuracy"),
        translate,
        x_end=total,
        x_name=translate("epochs"),
        percent=True,
        legend=False,
    )
    return [loss, accuracy]
