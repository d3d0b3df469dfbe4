"""The Init lab room: one network under several initialisations, what each layer starts with, and what each learns."""

from __future__ import annotations

import json
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


def build(context: PageContext) -> None:
    translate, run_cache, limits, people = context.translate, context.run_cache, context.limits, context.people
    changes = context.changes
    workspace, guarded = run_cache.workspace, guard(translate)
    with gr.Row(elem_classes="room lab"):
        with gr.Column(scale=4, min_width=320, elem_classes="card settings"):
            what = translate("The same network, data and seed; only the first weights differ. See what that does.")
            gr.HTML(
                render("title", translate, title=None, more=what),
                elem_classes="part-title",
            )
            inits = gr.CheckboxGroup(
                [(translate.value(name), name) for name in choices("init") or ()],
                value=list(TO_BEGIN_WITH),
                label=translate.setting("init"),
                elem_id="lab-inits",
            )
            fields = settings_form.some(translate, workspace, limits, ALWAYS_SHOWN, prefix="lab")
            with gr.Row(elem_classes="fields"):
                fields |= settings_form.some(translate, workspace, limits, FIELDS, prefix="lab", values={"epochs": 2})
            expected = gr.Radio(
                [(translate.value(name), name) for name in TO_BEGIN_WITH],
                value=None,
                label=translate("What do you expect: which one learns best?"),
                elem_id="lab-expected",
            )
            with gr.Column(elem_classes="start-bar"):
                start = gr.Button(translate("Compare"), variant="primary", elem_id="lab-start")
        with gr.Column(scale=8, min_width=320, elem_classes="card watching"):
            if people.shared:
                QueueSlot()
            chosen = Choice([], label=translate("Comparison"), elem_id="lab", allow_custom_value=True, visible=False)
            shown = WatchedCard(lab_card.none(translate), elem_id="lab-card")
            with gr.Row(elem_classes="actions"):
                stop = gr.Button(translate("Stop and save"), elem_id="lab-stop", elem_classes="quiet", visible=False)
                delete = gr.Button(translate("Delete"), elem_id="lab-delete", elem_classes="quiet risky", visible=False)
    names, values = list(fields), list(fields.values())
    outputs = [shown, stop, delete]

    def show(request: gr.Request, name: str | None, guess: str | None = None) -> list[Any]:
        lab = next((lab for lab in init_lab.list_labs(workspace) if lab.name == name), None)
        if lab is None:
            return [lab_card.none(translate), *[gr.update(visible=False)] * 2]
        state = lab.state()
        live, visitor = state in ("queued", *LIVE), people.visitor(request)
        card = live_cards.lab_look(run_cache, lab.name, translate, [guess] if guess else []) or {}
        return [
            card.get("html", ""),
            gr.update(visible=state in ("queued", "starting", "running") and visitor.may_stop(lab.written())),
            gr.update(visible=not live and visitor.host),
        ]

    def listed(name: str | None) -> Any:
        names_of_labs = [lab.name for lab in init_lab.list_labs(workspace)]
        other = {} if name in names_of_labs else {"value": names_of_labs[0] if names_of_labs else None}
        return gr.update(choices=names_of_labs, visible=bool(names_of_labs), **other)

    def begin(request: gr.Request, picked: list[str], *values: Any) -> str:
        settings_named = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        settings, owner = with_recipe(settings_named), people.starter(request)
        seconds_of_one = plan_card.expected(settings, workspace) if people.shared else None
        expected = seconds_of_one and seconds_of_one * len(picked)
        name = limits.start_lab(settings, picked, workspace, owner=owner, expected=expected).name
        run_cache.forget(name)
        return name

    def ask_stop(request: gr.Request, name: str) -> None:
        visitor = people.visitor(request)
        queue.stop(init_lab.find_lab(name, workspace), visitor.owner, host=visitor.host)

    def remove(request: gr.Request, name: str) -> None:
        limits.may_delete(host=people.visitor(request).host)
        init_lab.delete_lab(init_lab.find_lab(name, workspace))

    def fill(dataset: str, model: str) -> Any:
        return settings_form.defaults({"dataset": dataset, "model": model, "transfer": "scratch"})["lr"]

    # The page's own: the guess that is clicked next is never answered for. One whose initialisation goes, goes with it.
    every = json.dumps([(translate.value(name), name) for name in choices("init") or ()])
    among = f"(picked, guess) => {{ const left = {every}.filter(([, name]) => picked.includes(name)); return "
    among += (
        f"guess && !picked.includes(guess) ? {updates(choices='left', value='null')} : {updates(choices='left')}; }}"
    )
    inits.change(None, [inits, expected], expected, js=among, **LOCAL)
    named = NAMED if people.shared else None
    begun = start.click(
        guarded(begin), [inits, *values], chosen, js=named, api_visibility="private", show_progress="hidden"
    )
    for js in (REFRESH, show_result_of("#lab-start")):
        begun.success(None, None, None, js=js, api_visibility="private")
    begun.success(listed, chosen, chosen, **SILENT).then(show, [chosen, expected], outputs, **SILENT)
    stop.click(guarded(ask_stop), chosen, None, **REPORT_ERRORS).then(show, [chosen, expected], outputs, **SILENT)
    gone = delete.click(
        guarded(remove), chosen, None, js=confirm(translate("Delete this comparison and its runs?")), **REPORT_ERRORS
    )
    gone.success(listed, chosen, chosen, **SILENT).then(show, [chosen, expected], outputs, **SILENT)
    chosen.change(show, [chosen, expected], outputs, **SILENT)
    shown.submit(show, [chosen, expected], outputs, **SILENT)
    changes.change(listed, chosen, chosen, **SILENT).then(show, [chosen, expected], outputs, **SILENT)

    def from_address(request: gr.Request) -> list[Any]:
        """The comparison that a link names, with its card, and the settings for another one."""
        query = request.query_params
        picked = [name for name in choices("init") or () if name in query.get("lab-inits", "").split(",")]
        settings_named = address.settings(query, prefix="lab-")
        for name, options in (
            ("dataset", settings_form.dataset_choices(translate, workspace)),
            ("model", buttons(translate)),
        ):
            if settings_named.get(name) not in [value for _, value in options]:
                settings_named.pop(name, None)
        if settings_named:
            settings_named = {
                "lr": fill(settings_named.get("dataset", "mnist"), settings_named.get("model", "lenet")),
                **settings_named,
            }
        guess = address.chosen(query, "lab-expected", picked or TO_BEGIN_WITH)
        lab = {"value": query.get("lab"), **listed(query.get("lab"))}
        return [
            lab,
            picked or gr.skip(),
            guess or gr.skip(),
            *(settings_named.get(name, gr.skip()) for name in names),
            *show(request, lab["value"], guess),
        ]

    context.load.add(from_address, [chosen, inits, expected, *values, *outputs])
    address.follow_fields("lab-", {"inits": inits, "expected": expected, **fields})
    for event in (chosen.input, begun.success, gone.success):  # not the one that a plain visit shows
        event(None, chosen, None, js=address.puts("lab"), **LOCAL)
    gr.on(
        [fields["dataset"].input, fields["model"].input],
        fill,
        [fields["dataset"], fields["model"]],
        fields["lr"],
        **SILENT,
    )

    def list_datasets() -> Any:
        return gr.update(choices=settings_form.dataset_choices(translate, workspace))

    changes.change(list_datasets, None, fields["dataset"], **SILENT)
    context.load.add(lambda request: [list_datasets()], [fields["dataset"]])
