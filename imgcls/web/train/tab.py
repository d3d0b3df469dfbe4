"""The Train tab: choose settings, start, watch, stop, go on. The page only reads the run's folder, so closing it,
refreshing it or restarting the server loses nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from imgcls.data.registry import kind_of
from imgcls.errors import ImgclsError
from imgcls.runs import queue
from imgcls.runs.store import delete_run, find_run, rename_run
from imgcls.settings import NAME, TrainSettings
from imgcls.web.classify.tab import ClassifyTab
from imgcls.web.classroom.view import NAMED, REFRESH, QueueSlot
from imgcls.web.runs_table.panel import RunsTable
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, SILENT, confirm, guard
from imgcls.web.shared.fetch_dataset import FetchView
from imgcls.web.shared.render import render
from imgcls.web.shared.results import show_result_of
from imgcls.web.shared.scripts import starts
from imgcls.web.sweeps.panel import SweepPanel
from imgcls.web.train import live_cards, plan_card, run_card
from imgcls.web.train.form_events import FormEvents
from imgcls.web.train.live_card import WatchedCard, WatchedLog
from imgcls.web.train.page_training import PageTraining

HIDDEN = gr.update(visible=False)


class TrainTab:
    """`form` and `run` are filled by other tabs: the settings, and the run that is shown."""

    def __init__(self, context: PageContext, classify: ClassifyTab) -> None:
        self.context, self.classify = context, classify
        self.translate, self.run_cache, self.limits, self.people = (
            context.translate,
            context.run_cache,
            context.limits,
            context.people,
        )
        self.workspace = context.run_cache.workspace
        self.named = NAMED if self.people.shared else None  # whose it is, is asked first

    # ---- what stands where

    def layout(self) -> None:
        PageTraining(self.context, elem_id="page-training")
        with gr.Row(elem_classes="room train"):
            with gr.Column(scale=5, min_width=320, elem_classes="card settings"):
                self._lay_out_form()
            with gr.Column(scale=7, min_width=320, elem_classes="card watching"):
                self._lay_out_run()
        SweepPanel(self.context, elem_id="sweeps")
        RunsTable(self.context, elem_id="runs-table")
        self.outputs = [self.card, self.log, self.log_box, self.more, self.settings, *self.actions]

    def _lay_out_form(self) -> None:
        translate = self.translate
        form = settings_form.build(translate, self.workspace, self.limits)
        with form.folded:
            terminal = plan_card.terminal("", "", translate)
            command = gr.HTML(terminal, elem_id="command", js_on_load=starts("train/command_line.js"))
        missing = FetchView(self.context, elem_id="fetch-for-training")
        with gr.Column(elem_classes="start-bar"):
            plan = gr.HTML("", elem_id="plan")
            self.start = gr.Button(translate("Start training"), variant="primary", elem_id="start")
        self.wrong_field = gr.State("")  # the setting that has a sentence under it
        self.form = FormEvents(self.context, form, missing, plan=plan, command=command, wrong=self.wrong_field)

    def _lay_out_run(self) -> None:
        translate = self.translate
        if self.people.shared:
            QueueSlot()
        self.run = Choice([], label=translate("Run"), elem_id="run", allow_custom_value=True, visible=False)
        self.not_here = gr.HTML("", elem_id="run-not-here", visible=False)
        self.card = WatchedCard(run_card.no_run(translate), elem_id="card")
        with gr.Row(elem_classes="actions"):
            self.try_it = gr.Button(translate("Try it on a drawing"), variant="primary", elem_id="try", visible=False)
            self.evaluate = gr.Button(translate("Evaluate"), elem_id="evaluate", elem_classes="quiet", visible=False)
            self.stop = gr.Button(translate("Stop and save"), elem_id="stop", elem_classes="quiet", visible=False)
            self.go_on = gr.Button(translate("Go on"), elem_id="go-on", elem_classes="quiet", visible=False)
            self.reuse = gr.Button(translate("Use these again"), elem_id="reuse", elem_classes="quiet", visible=False)
            self.delete = gr.Button(translate("Delete"), elem_id="delete", elem_classes="quiet risky", visible=False)
        with gr.Accordion(translate("Log"), open=False, visible=False, elem_classes="log-box") as self.log_box:
            self.log = WatchedLog(elem_id="log")
        with gr.Accordion(translate("Details and downloads"), open=False, visible=False) as self.more:
            self.settings = gr.HTML("", elem_id="run-settings")
            self.over = gr.Dropdown(
                [], multiselect=True, label=translate("Lay other runs over its curves"), elem_id="over"
            )
            with gr.Row(elem_classes="naming", visible=False) as self.naming:
                self.new_name = gr.Textbox(
                    max_lines=1, max_length=80, label=translate("New name"), elem_id="new-name", min_width=160
                )
                self.rename = gr.Button(
                    translate("Rename"), elem_id="rename", elem_classes="quiet", min_width=100, scale=0
                )
        self.actions = [self.stop, self.go_on, self.try_it, self.evaluate, self.reuse, self.delete, self.naming]

    # ---- what follows what

    def wire(self, tab: gr.Tab) -> None:
        guarded = guard(self.translate)
        chosen_by_hand = [self.run.input, self._wire_start(guarded), *self._wire_run(guarded)]
        # What a person has chosen, begun or renamed; not the run that a plain visit shows.
        for event in chosen_by_hand:
            event(None, self.run, None, js=address.puts("run"), **LOCAL)
        self._wire_following()
        target = [self.classify.checkpoint, self.classify.source, self.classify.sources, self.context.rooms]
        tried = self.try_it.click(guarded(self.on_try), self.run, target, **REPORT_ERRORS)
        tried.success(None, None, None, js=show_result_of("#try"), **LOCAL)
        self.reuse.click(guarded(self.on_use_again), self.run, [self.form.state, *self.form.values], **REPORT_ERRORS)
        self.form.wire(tab)

    def _wire_start(self, guarded: Callable[..., Any]) -> Any:
        values = self.form.values
        started = self.start.click(
            guarded(self.on_start),
            [self.wrong_field, *values],
            [self.run, self.wrong_field, *values],
            js=self.named,
            api_visibility="private",
            show_progress="hidden",
        )
        for js in (REFRESH, show_result_of("#start")):
            started.success(None, None, None, js=js, api_visibility="private")
        self._refresh_after(started.success)
        return started.success

    def _wire_run(self, guarded: Callable[..., Any]) -> list[Any]:
        """What can be done with the run that is shown; the events after which it is another."""
        for button, action, js in ((self.stop, self.on_stop, None), (self.go_on, self.on_resume, self.named)):
            done = button.click(guarded(action), self.run, None, js=js, **REPORT_ERRORS)
            done.then(self.refresh, [self.run, self.over], self.outputs, **SILENT)
        renamed = gr.on(
            [self.rename.click, self.new_name.submit],
            guarded(self.on_rename),
            [self.run, self.new_name],
            [self.run, self.new_name],
            **REPORT_ERRORS,
        )
        sure = confirm(self.translate("Delete this run and its checkpoints?"))
        deleted = self.delete.click(guarded(self.on_delete), self.run, None, js=sure, **REPORT_ERRORS)
        for event in (renamed.success, deleted.success):
            self._refresh_after(event)
        return [renamed.success, deleted.success]

    def _wire_following(self) -> None:
        """The list of runs and the run that is shown follow what happens elsewhere."""
        self.run.change(self.refresh, [self.run, self.over], self.outputs, **SILENT)
        self.over.input(self.refresh, [self.run, self.over], self.outputs, **SILENT)
        self.run.change(self.for_chosen, self.run, [self.over, self.new_name], **SILENT)
        self._refresh_after(self.card.submit)
        self._refresh_after(self.context.changes.change)
        self.context.load.add(self.from_address, [self.run, *self.outputs, self.not_here])

    def _refresh_after(self, event: Callable[..., Any]) -> None:
        listed = event(self.list_runs, self.run, self.run, **SILENT)
        listed.then(self.refresh, [self.run, self.over], self.outputs, **SILENT)

    # ---- what the page shows

    def refresh(self, request: gr.Request, name: str | None, others: Sequence[str] | None = ()) -> list[Any]:
        """Everything on the right for the chosen run."""
        translate, view = self.translate, self.run_cache.view(name)
        if view is None:
            return [run_card.no_run(translate), "", HIDDEN, HIDDEN, "", *[HIDDEN] * len(self.actions)]
        look = live_cards.run_look(self.run_cache, view.run.name, translate, others or ()) or {}
        visitor = self.people.visitor(request)
        may = visitor.may_stop(view.written)
        draws = view.settings is None or kind_of(view.settings.dataset) == "digits"
        stop = translate("Withdraw") if view.state == "queued" else translate("Stop and save")
        trial = translate("Try it on a drawing") if draws else translate("Try it on a photo")
        return [
            look.get("html", ""),
            look.get("log", ""),
            gr.update(visible=bool(view.log)),
            gr.update(visible=view.settings is not None),
            run_card.settings(view, translate, host=visitor.host),
            gr.update(visible=may and view.state in ("queued", "starting", "running"), value=stop),
            gr.update(visible=may and view.is_idle and view.run.can_resume),
            gr.update(visible=view.run.best.is_file(), value=trial),
            gr.update(visible=view.run.best.is_file() and view.is_idle),
            gr.update(visible=view.is_idle and view.settings is not None),
            gr.update(visible=view.is_idle and visitor.host),
            gr.update(visible=may and view.is_idle),
        ]

    def list_runs(self, name: str | None) -> Any:
        listed = [run.name for run in self.run_cache.runs()]
        if name and name not in listed and self.run_cache.view(name) and not self.run_cache.lab_of(name):
            listed.append(name)  # older than those that are listed, and asked for
        views = [view for each in listed if (view := self.run_cache.view(each))]
        options, same = [], Counter[str]()
        for view in views:
            title = run_card.title(view, self.translate)
            same[title] += 1
            options.append((f"{title} ({same[title]})" if same[title] > 1 else title, view.run.name))
        known = {value for _, value in options}
        other = {} if name in known else {"value": self.run_cache.latest()}
        return gr.update(choices=options, visible=bool(options), **other)

    def from_address(self, request: gr.Request) -> list[Any]:
        name = request.query_params.get("run")
        shown, why = {"value": name, **self.list_runs(name)}, self.why_not_shown(name)
        told = gr.update(value=render("not_here", self.translate, why=why), visible=True) if why else gr.skip()
        return [shown, *self.refresh(request, shown["value"]), told]

    def why_not_shown(self, name: str | None) -> str:
        """Of a run that a link names, where another one is shown instead; "" otherwise, and of what is no name."""
        if not name or not NAME.fullmatch(name):
            return ""
        if lab := self.run_cache.lab_of(name):
            return self.translate("{name} is part of {lab}: it is shown in the Init lab.", name=name, lab=lab)
        if self.run_cache.view(name) is None:
            return self.translate(
                "There is no run called “{name}” here (any more): it was deleted or renamed.", name=name
            )
        return ""

    def for_chosen(self, name: str | None) -> tuple[Any, str]:
        """The runs whose curves can be laid over the chosen one's, and its name to begin another one with."""
        known = [run.name for run in self.run_cache.runs() if run.name != name]
        return gr.update(choices=known, value=[], visible=bool(known)), name or ""

    # ---- what a person does

    def on_start(self, request: gr.Request, before: str, *values: Any) -> list[Any]:
        """The run's name, and no field wrong; or the sentence at the field that it is about."""
        names, translate = self.form.names, self.translate
        try:
            settings = TrainSettings.checked(dict(zip(names, values, strict=True)))
            owner = self.people.run_owner(request)
            expected = plan_card.expected(settings, self.workspace) if self.people.shared else None
            run = self.limits.start(settings, self.workspace, owner=owner, expected=expected)
            plan_card.run_begins(self.workspace)
            self.run_cache.forget(run.name)
            return [run.name, "", *settings_form.marks(names, "", before, "", translate)]
        except ImgclsError as error:
            if error.field not in names:
                raise
            sentence = translate.message(error.message)
            return [gr.skip(), error.field, *settings_form.marks(names, error.field, before, sentence, translate)]

    def on_stop(self, request: gr.Request, name: str) -> None:
        visitor = self.people.visitor(request)
        queue.stop(find_run(name, self.workspace), visitor.owner, host=visitor.host)
        self.run_cache.forget(name)

    def on_resume(self, request: gr.Request, name: str) -> None:
        run, owner = find_run(name, self.workspace), self.people.run_owner(request)
        self.people.visitor(request).check(run.read_state())
        self.limits.resume(run, owner=owner)
        self.run_cache.forget(name)

    def on_delete(self, request: gr.Request, name: str) -> None:
        self.limits.may_delete(host=self.people.visitor(request).host)
        delete_run(find_run(name, self.workspace))

    def on_rename(self, request: gr.Request, name: str, new_name: str) -> list[str]:
        run = find_run(name, self.workspace)
        self.people.visitor(request).check(run.read_state())
        renamed = rename_run(run, new_name.strip())
        self.run_cache.forget(name)
        return [renamed.name, renamed.name]

    def on_try(self, name: str) -> Any:
        options, _ = self.classify.choices()
        settings = find_run(name, self.workspace).settings()
        source = "draw" if kind_of(settings.dataset) == "digits" else "photo"
        checkpoint = gr.update(choices=options, value=f"{name}/best")
        return checkpoint, source, gr.Tabs(selected=source), gr.Tabs(selected="classify")

    def on_use_again(self, name: str) -> list[Any]:
        """The run's settings into the form; its name stays its own."""
        settings = find_run(name, self.workspace).settings()
        return self.form.filled({**settings.model_dump(), "name": ""})
