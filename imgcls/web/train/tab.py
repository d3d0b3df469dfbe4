"""The Train room: choose settings, start, watch, stop, go on. The page only reads the run's folder, so closing it,
refreshing it or restarting the server loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from imgcls.data.registry import kind_of
from imgcls.errors import ImgclsError
from imgcls.runs import queue
from imgcls.runs.store import delete_run, find_run, rename_run
from imgcls.settings import TrainSettings
from imgcls.web.classify import tab as classify_tab
from imgcls.web.classroom.view import NAMED, REFRESH, QueueSlot
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, QUIET, TOLD, confirm, guard
from imgcls.web.shared.fetch_dataset import FetchView
from imgcls.web.train import live_cards, plan_card, run_card
from imgcls.web.train.form_events import FormEvents
from imgcls.web.train.live_card import WatchedCard, WatchedLog
from imgcls.web.train.page_training import PageTraining

# On a phone the run lies below the form.
TO_THE_RUN = "() => { if (innerWidth < 700) document.querySelector('#card')?.scrollIntoView({ behavior: 'smooth' }); }"


@dataclass
class Room:
    """What other rooms need: the form and the run shown."""

    form: FormEvents
    run: Choice


def build(context: PageContext, tab: gr.Tab, room: classify_tab.Room) -> Room:
    words, watch, limits, people = context.words, context.watch, context.limits, context.people
    page, changes, rooms = context.page, context.changes, context.rooms
    workspace = watch.workspace
    PageTraining(context, elem_id="page-training")
    with gr.Row(elem_classes="room train"):
        with gr.Column(scale=5, min_width=320, elem_classes="card settings"):
            made = settings_form.build(words, workspace, limits)
            fields = made.fields
            missing = FetchView(context, elem_id="fetch-for-training")
            with gr.Column(elem_classes="start-bar"):
                plan = gr.HTML("", elem_id="plan")
                start = gr.Button(words("Start training"), variant="primary", elem_id="start")
            command = gr.HTML(plan_card.terminal("", "", words), elem_id="command", js_on_load=plan_card.COPY)
            wrong = gr.State("")  # the setting that has a sentence under it
            form = FormEvents(context, made, missing, plan=plan, command=command, wrong=wrong)
        with gr.Column(scale=7, min_width=320, elem_classes="card watching"):
            if people.shared:
                QueueSlot()
            chosen = Choice([], label=words("Run"), elem_id="run", allow_custom_value=True, visible=False)
            shown = WatchedCard(run_card.no_run(words), elem_id="card")
            with gr.Row(elem_classes="actions"):
                try_it = gr.Button(words("Try it on a drawing"), variant="primary", elem_id="try", visible=False)
                stop = gr.Button(words("Stop and save"), elem_id="stop", elem_classes="quiet", visible=False)
                go_on = gr.Button(words("Go on"), elem_id="go-on", elem_classes="quiet", visible=False)
                delete = gr.Button(words("Delete"), elem_id="delete", elem_classes="quiet risky", visible=False)
            with gr.Accordion(words("Log"), open=True, visible=False, elem_classes="log-box") as log_box:
                log = WatchedLog(elem_id="log")
            with gr.Accordion(words("Settings and downloads"), open=False, visible=False) as more:
                told = gr.HTML("", elem_id="run-settings")
                over = gr.Dropdown([], multiselect=True, label=words("Lay other runs over its curves"), elem_id="over")
                with gr.Row(elem_classes="naming", visible=False) as naming:
                    new_name = gr.Textbox(
                        max_lines=1, max_length=80, label=words("New name"), elem_id="new-name", min_width=160
                    )
                    rename = gr.Button(words("Rename"), elem_id="rename", elem_classes="quiet", min_width=100, scale=0)
                reuse = gr.Button(words("Use these settings again"), elem_id="reuse", elem_classes="quiet")
    names, values = list(fields), list(fields.values())
    seen = [shown, log, log_box, more, told, stop, go_on, try_it, delete, naming]

    def show(request: gr.Request, name: str | None, others: Sequence[str] | None = ()) -> list[Any]:
        """Everything on the right for the chosen run."""
        view = watch.view(name)
        if view is None:
            nothing = [gr.update(visible=False)] * 5
            return [run_card.no_run(words), "", *[gr.update(visible=False)] * 2, "", *nothing]
        look = live_cards.run_look(watch, view.run.name, words, others or ()) or {}
        visitor = people.visitor(request)
        may = visitor.may_stop(view.written)
        can_try = view.run.best.is_file()
        draws = view.settings is None or kind_of(view.settings.dataset) == "digits"
        return [
            look.get("html", ""),
            look.get("log", ""),
            gr.update(visible=bool(view.log)),
            gr.update(visible=view.settings is not None),
            run_card.settings(view, words),
            gr.update(
                visible=may and view.state in ("queued", "starting", "running"),
                value=words("Withdraw") if view.state == "queued" else words("Stop and save"),
            ),
            gr.update(visible=may and view.at_rest and view.run.can_resume),
            gr.update(visible=can_try, value=words("Try it on a drawing") if draws else words("Try it on a photo")),
            gr.update(visible=view.at_rest and visitor.host),
            gr.update(visible=may and view.at_rest),
        ]

    def listed(name: str | None) -> Any:
        options = [(run_card.title(view, words), view.run.name) for r in watch.runs() if (view := watch.view(r.name))]
        known = {value for _, value in options}
        other = {} if name in known else {"value": watch.foremost()}
        return gr.update(choices=options, visible=bool(options), **other)

    def at_first(request: gr.Request) -> Any:
        name = request.query_params.get("run")
        return {"value": name, **listed(name)}

    def others_of(name: str | None) -> Any:
        """The runs that have curves, but for the chosen one."""
        known = [run.name for run in watch.runs() if run.name != name]
        return gr.update(choices=known, value=[], visible=bool(known))

    def begin(request: gr.Request, before: str, *given: Any) -> list[Any]:
        """The run's name, and no field wrong; or the sentence at the field that it is about."""
        try:
            settings = TrainSettings.checked(dict(zip(names, given, strict=True)))
            owner = people.starter(request)
            expected = plan_card.expected(settings, workspace) if people.shared else None
            run = limits.start(settings, workspace, owner=owner, expected=expected)
            plan_card.run_begins(workspace)
            watch.forget(run.name)
            return [run.name, "", *settings_form.marks(names, "", before, "", words)]
        except ImgclsError as error:
            if error.field not in names:
                raise
            told = words.message(error.message)
            return [gr.skip(), error.field, *settings_form.marks(names, error.field, before, told, words)]

    def ask_stop(request: gr.Request, name: str) -> None:
        visitor = people.visitor(request)
        queue.stop(find_run(name, workspace), visitor.owner, host=visitor.host)
        watch.forget(name)

    def again(request: gr.Request, name: str) -> None:
        run, owner = find_run(name, workspace), people.starter(request)
        people.visitor(request).check(run.written())
        limits.resume(run, owner=owner)
        watch.forget(name)

    def remove(request: gr.Request, name: str) -> None:
        limits.may_delete(host=people.visitor(request).host)
        delete_run(find_run(name, workspace))

    guarded = guard(words)

    def call_it(request: gr.Request, name: str, wanted: str) -> list[str]:
        run = find_run(name, workspace)
        people.visitor(request).check(run.written())
        made = rename_run(run, wanted.strip())
        watch.forget(name)
        return [made.name, ""]

    named = NAMED if people.shared else None
    started = start.click(
        guarded(begin),
        [wrong, *values],
        [chosen, wrong, *values],
        js=named,
        api_visibility="private",
        show_progress="hidden",
    )
    started.success(None, None, None, js=REFRESH, api_visibility="private")
    started.success(None, None, None, js=TO_THE_RUN, api_visibility="private")
    started.success(listed, chosen, chosen, **QUIET).then(show, [chosen, over], seen, **QUIET)
    for button, action, js in ((stop, ask_stop, None), (go_on, again, named)):
        button.click(guarded(action), chosen, None, js=js, **TOLD).then(show, [chosen, over], seen, **QUIET)
    called = gr.on([rename.click, new_name.submit], guarded(call_it), [chosen, new_name], [chosen, new_name], **TOLD)
    called.success(listed, chosen, chosen, **QUIET).then(show, [chosen, over], seen, **QUIET)
    gone = delete.click(
        guarded(remove), chosen, None, js=confirm(words("Delete this run and its checkpoints?")), **TOLD
    )
    gone.success(listed, chosen, chosen, **QUIET).then(show, [chosen, over], seen, **QUIET)
    chosen.change(show, [chosen, over], seen, **QUIET)
    over.input(show, [chosen, over], seen, **QUIET)
    chosen.change(others_of, chosen, over, **QUIET)
    # What a person has chosen, begun or renamed; not the run that a plain visit shows.
    for event in (chosen.input, started.success, called.success, gone.success):
        event(None, chosen, None, js=address.puts("run"), **LOCAL)
    shown.submit(listed, chosen, chosen, **QUIET).then(show, [chosen, over], seen, **QUIET)
    changes.change(listed, chosen, chosen, **QUIET).then(show, [chosen, over], seen, **QUIET)
    page.load(at_first, None, chosen, **QUIET).then(show, [chosen, over], seen, **QUIET)

    def to_try(name: str) -> Any:
        options, _ = classify_tab.choices(words, watch)
        settings = find_run(name, workspace).settings()
        source = "draw" if kind_of(settings.dataset) == "digits" else "photo"
        checkpoint = gr.update(choices=options, value=f"{name}/best")
        return checkpoint, source, gr.Tabs(selected=source), gr.Tabs(selected="classify")

    try_it.click(guarded(to_try), chosen, [room.checkpoint, room.source, room.sources, rooms], **TOLD)

    def use_again(name: str) -> list[Any]:
        """The run's settings into the form; its name stays its own."""
        settings = find_run(name, workspace).settings()
        return form.filled({**settings.model_dump(), "name": ""})

    reuse.click(guarded(use_again), chosen, [form.state, *values], **TOLD)
    form.wire(tab)
    return Room(form, chosen)
