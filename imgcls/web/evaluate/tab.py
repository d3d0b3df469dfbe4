"""The Evaluate tab: how good a checkpoint really is, where it fails, which of several is better."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from imgcls.checkpoints.store import is_shipped
from imgcls.errors import RunError
from imgcls.web.classify.tab import ClassifyTab
from imgcls.web.evaluate.view import MAX_CHECKPOINTS, PARTS, EvaluateView, evaluation_request
from imgcls.web.i18n.labels import PARTS as TITLES
from imgcls.web.server.gradio_internals import told_by
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, SILENT, guard
from imgcls.web.shared.results import show_result_of
from imgcls.web.shared.run_cache import key
from imgcls.web.shared.uploads import uploaded
from imgcls.web.train.tab import TrainTab


class EvaluateTab:
    """`classify`: the tab where a network is looked into; `training`: shows the run that it begins with."""

    def __init__(self, context: PageContext, classify: ClassifyTab, training: TrainTab) -> None:
        self.context, self.classify, self.training = context, classify, training
        self.translate, self.run_cache = context.translate, context.run_cache
        self.workspace = context.run_cache.workspace

    # ---- what stands where

    def layout(self) -> None:
        with gr.Column(elem_classes="room evaluate"):
            with gr.Column(elem_classes="card"), gr.Row(elem_classes="evaluate-fields"):
                self._lay_out_fields()
            self.view = EvaluateView(
                self.translate, self.run_cache, self.context.limits, self.context.people, elem_id="evaluation"
            )
        self.own_choice = gr.State()  # what the page chose by itself; None until its address has been read

    def _lay_out_fields(self) -> None:
        translate = self.translate
        options, self.first_key = self.classify.choices()
        self.checkpoints = gr.Dropdown(
            options,
            value=[self.first_key] if self.first_key else [],
            multiselect=True,
            max_choices=MAX_CHECKPOINTS,
            label=translate("One checkpoint, or several"),
            elem_id="evaluate-checkpoints",
            min_width=280,
        )
        self.dataset = Choice(
            self._datasets(),
            value="",
            label=translate("Data set"),
            elem_id="evaluate-set",
            allow_custom_value=True,
            min_width=200,
        )
        self.part = gr.Dropdown(
            [
                (translate("test set, if there is one"), ""),
                *((translate(TITLES[name]), name) for name in ("test", "val", "train")),
                (translate("all images"), "all"),
            ],
            value="",
            label=translate("Part"),
            elem_id="evaluate-part",
            min_width=140,
        )
        self.run = gr.Button(translate("Evaluate"), variant="primary", elem_id="evaluate-run", min_width=140)

    # ---- what follows what

    def wire(self, tab: gr.Tab) -> None:
        checkpoints, dataset, part, view = self.checkpoints, self.dataset, self.part, self.view
        self._wire_classify()
        led_here = self.training.evaluate.click(
            guard(self.translate)(self.of_run), self.training.run, [checkpoints, self.context.rooms], **REPORT_ERRORS
        )
        self.run.click(self.begin, [checkpoints, dataset, part], view, **SILENT)
        self.run.click(None, None, None, js=show_result_of("#evaluate-run"), **LOCAL)
        gr.on(
            [self.context.changes.change, tab.select],
            self.refreshed,
            [checkpoints, view, self.own_choice, self.training.run],
            [checkpoints, dataset, self.own_choice],
            **SILENT,
        )
        self.context.load.add(self.from_address, [checkpoints, dataset, part, view, self.own_choice])
        for name, field in (("on", dataset), ("of", part)):
            field.change(None, field, None, js=address.puts(name), api_visibility="private")
        for event in (checkpoints.input, self.run.click, led_here.success):  # not what the page chooses by itself
            event(None, checkpoints, None, js=address.puts("evaluated"), api_visibility="private")

    def _wire_classify(self) -> None:
        classify = self.classify
        self.view.submit(
            guard(self.translate)(self.in_classify),
            None,
            [classify.checkpoint, classify.photo, classify.source, classify.sources, self.context.rooms],
            **REPORT_ERRORS,
        )

    # ---- what the page shows

    def refreshed(
        self, request: gr.Request, chosen: list[str], shown: str, own_choice: list[str] | None, run: str | None
    ) -> list[Any]:
        """What there is by now; what a person has chosen or evaluated stays unless it has gone."""
        options, _ = self.classify.choices()
        keys, chosen, usual = {name for _, name in options}, chosen or [], self._usual(request, run)
        left = [name for name in chosen if name in keys]
        if own_choice is not None and not shown and chosen == own_choice:
            left = usual
        return [
            gr.update(choices=options) | ({"value": left} if left != chosen else {}),
            gr.update(choices=self._datasets()),
            gr.skip() if own_choice is None else usual,
        ]

    def from_address(self, request: gr.Request) -> list[Any]:
        """The checkpoints, the data set and the part that a link names, and what is kept of them."""
        query = request.query_params
        options, _ = self.classify.choices()
        keys, usual = {name for _, name in options}, self._usual(request, query.get("run"))
        linked = dict.fromkeys(query.get("evaluated", "").split(","))
        chosen = [name for name in linked if name in keys][:MAX_CHECKPOINTS]
        datasets = self._datasets()
        dataset = address.chosen(query, "on", [name for _, name in datasets])
        part = address.chosen(query, "of", PARTS)
        return [
            gr.update(choices=options, value=chosen or usual),
            gr.update(choices=datasets) | ({"value": dataset} if dataset else {}),
            part or gr.skip(),
            # Not skipped: Gradio would take the sentences from the component that is left alone.
            evaluation_request(chosen, dataset or "", part or "") if chosen else "",
            usual,
        ]

    def _usual(self, request: gr.Request, shown: str | None) -> list[str]:
        """The run that Train shows, or the newest that a person has trained to its end; what every page begins with
        where there is none."""
        visitor = self.context.people.visitor(request)
        trained = [info for info in self.run_cache.checkpoints() if info.kind == "best" and not is_shipped(info.path)]
        for info in sorted(trained, key=lambda info: info.run != shown):
            run = self.run_cache.view(info.run)
            if (run is None or run.is_idle) and (info.run == shown or visitor.may_stop(run and run.written)):
                return [key(info)]
        return [self.first_key] if self.first_key else []

    def _datasets(self) -> list[tuple[str, str]]:
        own = self.translate("the one it was trained on")
        return [(own, ""), *settings_form.dataset_choices(self.translate, self.workspace)]

    # ---- what a person does

    def begin(self, chosen: list[str], dataset: str, part: str) -> str:
        """Another value each time: the same may be asked again after the data have changed."""
        value = evaluation_request(chosen, dataset, part)
        return value[:-1] + f', "asked": {time.time()}}}'

    def of_run(self, run: str) -> list[Any]:
        """The run that Train shows, chosen here."""
        options, _ = self.classify.choices()
        if f"{run}/best" not in {name for _, name in options}:
            raise RunError("Choose a checkpoint first.")
        return [gr.update(choices=options, value=[f"{run}/best"]), gr.Tabs(selected="evaluate")]

    def in_classify(self, event: gr.EventData) -> list[Any]:
        """An image with its checkpoint, where a network is looked into."""
        image = told_by(event)
        options, _ = self.classify.choices()
        if image.get("checkpoint") not in {name for _, name in options}:
            raise RunError("Choose a checkpoint first.")
        photo = str(uploaded(image["photo"])) if image.get("photo") else gr.skip()
        source = "photo" if image.get("photo") else "draw"
        checkpoint = gr.update(choices=options, value=image["checkpoint"])
        return [checkpoint, photo, source, gr.Tabs(selected=source), gr.Tabs(selected="classify")]
