"""The Evaluate room: how good a checkpoint really is, where it fails, which of several is better."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from imgcls.web.actions import QUIET
from imgcls.web.components import form
from imgcls.web.components.choice import Choice
from imgcls.web.components.evaluate import MOST, EvaluateView, request
from imgcls.web.context import PageContext
from imgcls.web.i18n.labels import PARTS
from imgcls.web.tabs import classify


def build(context: PageContext, tab: gr.Tab) -> None:
    words, watch, limits, page, changes = context.words, context.watch, context.limits, context.page, context.changes
    workspace = watch.workspace
    listed, first = classify.choices(words, watch)
    own = words("the one it was trained on")
    with gr.Column(elem_classes="room evaluate"):
        with gr.Column(elem_classes="card"):
            with gr.Row(elem_classes="evaluate-fields"):
                checkpoints = gr.Dropdown(
                    listed,
                    value=[first] if first else [],
                    multiselect=True,
                    max_choices=MOST,
                    label=words("Checkpoints, several to compare them"),
                    elem_id="evaluate-checkpoints",
                    min_width=280,
                )
                dataset = Choice(
                    [(own, ""), *form.dataset_choices(words, workspace)],
                    value="",
                    label=words("Data set"),
                    elem_id="evaluate-set",
                    allow_custom_value=True,
                    min_width=200,
                )
                part = gr.Dropdown(
                    [
                        (words("test, or what there is"), ""),
                        *((words(PARTS[name]), name) for name in ("test", "val", "train")),
                        (words("all images"), "all"),
                    ],
                    value="",
                    label=words("Part"),
                    elem_id="evaluate-part",
                    min_width=140,
                )
                run = gr.Button(words("Evaluate"), variant="primary", elem_id="evaluate-run", min_width=140)
        view = EvaluateView(words, watch, limits, elem_id="evaluation")

    def begin(chosen: list[str], name: str, wanted: str) -> str:
        """Another value each time: the same may be asked again after the data have changed."""
        made = request(chosen, name, wanted)
        return made[:-1] + f', "asked": {time.time()}}}'

    def refreshed(chosen: list[str], name: str) -> list[Any]:
        now, _ = classify.choices(words, watch)
        known = {key for _, key in now}
        return [
            gr.update(choices=now, value=[one for one in chosen or [] if one in known]),
            gr.update(choices=[(own, ""), *form.dataset_choices(words, workspace)], value=name),
        ]

    run.click(begin, [checkpoints, dataset, part], view, **QUIET)
    gr.on(
        [page.load, changes.change, tab.select],
        refreshed,
        [checkpoints, dataset],
        [checkpoints, dataset],
        **QUIET,
    )
