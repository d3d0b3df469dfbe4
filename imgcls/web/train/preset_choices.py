"""The presets by name, each with the accuracy to be expected of it and about how long it takes on this machine.

Both are those of the last run here that went as the preset says, where there is one; otherwise the time is that of a
few timed steps, and the accuracy one that was measured elsewhere, or left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imgcls.errors import ImgclsError
from imgcls.presets import MEASURED
from imgcls.recipes import with_recipe
from imgcls.runs.reader import RunView
from imgcls.settings import TrainSettings, choices
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.accuracy import share
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.train import plan_card

PRESET_INPUTS = ("dataset", "model", "transfer", "weights")
# What two runs of one preset may differ in.
BESIDE = {"name", "seed", "device", "precision", "threads", "compile", "keep_epochs", "time_limit", "preset"}


def preset_choices(
    values: Mapping[str, Any], run_cache: RunCache, limits: Limits, translate: Translator, *, ask: bool
) -> tuple[list[tuple[str, str]], bool]:
    """([(label, preset)], whether a time is still being measured). `ask`: have steps timed that have not been."""
    made = [(_label(preset, values, run_cache, limits, translate, ask), preset) for preset in choices("preset") or ()]
    return [(label, preset) for (label, _), preset in made], any(pending for (_, pending), _ in made)


def _label(
    preset: str, values: Mapping[str, Any], run_cache: RunCache, limits: Limits, translate: Translator, ask: bool
) -> tuple[str, bool]:
    said = {name: values[name] for name in PRESET_INPUTS if values.get(name)}
    try:
        limits.check_name(*map(str, said.values()))
        settings = with_recipe({**said, "preset": preset})
        if limits.public:
            limits.check_settings(settings)
        if ask:
            seconds, pending = plan_card.asked(settings, run_cache.workspace)
        else:
            seconds, pending = plan_card.expected(settings, run_cache.workspace), False
    except ImgclsError:  # the plan says what is wrong
        return translate.value(preset), False
    accuracy = MEASURED.get((preset, settings.model, settings.dataset)) if settings.transfer == "scratch" else None
    shown = None if accuracy is None else f"{accuracy:.1%}"
    before = _last(settings, run_cache)
    if before is not None and before.best is not None and before.started is not None:
        seconds, shown = before.trained, share(before.best.val_accuracy, before.started.images["val"])
        pending = False
    if seconds is None:
        return "\n".join(filter(None, [translate.value(preset), shown])), pending
    time = translate("about {time}", time=translate.estimate(seconds))
    return f"{translate.value(preset)}\n" + " · ".join(filter(None, [shown, time])), pending


def _last(settings: TrainSettings, run_cache: RunCache) -> RunView | None:
    """The newest finished run that went by these settings."""
    wanted = settings.model_dump(exclude=BESIDE)
    for run in run_cache.runs():
        view = run_cache.view(run.name)
        if view and view.state == "finished" and view.settings and view.settings.model_dump(exclude=BESIDE) == wanted:
            return view
    return None
