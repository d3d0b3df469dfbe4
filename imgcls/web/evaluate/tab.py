"""The Evaluate room: how good a checkpoint really is, where it fails, which of several is better."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from imgcls.checkpoints.store import is_shipped
from imgcls.errors import RunError
from imgcls.web.classify.tab import ClassifyTab
from imgcls.web.evaluate.view import MAX_CHECKPOINTS, PARTS, EvaluateView, request
from imgcls.web.i18n.labels import PARTS as NAMES
from imgcls.web.server.gradio_internals import told_by
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, SILENT, guard
from imgcls.web.shared.results import show_result_of
from imgcls.web.shared.run_cache import key
from imgcls.web.shared.uploads import uploaded


def build(context: PageContext, tab: gr.Tab, classify: ClassifyTab) -> None:
    words, watch, limits, changes = (
        context.translate,
        context.run_cache,
        context.limits,
        context.changes,
    )
    workspace = watch.workspace
    listed, first = classify.choices()
    own = words("the one it was trained on")
    with gr.Column(elem_classes="room evaluate"):
        with gr.Column(elem_classes="card"):
            with gr.Row(elem_classes="evaluate-fields"):
                checkpoints = gr.Dropdown(
                    listed,
                    value=[first] if first else [],
                    multiselect=True,
                    max_choices=MAX_CHECKPOINTS,
                    label=words("One checkpoint, or several"),
                    elem_id="evaluate-checkpoints",
                    min_width=280,
                )
                dataset = Choice(
                    [(own, ""), *settings_form.dataset_choices(words, workspace)],
                    value="",
                    label=words("Data set"),
                    elem_id="evaluate-set",
                    allow_custom_value=True,
                    min_width=200,
                )
                part = gr.Dropdown(
                    [
                        (words("test set, if there is one"), ""),
                        *((words(NAMES[name]), name) for name in ("test", "val", "train")),
                        (words("all images"), "all"),
                    ],
                    value="",
                    label=words("Part"),
                    elem_id="evaluate-part",
                    min_width=140,
                )
                run = gr.Button(words("Evaluate"), variant="primary", elem_id="evaluate-run", min_width=140)
        view = EvaluateView(words, watch, limits, context.people, elem_id="evaluation")
    begun = gr.State()  # what the page chose by itself; None until its address has been read

    def begin(chosen: list[str], name: str, wanted: str) -> str:
        """Another value each time: the same may be asked again after the data have changed."""
        made = request(chosen, name, wanted)
        return made[:-1] + f', "asked": {time.time()}}}'

    def usual(asked_by: gr.Request) -> list[str]:
        """The newest that a person has trained to its end; what every page begins with where there is none."""
        visitor = context.people.visitor(asked_by)
        for info in watch.checkpoints():
            if info.kind == "best" and not is_shipped(info.path):
                run = watch.view(info.run)
                if (run is None or run.at_rest) and visitor.may_stop(run and run.written):
                    return [key(info)]
        return [first] if first else []

    def refreshed(asked_by: gr.Request, chosen: list[str], shown: str, before: list[str] | None) -> list[Any]:
        """What there is by now; what a person has chosen or evaluated stays unless it has gone."""
        now, _ = classify.choices()
        known, chosen, begin_with = {name for _, name in now}, chosen or [], usual(asked_by)
        left = [one for one in chosen if one in known]
        if before is not None and not shown and chosen == before:
            left = begin_with
        return [
            gr.update(choices=now) | ({"value": left} if left != chosen else {}),
            gr.update(choices=[(own, ""), *settings_form.dataset_choices(words, workspace)]),
            gr.skip() if before is None else begin_with,
        ]

    def from_address(asked_by: gr.Request) -> list[Any]:
        """The checkpoints, the data set and the part that a link names, and what is kept of them."""
        said = asked_by.query_params
        now, _ = classify.choices()
        known, begin_with = {name for _, name in now}, usual(asked_by)
        wanted = [one for one in dict.fromkeys(said.get("evaluated", "").split(",")) if one in known][:MAX_CHECKPOINTS]
        sets = [(own, ""), *settings_form.dataset_choices(words, workspace)]
        on = address.chosen(said, "on", [name for _, name in sets])
        of = address.chosen(said, "of", PARTS)
        return [
            gr.update(choices=now, value=wanted or begin_with),
            gr.update(choices=sets) | ({"value": on} if on else {}),
            of or gr.skip(),
            # Not skipped: Gradio would take the sentences from the component that is left alone.
            request(wanted, on or "", of or "") if wanted else "",
            begin_with,
        ]

    def in_classify(event: gr.EventData) -> list[Any]:
        """An image with its checkpoint, where a network is looked into."""
        said = told_by(event)
        now, _ = classify.choices()
        if said.get("checkpoint") not in {name for _, name in now}:
            raise RunError("Choose a checkpoint first.")
        photo = str(uploaded(said["photo"])) if said.get("photo") else gr.skip()
        source = "photo" if said.get("photo") else "draw"
        checkpoint = gr.update(choices=now, value=said["checkpoint"])
        return [checkpoint, photo, source, gr.Tabs(selected=source), gr.Tabs(selected="classify")]

    view.submit(
        guard(words)(in_classify),
        None,
        [classify.checkpoint, classify.photo, classify.source, classify.sources, context.rooms],
        **REPORT_ERRORS,
    )
    run.click(begin, [checkpoints, dataset, part], view, **SILENT)
    run.click(None, None, None, js=show_result_of("#evaluate-run"), **LOCAL)
    gr.on([changes.change, tab.select], refreshed, [checkpoints, view, begun], [checkpoints, dataset, begun], **SILENT)
    context.load.add(from_address, [checkpoints, dataset, part, view, begun])
    for name, field in (("on", dataset), ("of", part)):
        field.change(None, field, None, js=address.puts(name), api_visibility="private")
    for chosen in (checkpoints.input, run.click):  # not what the page chooses by itself
        chosen(None, checkpoints, None, js=address.puts("evaluated"), api_visibility="private")
