"""The Evaluate room: how good a checkpoint really is, where it fails, which of several is better."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from imgcls.errors import RunError
from imgcls.web import address
from imgcls.web.actions import QUIET, TOLD, guard
from imgcls.web.components import form
from imgcls.web.components.choice import Choice
from imgcls.web.components.evaluate import MOST, PARTS, EvaluateView, request
from imgcls.web.context import PageContext
from imgcls.web.i18n.labels import PARTS as NAMES
from imgcls.web.tabs import classify
from imgcls.web.uploads import uploaded


def build(context: PageContext, tab: gr.Tab, room: classify.Room) -> None:
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
                        *((words(NAMES[name]), name) for name in ("test", "val", "train")),
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

    def refreshed(chosen: list[str]) -> list[Any]:
        """What there is by now; what was chosen stays unless it has gone."""
        now, _ = classify.choices(words, watch)
        known, chosen = {key for _, key in now}, chosen or []
        left = [one for one in chosen if one in known]
        return [
            gr.update(choices=now, **({"value": left} if left != chosen else {})),
            gr.update(choices=[(own, ""), *form.dataset_choices(words, workspace)]),
        ]

    def from_address(request: gr.Request) -> list[Any]:
        """The checkpoints, the data set and the part that a link names."""
        said = request.query_params
        now, _ = classify.choices(words, watch)
        asked = said.get("evaluated", "").split(",")
        wanted = [key for _, key in now if key in asked][:MOST]
        sets = [(own, ""), *form.dataset_choices(words, workspace)]
        on = address.chosen(said, "on", [name for _, name in sets])
        of = address.chosen(said, "of", PARTS)
        return [
            gr.update(choices=now, **({"value": wanted} if wanted else {})),
            gr.update(choices=sets, **({"value": on} if on else {})),
            of or gr.skip(),
        ]

    def in_classify(event: gr.EventData) -> list[Any]:
        """An image with its checkpoint, where a network is looked into."""
        said = event._data if isinstance(event._data, dict) else {}
        now, _ = classify.choices(words, watch)
        if said.get("checkpoint") not in {name for _, name in now}:
            raise RunError("Choose a checkpoint first.")
        photo = str(uploaded(said["photo"])) if said.get("photo") else gr.skip()
        source = "photo" if said.get("photo") else "draw"
        checkpoint = gr.update(choices=now, value=said["checkpoint"])
        return [checkpoint, photo, source, gr.Tabs(selected=source), gr.Tabs(selected="classify")]

    view.submit(
        guard(words)(in_classify), None, [room.checkpoint, room.photo, room.source, room.sources, context.rooms], **TOLD
    )
    run.click(begin, [checkpoints, dataset, part], view, **QUIET)
    gr.on([changes.change, tab.select], refreshed, checkpoints, [checkpoints, dataset], **QUIET)
    page.load(from_address, None, [checkpoints, dataset, part], **QUIET)
    for name, field in (("evaluated", checkpoints), ("on", dataset), ("of", part)):
        field.change(None, field, None, js=address.puts(name, usual=field.value), api_visibility="private")
