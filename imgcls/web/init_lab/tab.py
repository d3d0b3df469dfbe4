"""The Init lab tab: one network under several initialisations, what each layer starts with, and what each learns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from imgcls.recipes import with_recipe
from imgcls.runs import init_lab, queue
from imgcls.runs.state import LIVE
from imgcls.settings import choices
from imgcls.web.classroom.view import NAMED, REFRESH, QueueSlot
from imgcls.web.init_lab import lab_card
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, SILENT, confirm, guard, updates
from imgcls.web.shared.networks import buttons
from imgcls.web.shared.render import render
from imgcls.web.shared.results import show_result_of
from imgcls.web.train import live_cards, plan_card
from imgcls.web.train.live_card import WatchedCard

ALWAYS_SHOWN = ("dataset", "model")
FIELDS = ("epochs", "lr", "train_images", "seed")
TO_BEGIN_WITH = ("kaiming-uniform", "xavier-uniform", "all-zeros", "too-small", "too-large")
HIDDEN = gr.update(visible=False)
# The guesses are those of the INITS that are picked; one whose initialisation goes, goes with it.
GUESSES = f"""(picked, guess) => {{ const left = INITS.filter(([, name]) => picked.includes(name)); return \
guess && !picked.includes(guess) ? {updates(choices="left", value="null")} : {updates(choices="left")}; }}"""


class InitLabTab:
    def __init__(self, context: PageContext) -> None:
        self.context, self.translate, self.run_cache = context, context.translate, context.run_cache
        self.limits, self.people = context.limits, context.people
        self.workspace = context.run_cache.workspace

    # ---- what stands where

    def layout(self) -> None:
        with gr.Row(elem_classes="room lab"):
            with gr.Column(scale=4, min_width=320, elem_classes="card settings"):
                self._lay_out_form()
            with gr.Column(scale=8, min_width=320, elem_classes="card watching"):
                self._lay_out_comparison()
        self.outputs = [self.card, self.stop, self.delete]

    def _lay_out_form(self) -> None:
        translate, workspace, limits = self.translate, self.workspace, self.limits
        more = translate("The same network, data and seed; only the first weights differ. See what that does.")
        gr.HTML(render("title", translate, title=None, more=more), elem_classes="part-title")
        self.inits = gr.CheckboxGroup(
            [(translate.value(name), name) for name in choices("init") or ()],
            value=list(TO_BEGIN_WITH),
            label=translate.setting("init"),
            elem_id="lab-inits",
        )
        self.fields = settings_form.some(translate, workspace, limits, ALWAYS_SHOWN, prefix="lab")
        with gr.Row(elem_classes="fields"):
            self.fields |= settings_form.some(translate, workspace, limits, FIELDS, prefix="lab", values={"epochs": 2})
        self.values = list(self.fields.values())
        self.expected = gr.Radio(
            [(translate.value(name), name) for name in TO_BEGIN_WITH],
            value=None,
            label=translate("What do you expect: which one learns best?"),
            elem_id="lab-expected",
        )
        with gr.Column(elem_classes="start-bar"):
            self.start = gr.Button(translate("Compare"), variant="primary", elem_id="lab-start")

    def _lay_out_comparison(self) -> None:
        translate = self.translate
        if self.people.shared:
            QueueSlot()
        self.lab = Choice([], label=translate("Comparison"), elem_id="lab", allow_custom_value=True, visible=False)
        self.card = WatchedCard(lab_card.none(translate), elem_id="lab-card")
        with gr.Row(elem_classes="actions"):
            self.stop = gr.Button(translate("Stop and save"), elem_id="lab-stop", elem_classes="quiet", visible=False)
            self.delete = gr.Button(
                translate("Delete"), elem_id="lab-delete", elem_classes="quiet risky", visible=False
            )

    # ---- what follows what

    def wire(self) -> None:
        guarded = guard(self.translate)
        self._wire_guess()
        begun = self._wire_start(guarded)
        deleted = self._wire_comparison(guarded)
        self.context.load.add(self.from_address, [self.lab, self.inits, self.expected, *self.values, *self.outputs])
        address.follow_fields("lab-", {"inits": self.inits, "expected": self.expected, **self.fields})
        for event in (self.lab.input, begun.success, deleted.success):  # not the one that a plain visit shows
            event(None, self.lab, None, js=address.puts("lab"), **LOCAL)
        self._wire_fields()

    def _wire_guess(self) -> None:
        """The page's own: the guess that is clicked next is never answered for."""
        every = json.dumps([(self.translate.value(name), name) for name in choices("init") or ()])
        inputs = [self.inits, self.expected]
        self.inits.change(None, inputs, self.expected, js=GUESSES.replace("INITS", every), **LOCAL)

    def _wire_start(self, guarded: Callable[..., Any]) -> Any:
        begun = self.start.click(
            guarded(self.begin),
            [self.inits, *self.values],
            self.lab,
            js=NAMED if self.people.shared else None,
            api_visibility="private",
            show_progress="hidden",
        )
        for js in (REFRESH, show_result_of("#lab-start")):
            begun.success(None, None, None, js=js, api_visibility="private")
        self._refresh_after(begun.success)
        return begun

    def _wire_comparison(self, guarded: Callable[..., Any]) -> Any:
        """The comparison that is shown follows what is done with it and what happens elsewhere; its deletion."""
        stopped = self.stop.click(guarded(self.ask_stop), self.lab, None, **REPORT_ERRORS)
        self._show_after(stopped.then)
        sure = confirm(self.translate("Delete this comparison and its runs?"))
        deleted = self.delete.click(guarded(self.remove), self.lab, None, js=sure, **REPORT_ERRORS)
        self._refresh_after(deleted.success)
        self._show_after(self.lab.change)
        self._show_after(self.card.submit)
        self._refresh_after(self.context.changes.change)
        return deleted

    def _refresh_after(self, event: Callable[..., Any]) -> None:
        self._show_after(event(self.listed, self.lab, self.lab, **SILENT).then)

    def _show_after(self, event: Callable[..., Any]) -> None:
        event(self.show, [self.lab, self.expected], self.outputs, **SILENT)

    def _wire_fields(self) -> None:
        dataset, model = self.fields["dataset"], self.fields["model"]
        gr.on([dataset.input, model.input], self.fill, [dataset, model], self.fields["lr"], **SILENT)
        self.context.changes.change(self.list_datasets, None, dataset, **SILENT)
        self.context.load.add(lambda request: [self.list_datasets()], [dataset])

    # ---- what the page shows

    def show(self, request: gr.Request, name: str | None, guess: str | None = None) -> list[Any]:
        """The card of a comparison, and what can be done with it."""
        lab = next((lab for lab in init_lab.list_labs(self.workspace) if lab.name == name), None)
        if lab is None:
            return [lab_card.none(self.translate), HIDDEN, HIDDEN]
        state, visitor = lab.state(), self.people.visitor(request)
        card = live_cards.lab_look(self.run_cache, lab.name, self.translate, [guess] if guess else []) or {}
        can_stop = state in ("queued", "starting", "running") and visitor.may_stop(lab.read_state())
        return [
            card.get("html", ""),
            gr.update(visible=can_stop),
            gr.update(visible=state not in ("queued", *LIVE) and visitor.host),
        ]

    def listed(self, name: str | None) -> Any:
        """The comparisons that there are; the newest, where there is none of that name."""
        names = [lab.name for lab in init_lab.list_labs(self.workspace)]
        newest = {} if name in names else {"value": names[0] if names else None}
        return gr.update(choices=names, visible=bool(names), **newest)

    def list_datasets(self) -> Any:
        return gr.update(choices=settings_form.dataset_choices(self.translate, self.workspace))

    def from_address(self, request: gr.Request) -> list[Any]:
        """The comparison that a link names, with its card, and the settings for another one."""
        query = request.query_params
        picked = [name for name in choices("init") or () if name in query.get("lab-inits", "").split(",")]
        settings_named = self._settings_from(query)
        guess = address.chosen(query, "lab-expected", picked or TO_BEGIN_WITH)
        lab = {"value": query.get("lab"), **self.listed(query.get("lab"))}
        return [
            lab,
            picked or gr.skip(),
            guess or gr.skip(),
            *(settings_named.get(name, gr.skip()) for name in self.fields),
            *self.show(request, lab["value"], guess),
        ]

    def _settings_from(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The settings that a link names, without a data set or a network that is not offered here."""
        settings_named = address.settings(query, prefix="lab-")
        offered = {
            "dataset": settings_form.dataset_choices(self.translate, self.workspace),
            "model": buttons(self.translate),
        }
        for name, options in offered.items():
            if settings_named.get(name) not in [value for _, value in options]:
                settings_named.pop(name, None)
        if not settings_named:
            return {}
        rate = self.fill(settings_named.get("dataset", "mnist"), settings_named.get("model", "lenet"))
        return {"lr": rate, **settings_named}

    def fill(self, dataset: str, model: str) -> Any:
        """The learning rate that the recipe has for both."""
        return settings_form.defaults({"dataset": dataset, "model": model, "transfer": "scratch"})["lr"]

    # ---- what a person does

    def begin(self, request: gr.Request, picked: list[str], *values: Any) -> str:
        named = zip(self.fields, values, strict=True)
        settings = with_recipe({name: value for name, value in named if value is not None})
        owner = self.people.run_owner(request)
        seconds_of_one = plan_card.expected(settings, self.workspace) if self.people.shared else None
        expected = seconds_of_one and seconds_of_one * len(picked)
        name = self.limits.start_lab(settings, picked, self.workspace, owner=owner, expected=expected).name
        self.run_cache.forget(name)
        return name

    def ask_stop(self, request: gr.Request, name: str) -> None:
        visitor = self.people.visitor(request)
        queue.stop(init_lab.find_lab(name, self.workspace), visitor.owner, host=visitor.host)

    def remove(self, request: gr.Request, name: str) -> None:
        self.limits.may_delete(host=self.people.visitor(request).host)
        init_lab.delete_lab(init_lab.find_lab(name, self.workspace))
