"""The Train form, made from TrainSettings: a field for every setting, its label in the page's language.

The settings most people touch stand open, the others fold away in groups. Values go to TrainSettings as they are;
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
from imgcls.recipes import for_weights, recipe, usual_transfer
from imgcls.settings import TrainSettings, choices, settings_group
from imgcls.web.i18n.labels import GROUPS
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.networks import MoreNetworks, NetworkButtons, buttons
from imgcls.workspace import Workspace, weight_files

FIRST = ("preset", "dataset", "model")
CHOOSE = ("preset", "dataset", "model", "transfer")  # what the recipe depends on
RECIPE_FIELDS = (*CHOOSE, "weights")  # what answers for other fields follow from
KEPT = (*CHOOSE, "name", "seed", "device", "threads", "time_limit")  # what a recipe does not touch
# What decides which layers learn and how long it takes.
DECIDE = (
    "dataset",
    "model",
    "transfer",
    "weights",
    "epochs",
    "batch_size",
    "image_size",
    "augment",
    "augment_views",
    "train_images",
    "val_split",
    "precision",
)
WHAT_LEARNS = ("transfer", "weights")
OPEN = ("epochs", "lr", "batch_size", "optimizer", "augment", "init")
FIELDS = TrainSettings.model_fields


Field = gr.Dropdown | gr.Radio | gr.Checkbox | gr.Number | gr.Textbox


@dataclass
class Form:
    """`fields`: {setting: its component}. `networks`: the table of more of them. `find` lists the folded settings,
    which lie in `groups`, a tab a group."""

    fields: dict[str, Field]
    networks: MoreNetworks
    find: gr.Dropdown
    groups: gr.Tabs


def build(words: Translator, workspace: Workspace, limits: Limits) -> Form:
    """The form at the place where it is called."""
    made: dict[str, Field] = {}
    for name in FIRST:
        made[name] = _field(name, words, workspace, limits)
    with gr.Accordion(words("More networks"), open=False, elem_classes="more-networks"):
        networks = MoreNetworks(words, elem_id="networks")
    with gr.Row(elem_classes="fields learns"):
        for name in WHAT_LEARNS:
            made[name] = _field(name, words, workspace, limits)
    with gr.Row(elem_classes="fields"):
        for name in OPEN:
            made[name] = _field(name, words, workspace, limits)
    groups: dict[str, list[str]] = {}
    for name in FIELDS:
        if name not in made and not (limits.public and name in ("device", "threads", "compile")):
            groups.setdefault(settings_group(name), []).append(name)
    with gr.Accordion(words("More settings"), open=False, elem_classes="more"):
        folded = [(words.setting(name), name) for names in groups.values() for name in names]
        find = gr.Dropdown(sorted(folded), value=None, label=words("Find a setting"), elem_id="find-setting")
        with gr.Tabs(elem_classes="sources") as tabs:
            for group, names in groups.items():
                with gr.Tab(words(GROUPS[group]), id=group), gr.Row(elem_classes="fields"):
                    for name in names:
                        made[name] = _field(name, words, workspace, limits)
    return Form(made, networks, find, tabs)


def group_of(name: str) -> str:
    """The tab of `Form.groups` that a folded setting lies in."""
    return settings_group(name)


def marks(names: Sequence[str], wrong: str, before: str, sentence: str, words: Translator) -> list[Any]:
    """Updates of the fields: `sentence` under the one that is `wrong`, its help again under the one that was."""
    return [
        gr.update(info=sentence, elem_classes=["wrong"])
        if name == wrong
        else gr.update(info=words.help(name), elem_classes=[])
        if name == before
        else gr.skip()
        for name in names
    ]


def some(
    words: Translator,
    workspace: Workspace,
    limits: Limits,
    names: Sequence[str],
    *,
    prefix: str,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Field]:
    """A few of the fields, for another room: {setting: its component}."""
    return {name: _field(name, words, workspace, limits, prefix=prefix, values=values or {}) for name in names}


def dataset_choices(words: Translator, workspace: Workspace) -> list[tuple[str, str]]:
    """[(title, name)], those that are not here marked."""

    def title(name: str) -> str:
        said = words.value(name)
        return words("{name} · not here yet", name=said) if is_builtin(name) and absent(name, workspace) else said

    return [(title(name), name) for name in (*DATASETS, *own_folders(workspace))]


def weights_choices(workspace: Workspace) -> list[str]:
    return ["", "imagenet", *(path.name for path in weight_files(workspace.weight))]


def defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the recipe says for the chosen network, data, transfer and weights; the settings' own otherwise, and for
    those where nothing is chosen."""
    plain = {name: FIELDS[name].default for name in FIELDS}
    said = {name: values.get(name) or plain[name] for name in CHOOSE}
    usual = {**plain, "preset": said["preset"], "transfer": usual_transfer(said["model"], said["dataset"])}
    try:
        usual |= recipe(**said)
    except SettingsError:  # no such network: the plan says so, and the form stays as it is
        return usual
    return usual if said["transfer"] == "scratch" else usual | for_weights(said["model"], values.get("weights"))


def differing(values: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be said in a terminal: everything that is not the recipe's."""
    usual = defaults(values)
    said = {name: values[name] or usual[name] for name in ("dataset", "model")}
    if values.get("preset") not in ("", None, FIELDS["preset"].default):
        said["preset"] = values["preset"]
    said |= {n: v for n, v in values.items() if n not in said and v != usual.get(n) and v not in ("", None)}
    optimizer = values.get("optimizer")
    if "optimizer" in said:  # then the recipe's rates are not what the terminal would take
        usual = {**usual, **recipe(**{n: values[n] for n in CHOOSE}, optimizer=str(optimizer))}
        for name in ("lr", "weight_decay"):
            said.pop(name, None)
            if values.get(name) not in (None, usual.get(name)):
                said[name] = values[name]
    return said


def _field(
    name: str,
    words: Translator,
    workspace: Workspace,
    limits: Limits,
    prefix: str = "field",
    values: Mapping[str, Any] | None = None,
) -> Field:
    info = FIELDS[name]
    start = defaults({"model": "lenet", "dataset": "mnist", "transfer": "scratch"}) | dict(values or {})
    shown: dict[str, Any] = {
        "label": words.setting(name),
        "info": words.help(name) if prefix == "field" and name not in FIRST else None,
        "value": start[name],
        "elem_id": f"{prefix}-{name}",
        "min_width": 140,
    }
    named = choices(name)
    # Both lists grow while the page is open; on one's own computer a path may be written too. What is chosen is
    # checked when it is used.
    if name == "dataset":
        return Choice(dataset_choices(words, workspace), allow_custom_value=True, **shown)
    if name == "weights":
        seen = prefix != "field" or start["transfer"] != "scratch"
        return Choice(weights_choices(workspace), allow_custom_value=True, visible=seen, **shown)
    if name == "transfer" and prefix == "field":
        return gr.Radio([(words.value(value), value) for value in named or ()], **shown)
    if name == "preset":
        return gr.Radio([(words.value(value), value) for value in named or ()], **shown)
    if name == "model":
        return NetworkButtons(buttons(words), **shown)
    if name == "augment":  # others can be combined and typed
        offered = [(words.value(value), value) for value in (*(named or ()), *COMBINATIONS)]
        return Choice(offered, allow_custom_value=True, **shown)
    if named:
        return gr.Dropdown([(words.value(value), value) for value in named or ()], **shown)
    if info.annotation is bool:
        return gr.Checkbox(**shown)
    if info.annotation in (int, float):
        return gr.Number(**shown)  # as it was typed: whether it may be is for TrainSettings to say
    return gr.Textbox(max_lines=1, max_length=200, **shown)
