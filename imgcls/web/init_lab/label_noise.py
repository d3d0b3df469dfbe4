"""A lesson beside the Init lab: labels that are wrong on purpose are learnt by heart, and an audit finds them. Its run
stays beside the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from imgcls.recipes import with_recipe
from imgcls.runs.reader import RunView
from imgcls.settings import TrainSettings
from imgcls.web.classroom.view import NAMED, REFRESH
from imgcls.web.data.audit import AuditView, request
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, SILENT, guard
from imgcls.web.shared.render import render
from imgcls.web.shared.results import show_result_of
from imgcls.web.train import live_cards, plan_card
from imgcls.web.train.live_card import WatchedCard

FOUND_BY = ("dataset", "flip_labels", "train_images")  # the labels that are wrong
FIELDS = (*FOUND_BY, "epochs")
# Measured with LeNet on MNIST: training accuracy ends at 1.0, validation accuracy falls from .87 (epoch 4) to .75.
TO_BEGIN_WITH = {"flip_labels": 0.3, "train_images": 2000, "epochs": 30}
MAIN: dict[str, Any] = {"variant": "primary", "elem_classes": []}
QUIET_BUTTON: dict[str, Any] = {"variant": "secondary", "elem_classes": ["quiet"]}


class WrongLabels:
    def __init__(self, context: PageContext) -> None:
        self.context, self.translate, self.limits, self.people = (
            context,
            context.translate,
            context.limits,
            context.people,
        )
        self.run_cache, self.workspace = context.run_cache, context.run_cache.workspace

    def layout(self) -> None:
        translate = self.translate
        more = translate(
            "Some labels are wrong on purpose. The network ends up knowing them by heart: training accuracy goes on "
            "rising while validation accuracy turns and falls. Where it turns, stopping would have been best. Networks "
            "that never saw a label can point out which labels look wrong."
        )
        with gr.Row(elem_classes="room lab"):
            with gr.Column(scale=4, min_width=320, elem_classes="card settings"):
                gr.HTML(
                    render("title", translate, title=translate("Wrong labels"), more=more), elem_classes="part-title"
                )
                with gr.Row(elem_classes="fields"):
                    self.fields = settings_form.some(
                        translate, self.workspace, self.limits, FIELDS, prefix="wrong", values=TO_BEGIN_WITH
                    )
                with gr.Column(elem_classes="start-bar"):
                    self.start = gr.Button(translate("Train on them"), variant="primary", elem_id="wrong-start")
            with gr.Column(scale=8, min_width=320, elem_classes="card watching"):
                self.card = WatchedCard(render("no_wrong_run", translate), elem_id="wrong-card")
                self.find = gr.Button(translate("Now find them again"), elem_id="wrong-find", elem_classes="quiet")
                self.run = gr.Textbox("", visible=False)  # the name of the run that is shown
        self.found = AuditView(translate, self.workspace, self.limits, self.people, elem_id="flipped-audit")

    def wire(self) -> None:
        guarded, shown = guard(self.translate), [self.card, self.find]
        self._wire_start(guarded, shown)
        self.find.click(guarded(self.on_find), [self.fields[name] for name in FOUND_BY], self.found, **REPORT_ERRORS)
        self.find.click(None, None, None, js=show_result_of("#wrong-find"), **LOCAL)
        self.card.submit(self.refresh, self.run, shown, **SILENT)
        self.context.changes.change(self.list_datasets, None, self.fields["dataset"], **SILENT)
        self.context.load.add(self.from_address, [self.run, *shown, self.fields["dataset"]])

    def _wire_start(self, guarded: Callable[..., Any], shown: list[Any]) -> None:
        begun = self.start.click(
            guarded(self.on_start),
            list(self.fields.values()),
            self.run,
            js=NAMED if self.people.shared else None,
            api_visibility="private",
            show_progress="hidden",
        )
        for js in (REFRESH, show_result_of("#wrong-start")):
            begun.success(None, None, None, js=js, api_visibility="private")
        begun.success(self.refresh, self.run, shown, **SILENT)
        begun.success(None, self.run, None, js=address.puts("lab-wrong"), **LOCAL)

    def refresh(self, name: str | None) -> list[Any]:
        """The run's card, and the next step as the main one once the run has ended."""
        view = self._lesson_run(name)
        if view is None:
            return [render("no_wrong_run", self.translate), gr.update(**QUIET_BUTTON)]
        card = live_cards.run_look(self.run_cache, view.run.name, self.translate, ()) or {}
        over = view.is_idle and view.best is not None
        return [card.get("html", ""), gr.update(**(MAIN if over else QUIET_BUTTON))]

    def _lesson_run(self, name: str | None) -> RunView | None:
        view = self.run_cache.view(name) if name else None
        return view if view and view.settings and view.settings.flip_labels else None

    def from_address(self, asked_by: gr.Request) -> list[Any]:
        name = asked_by.query_params.get("lab-wrong", "")
        name = name if self._lesson_run(name) else ""
        return [name, *self.refresh(name), self.list_datasets()]

    def list_datasets(self) -> Any:
        return gr.update(choices=settings_form.dataset_choices(self.translate, self.workspace))

    def on_start(self, asked_by: gr.Request, *values: Any) -> str:
        """A run like any other, which Train lists, too."""
        settings = with_recipe({n: value for n, value in zip(self.fields, values, strict=True) if value is not None})
        expected = plan_card.expected(settings, self.workspace) if self.people.shared else None
        run = self.limits.start(settings, self.workspace, owner=self.people.run_owner(asked_by), expected=expected)
        self.run_cache.forget(run.name)
        return run.name

    def on_find(self, *values: Any) -> str:
        """Among those that the run learns from."""
        settings_named = {n: value for n, value in zip(FOUND_BY, values, strict=True) if value is not None}
        settings = TrainSettings.checked(settings_named)
        return request(settings.dataset, flip=settings.flip_labels, train_images=settings.train_images, begin=True)
