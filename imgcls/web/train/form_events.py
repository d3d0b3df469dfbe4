"""The Train form while it is filled in: fields that follow the recipe, what would learn and how long it would take,
what is wrong, and the command that says the same.

Whatever changes, the form asks once and gets one answer: the values that the recipe has for a newly chosen data set,
network, preset or transfer, the sentence at a field that is wrong, the command. What a person changes meanwhile stays
(shared/choices.js) and is asked about next.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import gradio as gr

from imgcls.data.registry import kind_of
from imgcls.errors import SettingsError
from imgcls.recipes import usual_network, usual_transfer
from imgcls.runs.launcher import keep_worker_warm
from imgcls.settings import TrainSettings, command_line
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, SILENT, updates
from imgcls.web.shared.fetch_dataset import FetchView
from imgcls.web.shared.networks import buttons
from imgcls.web.train import plan_card
from imgcls.web.train.form_state import ANSWERED, CHANGED, FormState, form_state
from imgcls.web.train.preset_choices import preset_choices
from imgcls.web.train.rate_finder import RateFinder

PENDING_POLL_S = 4.0  # between two looks at an estimate that is being measured
FOCUS = "name => setTimeout(() => document.querySelector(`#field-${CSS.escape(name)} input`)?.focus(), 200)"


class FormEvents:
    """wrong: the setting that has a sentence under it."""

    def __init__(
        self,
        context: PageContext,
        form: settings_form.Form,
        missing: FetchView,
        *,
        plan: gr.HTML,
        command: gr.HTML,
        wrong: gr.State,
    ) -> None:
        self.context, self.translate, self.form, self.missing = context, context.translate, form, missing
        self.workspace = context.run_cache.workspace
        self.plan, self.command, self.wrong = plan, command, wrong
        built = {name: field.value for name, field in form.fields.items()}
        self.state = FormState(built, elem_id="form-state")
        self.names, self.values = list(form.fields), list(form.fields.values())

    def wire(self, tab: gr.Tab) -> None:
        page, changes, fields = self.context.page, self.context.changes, self.form.fields
        lists = [fields["dataset"], fields["weights"]]
        gr.on([changes.change, self.missing.submit], self.lists, None, lists, **SILENT)
        self.context.load.add(self.opened, [self.state, *self.values])
        gr.on([field.change for field in self.values], None, None, None, js=CHANGED, **LOCAL)
        gr.on([page.load, self.missing.submit], None, None, None, js=CHANGED, **LOCAL)
        answer = self.state.submit(
            self.answered,
            [self.state, self.wrong, *self.values],
            [self.state, self.command, self.wrong, self.form.fold, self.form.rates, *self.values],
            **SILENT,
        )
        answer.then(None, self.command, None, js=address.puts_settings(self.names), **LOCAL)
        for end in (answer.then, answer.failure):
            end(None, None, None, js=ANSWERED, **LOCAL)
        self.wire_estimates(tab, answer)
        RateFinder(self.context, self.form).wire()
        self.wire_local()

    def wire_estimates(self, tab: gr.Tab, answer: Any) -> None:
        """What is shown beside the form: the plan, and what to expect of each preset."""
        changes, fields = self.context.changes, self.form.fields
        timing, measuring = gr.Timer(PENDING_POLL_S, active=False), gr.Timer(PENDING_POLL_S, active=False)
        planned, looked = [self.plan, fields["transfer"], timing], gr.State(False)
        looks = tab.select(lambda: True, None, looked, **SILENT)  # whoever only draws has nothing measured
        for event in (timing.tick, answer.then, looks.then):
            event(self.planned, [looked, *self.values], planned, **SILENT)
        changes.change(self.presets_known, self.values, fields["preset"], **SILENT)
        deciding = [fields[name].change for name in ("dataset", "model", "transfer", "weights")]
        gr.on(
            [tab.select, measuring.tick, *deciding],
            self.presets_asked,
            self.values,
            [fields["preset"], measuring],
            **SILENT,
        )

    def wire_local(self) -> None:
        fields, networks, find = self.form.fields, self.form.networks, self.form.find
        self.form.rates.input(self.rate_chosen, [self.form.rates, *self.values], fields["lr"], **SILENT)
        fields["dataset"].change(None, fields["dataset"], self.missing, js="name => name", **LOCAL)
        networks.submit(None, networks, fields["model"], js="name => name", **LOCAL)
        groups = json.dumps({name: settings_form.group_of(name) for name in self.names})
        opens = f"name => name ? {updates(selected=f'({groups})[name]')} : []"
        find.input(None, find, self.form.groups, js=opens, **LOCAL)
        find.input(None, find, None, js=FOCUS, **LOCAL)

    def lists(self) -> list[Any]:
        """What has come into data/ and weight/ since the page was built."""
        return [
            gr.update(choices=settings_form.dataset_choices(self.translate, self.workspace)),
            gr.update(choices=settings_form.weights_choices(self.workspace)),
        ]

    def opened(self, request: gr.Request) -> list[Any]:
        """The settings that a link carries, over the recipe for its network, data and transfer, what there is, and what
        to expect of each preset."""
        linked = address.settings(request.query_params)
        values: dict[str, Any] = {}
        if linked:
            dataset = linked.get("dataset", "mnist")
            linked.setdefault("model", usual_network(dataset))
            linked.setdefault("transfer", usual_transfer(linked["model"], dataset))
            values = settings_form.defaults({"dataset": dataset, **linked}) | linked
        field_updates = {name: {"value": values[name]} for name in self.names if name in values}
        for name, listed in zip(("dataset", "weights"), self.lists(), strict=True):
            field_updates[name] = {"choices": listed["choices"], **field_updates.get(name, {})}
        if values:
            field_updates["model"]["choices"] = buttons(self.translate, values["model"])
            field_updates["weights"]["visible"] = values["transfer"] != "scratch"
        shown = {name: field.value for name, field in self.form.fields.items()} | values
        presets, _ = preset_choices(shown, self.context.run_cache, self.context.limits, self.translate, ask=False)
        field_updates["preset"] = {"choices": presets, **field_updates.get("preset", {})}
        state = form_state(values) if values else gr.skip()
        return [
            state,
            *(gr.update(**field_updates[name]) if name in field_updates else gr.skip() for name in self.names),
        ]

    def by_recipe(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe for the chosen network, data and transfer; name, hardware and seed stay."""
        usual = settings_form.defaults(settings)
        if settings["transfer"] == "scratch":
            usual["weights"] = ""
        elif settings["weights"]:
            usual["weights"] = settings["weights"]
        return {name: value for name, value in usual.items() if name not in settings_form.NOT_SET_BY_RECIPE}

    def for_dataset(self, settings: Mapping[str, Any], chosen: Collection[str] = ()) -> dict[str, Any]:
        """As `by_recipe`, with the network and what of it learns that the data call for, unless they are `chosen`."""
        model, dataset = settings["model"], settings["dataset"]
        if "model" not in chosen and (kind_of(dataset) == "photos" or model == usual_network("photos")):
            model = usual_network(dataset)
        transfer = settings["transfer"] if "transfer" in chosen else usual_transfer(model, dataset)
        fitting = {"model": model, "transfer": transfer}
        weights = settings["weights"] if "weights" in chosen else ""
        return self.by_recipe({**settings, **fitting, "weights": weights}) | fitting

    def follow(self, before: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        """What other fields become, now that the form says this and the last answer was about `before`."""
        changed = {name for name in settings_form.RECIPE_FIELDS if before and before.get(name) != settings[name]}
        if "dataset" in changed:
            return self.for_dataset(settings, changed)
        if changed & set(settings_form.RECIPE_INPUTS):
            return self.by_recipe(settings)
        if changed:
            return {"image_size": settings_form.defaults(settings)["image_size"]}
        return {}

    def answered(self, before: dict[str, Any], wrong: str, *values: Any) -> list[Any]:
        """What the recipe was asked about, the command, which field is wrong, the folded settings in a line, the rates
        to compare, and every field that is to change."""
        entered = dict(zip(self.names, values, strict=True))
        followed = {**entered, **self.follow(before, entered)}
        settings = {name: followed[name] for name in self.names}
        at, sentence = "", ""
        try:
            TrainSettings.checked(settings)
        except SettingsError as error:
            at, sentence = error.field or "", self.translate.message(error.message)
        marks = settings_form.marks(self.names, at, wrong, sentence, self.translate)
        field_updates = {name: dict(mark) for name, mark in zip(self.names, marks, strict=True)}
        for name in self.names:
            if settings[name] != entered[name]:
                field_updates[name]["value"] = settings[name]
        if before.get("model") != settings["model"]:  # one from the table has a button, too
            field_updates["model"]["choices"] = buttons(self.translate, settings["model"])
        if before.get("transfer") != settings["transfer"]:
            field_updates["weights"]["visible"] = settings["transfer"] != "scratch"
        differing = settings_form.differing(settings)
        shown = plan_card.terminal(command_line(differing), address.query(differing), self.translate)
        rates = gr.update(
            choices=settings_form.rate_choices(settings, self.translate), value=settings_form.rate_kind(settings)
        )
        summary = settings_form.summary(settings, self.translate)
        return [form_state(settings), shown, at, summary, rates, *field_updates.values()]

    def rate_chosen(self, kind: str, *values: Any) -> float:
        return settings_form.rate(kind, dict(zip(self.names, values, strict=True)))

    def filled(self, settings: Mapping[str, Any]) -> list[Any]:
        """All values at once, for other rooms: the form's state and each field's value."""
        return [form_state(settings), *(settings[name] for name in self.names)]

    def train_on(self, dataset: str, *values: Any) -> list[Any]:
        """The form for another data set: `filled`."""
        settings = {**dict(zip(self.names, values, strict=True)), "dataset": dataset}
        return self.filled({**settings, **self.for_dataset(settings)})

    def planned(self, looked: bool, *values: Any) -> tuple[str, Any, gr.Timer]:
        """Which layers would learn, how many parameters, and about how long, as HTML, and for photos the same of each
        mode of transfer. `looked`: somebody has opened the tab, so the time is measured, and comes later; when it is
        there, a process stands by for Start."""
        settings = dict(zip(self.names, values, strict=True))
        lab = (self.workspace, self.context.limits, self.translate)
        modes, waiting = plan_card.modes(settings, *lab, measure=looked)
        card, pending = plan_card.card(settings, *lab, measure=looked)
        if looked and not pending:
            keep_worker_warm()
        return card, gr.update(choices=modes), gr.Timer(active=pending or waiting)

    def presets_known(self, *values: Any) -> Any:
        """What to expect of each preset, as far as it is known."""
        settings = dict(zip(self.names, values, strict=True))
        return gr.update(
            choices=preset_choices(settings, self.context.run_cache, self.context.limits, self.translate, ask=False)[0]
        )

    def presets_asked(self, *values: Any) -> list[Any]:
        """The same, and what is not known is measured: somebody looks at the form."""
        settings = dict(zip(self.names, values, strict=True))
        presets, pending = preset_choices(
            settings, self.context.run_cache, self.context.limits, self.translate, ask=True
        )
        return [gr.update(choices=presets), gr.Timer(active=pending)]
