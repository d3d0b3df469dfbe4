"""What a run would be, under the form: which layers learn, how many parameters, about how long, by which command.

Knows plans, not how they are made.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgcls.data.registry import kind_of, to_fetch
from imgcls.errors import ImgclsError
from imgcls.messages import N_
from imgcls.models.registry import model_spec, network_options
from imgcls.recipes import for_weights, preprocess_for, recipe
from imgcls.settings import TrainSettings, choices
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.render import render
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.training.background_estimate import BackgroundEstimates

MODES = {
    "scratch": N_("All {trainable:,} weights learn, from scratch."),
    "head": N_("Only the last layer (head) learns: {trainable:,} of {parameters:,} weights."),
    "finetune": N_("Every layer learns on from what it knows: {trainable:,} of {parameters:,} weights."),
}
LAYERS = 6  # named; the rest are counted


_of_workspace: dict[Workspace, BackgroundEstimates] = {}
_one_at_a_time = threading.Lock()


def _estimates(workspace: Workspace) -> BackgroundEstimates:
    """One for all pages: thirty students with one form ask for one measurement. `functools.cache` would make one for
    each of those who come first at the same time."""
    from imgcls.training.background_estimate import BackgroundEstimates

    with _one_at_a_time:
        if workspace not in _of_workspace:
            _of_workspace[workspace] = BackgroundEstimates(workspace)
        return _of_workspace[workspace]


def card(
    values: Mapping[str, Any], workspace: Workspace, limits: Limits, translate: Translator, *, measure: bool = True
) -> tuple[str | Markup, bool]:
    """(HTML, whether the time is still being measured: ask again). Where a field is wrong, or a data set or weights
    are missing, the sentence that says so. `measure`: have a step timed that has not been."""
    try:
        settings = TrainSettings.checked(dict(values))
        if to_fetch(settings.dataset, workspace):
            return "", False  # shared/fetch_dataset.py says so
        if limits.public:
            limits.check_settings(settings)
        model_spec(settings.model).check(
            preprocess_for(settings).size, transfer=settings.transfer, options=network_options(settings)
        )
        estimate = _estimates(workspace)(settings, measure=measure)
    except ImgclsError as error:
        return render("plan_card", translate, problem=translate.message(error.message)), False
    shown = render(
        "plan_card",
        translate,
        problem=None,
        learns=translate(MODES[estimate.mode], trainable=estimate.trainable, parameters=estimate.parameters),
        layers=", ".join(estimate.layers[:LAYERS]) + (" …" if len(estimate.layers) > LAYERS else ""),
        time=translate.estimate(estimate.seconds) if estimate.seconds is not None else None,
        notes=[translate.message(note) for note in estimate.notes],
    )
    return shown, estimate.pending


def modes(
    values: Mapping[str, Any], workspace: Workspace, limits: Limits, translate: Translator, *, measure: bool = True
) -> tuple[list[tuple[str, str]], bool]:
    """(the choices of what learns, whether a time is still being measured). For photos each says beside its name how
    many parameters learn and how long that takes: the chosen one as the form has it, the others by their recipe."""
    chosen = values.get("transfer")
    plain = [(translate.value(mode), mode) for mode in choices("transfer") or ()]
    if kind_of(str(values.get("dataset") or "")) != "photos":
        return plain, False
    costs, pending = {}, False
    for mode in sorted((mode for _, mode in plain), key=lambda mode: mode != chosen):  # that one's time first
        try:
            limits.check_name(str(values.get("dataset") or ""), str(values.get("weights") or ""))
            settings = TrainSettings.checked(values if mode == chosen else _by_recipe(values, mode))
            if limits.public:
                limits.check_settings(settings)
            model_spec(settings.model).check(preprocess_for(settings).size, transfer=mode)
            estimate = _estimates(workspace)(settings, beside=mode != chosen, measure=measure)
        except ImgclsError:
            continue  # what is wrong is told below the form
        count = _short(estimate.trainable)
        costs[mode] = translate("{count} weights", count=count)
        if estimate.seconds is not None:
            costs[mode] = translate(
                "{count} weights, about {time}", count=count, time=translate.estimate(estimate.seconds)
            )
        pending = pending or estimate.pending
    return [(f"{name}\n{costs[mode]}" if mode in costs else name, mode) for name, mode in plain], pending


def _short(count: int) -> str:
    return f"{count:,}" if count < 100_000 else f"{count / 1e6:.1f} M"


def _by_recipe(values: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """The form as it would be with another mode chosen; see `by_recipe` in form_events.py."""
    model, dataset = str(values.get("model")), str(values.get("dataset"))
    usual = recipe(model, dataset, mode, preset=str(values.get("preset") or "standard"))
    weights = (values.get("weights") or usual.get("weights", "")) if mode != "scratch" else ""
    if mode != "scratch":
        usual |= for_weights(model, weights)
    return {**values, **usual, "transfer": mode, "weights": weights}


def run_begins(workspace: Workspace) -> None:
    """Nothing is measured beside its first seconds."""
    _estimates(workspace).pause()


def expected(settings: TrainSettings, workspace: Workspace) -> float | None:
    """Seconds that a run will take, where the form has shown it; for those who wait behind it."""
    return _estimates(workspace).known(settings)


def asked(settings: TrainSettings, workspace: Workspace) -> tuple[float | None, bool]:
    """(seconds that a run will take, whether they are still being measured: ask again). What is chosen is timed before.
    Raises ImgclsError where data, weights or device are not to be had."""
    estimate = _estimates(workspace)(settings, beside=True)
    return estimate.seconds, estimate.pending


def terminal(command: str, query: str, translate: Translator) -> Markup:
    """The command that would do what the form says; `query` says the same in the page's address."""
    return render("terminal", translate, command=command, query=query)
