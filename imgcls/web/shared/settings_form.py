"""The Train form, made from TrainSettings: a field for every setting, its label in the page's language.

Preset, data set and network stand open, all else folds away under one line: what is often changed first, then a tab a
group. Values go to TrainSettings as they are;
the form checks nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from imgcls.augmentations import COMBINATIONS
from imgcls.data.catalog import own_folders
from imgcls.data.registry import DATASETS, absent, is_builtin
from imgcls.errors import SettingsError
from imgcls.messages import N_
from imgcls.recipes import for_weights, recipe, usual_transfer
from imgcls.settings import TrainSettings, choices, settings_group
from imgcls.web.i18n.labels import GROUPS
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.disclosure import Disclosure
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.networks import MoreNetworks, NetworkButtons, buttons
from imgcls.workspace import Workspace, weight_files

ALWAYS_SHOWN = ("preset", "dataset", "model")
RECIPE_INPUTS = ("preset", "dataset", "model", "transfer")  # what the recipe depends on
RECIPE_FIELDS = (*RECIPE_INPUTS, "weights")  # what answers for other fields follow from
NOT_SET_BY_RECIPE = (*RECIPE_INPUTS, "name", "seed", "device", "threads", "time_limit")  # what a recipe does not touch
WHAT_LEARNS = ("transfer", "weights")
COMMON_SETTINGS = ("epochs", "lr", "batch_size", "optimizer", "augment", "init")
OFTEN_TAB = "often"
RATES = {"too-low": 1 / 500, "right": 1.0, "too-high": 200.0}  # of the recipe's learning rate, to see what each does
RATE_NAMES = {"too-low": N_("too low"), "right": N_("just right"), "too-high": N_("too high")}
SUMMED_UP = 3  # settings named in the fold's line
FIELDS = TrainSettings.model_fields


Field = gr.Dropdown | gr.Radio | gr.Checkbox | gr.Number | gr.Textbox


@dataclass
class Form:
    """`fields`: {setting: its component}. `networks`: the table of more of them. `fold` opens `folded`, in which lie
    all other settings; `find` lists them, `groups` has a tab a group. `rates`: learning rates to compare; `find_rate`
    looks for one until `stop_rate`, `found_rate` says how far it is and what it found."""

    fields: dict[str, Field]
    networks: MoreNetworks
    fold: Disclosure
    folded: gr.Column
    rates: gr.Radio
    find_rate: gr.Button
    stop_rate: gr.Button
    found_rate: gr.HTML
    find: gr.Dropdown
    groups: gr.Tabs


def build(translate: Translator, workspace: Workspace, limits: Limits) -> Form:
    """The form at the place where it is called."""
    built: dict[str, Field] = {}
    for name in ALWAYS_SHOWN:
        built[name] = _field(name, translate, workspace, limits)
    with gr.Accordion(translate("More networks"), open=False, elem_classes="more-networks"):
        networks = MoreNetworks(translate, elem_id="networks")
    fold = Disclosure(translate("Settings"), elem_id="settings-fold")
    with gr.Column(elem_classes="folded") as folded:
        find, tabs, rates = _folded_fields(built, translate, workspace, limits)
    return Form(built, networks, fold, folded, *rates, find, tabs)


def _folded_fields(
    built: dict[str, Field], translate: Translator, workspace: Workspace, limits: Limits
) -> tuple[gr.Dropdown, gr.Tabs, tuple[gr.Radio, gr.Button, gr.Button, gr.HTML]]:
    groups: dict[str, list[str]] = {OFTEN_TAB: [*WHAT_LEARNS, *COMMON_SETTINGS]}
    for name in FIELDS:
        often = name in (*ALWAYS_SHOWN, *groups[OFTEN_TAB])
        if not often and not (limits.public and name in ("device", "threads", "compile")):
            groups.setdefault(settings_group(name), []).append(name)
    listed = [(translate.setting(name), name) for names in groups.values() for name in names]
    with gr.Tabs(elem_classes="sources") as tabs:
        with gr.Tab(translate("Often changed"), id=OFTEN_TAB):
            with gr.Row(elem_classes="fields learns"):
                for name in WHAT_LEARNS:
                    built[name] = _field(name, translate, workspace, limits)
            with gr.Row(elem_classes="fields"):
                for name in COMMON_SETTINGS:
                    built[name] = _field(name, translate, workspace, limits)
                    if name == "lr":
                        rates = gr.Radio(
                            [(translate(RATE_NAMES[name]), name) for name in RATES],
                            value="right",
                            label=translate("Try a learning rate that is"),
                            elem_id="rates",
                        )
            with gr.Row(elem_classes="find-rate"):
                button = _quiet_button(translate("Find a learning rate"), "find-rate", 180, visible=not limits.public)
                stop = _quiet_button(translate("Stop"), "stop-rate", 80, visible=False)
                found = gr.HTML("", elem_id="found-rate")
        for group, names in list(groups.items())[1:]:
            with gr.Tab(translate(GROUPS[group]), id=group), gr.Row(elem_classes="fields"):
                for name in names:
                    built[name] = _field(name, translate, workspace, limits)
    find = gr.Dropdown(sorted(listed), value=None, label=translate("Find a setting"), elem_id="find-setting")
    return find, tabs, (rates, button, stop, found)


def _quiet_button(title: str, elem_id: str, min_width_px: int, *, visible: bool) -> gr.Button:
    return gr.Button(
        title, elem_id=elem_id, elem_classes="quiet", size="sm", scale=0, min_width=min_width_px, visible=visible
    )


def group_of(name: str) -> str:
    """The tab of `Form.groups` that a folded setting lies in."""
    return OFTEN_TAB if name in (*WHAT_LEARNS, *COMMON_SETTINGS) else settings_group(name)


def rate(kind: str, values: Mapping[str, Any]) -> float:
    """A learning rate that is too low, right or too high for what is chosen, to one figure."""
    usual = float(for_optimizer(values)["lr"])
    factor = RATES.get(kind, 1.0)
    return usual if factor == 1 else float(f"{usual * factor:.0e}")


def rate_choices(values: Mapping[str, Any], translate: Translator) -> list[tuple[str, str]]:
    return [(f"{translate(RATE_NAMES[kind])}\n{rate(kind, values):g}", kind) for kind in RATES]


def rate_kind(values: Mapping[str, Any]) -> str | None:
    """Which of the three the form has."""
    return next((kind for kind in RATES if values.get("lr") == rate(kind, values)), None)


def for_optimizer(values: Mapping[str, Any]) -> dict[str, Any]:
    """As `defaults`, with the rates of the optimizer that is chosen."""
    usual, optimizer = defaults(values), values.get("optimizer")
    if not optimizer or optimizer == usual["optimizer"]:
        return usual
    try:
        return usual | recipe(**{name: values[name] for name in RECIPE_INPUTS}, optimizer=str(optimizer))
    except SettingsError:
        return usual


def summary(values: Mapping[str, Any], translate: Translator) -> str:
    """The folded settings in a line: what is not the recipe's; epochs and learning rate where all is."""
    changed = [name for name in differing(values) if name not in (*ALWAYS_SHOWN, "name")]
    names = changed[:SUMMED_UP] or ["epochs", "lr"]
    changed_settings = [f"{translate.setting(name)} {_told(values.get(name), translate)}" for name in names]
    return " · ".join([*changed_settings, *(["…"] if len(changed) > SUMMED_UP else [])])


def _told(value: Any, translate: Translator) -> str:
    if isinstance(value, bool) or value is None:
        return "✓" if value else "–"
    return translate.value(value) if isinstance(value, str) else f"{value:g}"


def marks(names: Sequence[str], faulty: str, previous: str, sentence: str, translate: Translator) -> list[Any]:
    """Updates of the fields: `sentence` under the one that is `faulty`, its help again under the one that was."""
    return [
        gr.update(info=sentence, elem_classes=["wrong"])
        if name == faulty
        else gr.update(info=translate.help(name), elem_classes=[])
        if name == previous
        else gr.skip()
        for name in names
    ]


def some(
    translate: Translator,
    workspace: Workspace,
    limits: Limits,
    names: Sequence[str],
    *,
    prefix: str,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Field]:
    """A few of the fields, for another room: {setting: its component}."""
    return {name: _field(name, translate, workspace, limits, prefix=prefix, values=values or {}) for name in names}


def dataset_choices(translate: Translator, workspace: Workspace) -> list[tuple[str, str]]:
    """[(title, name)], those that are not here marked."""

    def title(name: str) -> str:
        title = translate.value(name)
        return translate("{name} · not here yet", name=title) if is_builtin(name) and absent(name, workspace) else title

    return [(title(name), name) for name in (*DATASETS, *own_folders(workspace))]


def weights_choices(workspace: Workspace) -> list[str]:
    return ["", "imagenet", *(path.name for path in weight_files(workspace.weight))]


def defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the recipe says for the chosen network, data, transfer and weights; the settings' own otherwise, and for
    those where nothing is chosen."""
    plain = {name: FIELDS[name].default for name in FIELDS}
    chosen = {name: values.get(name) or plain[name] for name in RECIPE_INPUTS}
    usual = {**plain, "preset": chosen["preset"], "transfer": usual_transfer(chosen["model"], chosen["dataset"])}
    try:
        usual |= recipe(**chosen)
    except SettingsError:  # no such network: the plan says so, and the form stays as it is
        return usual
    return usual if chosen["transfer"] == "scratch" else usual | for_weights(chosen["model"], values.get("weights"))


def differing(values: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be said in a terminal: everything that is not the recipe's."""
    usual = defaults(values)
    chosen = {name: values[name] or usual[name] for name in ("dataset", "model")}
    if values.get("preset") not in ("", None, FIELDS["preset"].default):
        chosen["preset"] = values["preset"]
    chosen |= {n: v for n, v in values.items() if n not in chosen and v != usual.get(n) and v not in ("", None)}
    optimizer = values.get("optimizer")
    if "optimizer" in chosen:  # then the recipe's rates are not what the terminal would take
        usual = {**usual, **recipe(**{n: values[n] for n in RECIPE_INPUTS}, optimizer=str(optimizer))}
        for name in ("lr", "weight_decay"):
            chosen.pop(name, None)
            if values.get(name) not in (None, usual.get(name)):
                chosen[name] = values[name]
    return chosen


def _field(
    name: str,
    translate: Translator,
    workspace: Workspace,
    limits: Limits,
    prefix: str = "field",
    values: Mapping[str, Any] | None = None,
) -> Field:
    info = FIELDS[name]
    start = defaults({"model": "lenet", "dataset": "mnist", "transfer": "scratch"}) | dict(values or {})
    shown: dict[str, Any] = {
        "label": translate.setting(name),
        "info": translate.help(name) if prefix == "field" and name not in ALWAYS_SHOWN else None,
        "value": start[name],
        "elem_id": f"{prefix}-{name}",
        "min_width": 140,
    }
    named = choices(name)
    # Both lists grow while the page is open; on one's own computer a path may be written too. What is chosen is
    # checked when it is used.
    if name == "dataset":
        return Choice(dataset_choices(translate, workspace), allow_custom_value=True, **shown)
    if name == "weights":
        visible = prefix != "field" or start["transfer"] != "scratch"
        return Choice(weights_choices(workspace), allow_custom_value=True, visible=visible, **shown)
    if name == "transfer" and prefix == "field":
        return gr.Radio([(translate.value(value), value) for value in named or ()], **shown)
    if name == "preset":
        return gr.Radio([(translate.value(value), value) for value in named or ()], **shown)
    if name == "model":
        return NetworkButtons(buttons(translate), **shown)
    if name == "augment":  # others can be combined and typed
        offered = [(translate.value(value), value) for value in (*(named or ()), *COMBINATIONS)]
        return Choice(offered, allow_custom_value=True, **shown)
    if named:
        return gr.Dropdown([(translate.value(value), value) for value in named or ()], **shown)
    if info.annotation is bool:
        return gr.Checkbox(**shown)
    if info.annotation in (int, float):
        return gr.Number(**shown)  # as it was typed: whether it may be is for TrainSettings to say
    return gr.Textbox(max_lines=1, max_length=200, **shown)
