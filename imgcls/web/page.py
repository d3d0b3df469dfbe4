"""One page in one language: the head, and a tab for each room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from imgcls import __version__
from imgcls.web import address
from imgcls.web.actions import QUIET
from imgcls.web.cache import RunCache
from imgcls.web.components.changes import Changes
from imgcls.web.components.classroom import ClassDialogs
from imgcls.web.context import PageContext
from imgcls.web.i18n.translator import Translator
from imgcls.web.limits import Limits
from imgcls.web.people import People
from imgcls.web.tabs import classify, data, evaluate, init_lab, train, wrong_labels
from imgcls.web.views.render import render
from imgcls.web.weights import PageWeights

COMPONENTS = Path(__file__).parent / "components"
SCRIPTS = ("address.js", "charts.js", "keyboard.js")  # of the whole page


def build(words: Translator, watch: RunCache, weights: PageWeights, limits: Limits, people: People) -> gr.Blocks:
    with gr.Blocks(
        title=words("imgcls · image classification lab"),
        analytics_enabled=False,
        delete_cache=(3600, 3600),
        fill_width=True,
    ) as page:
        gr.HTML(
            render("head", words, others=words.others, version=__version__),
            elem_id="head",
            apply_default_css=False,
            js_on_load="".join((COMPONENTS / name).read_text("utf-8") for name in SCRIPTS),
        )
        changes = Changes(elem_id="changes")
        ClassDialogs(words, people, elem_id="class")
        with gr.Tabs(elem_id="rooms") as rooms:
            context = PageContext(words, watch, weights, limits, people, page, changes, rooms)
            with gr.Tab(words("Classify"), id="classify"):
                room = classify.build(context)
            with gr.Tab(words("Train"), id="train") as tab:
                training = train.build(context, tab, room)
            with gr.Tab(words("Evaluate"), id="evaluate") as tab:
                evaluate.build(context, tab, room)
            with gr.Tab(words("Data"), id="data") as tab:
                data.build(context, tab, training)
            with gr.Tab(words("Init lab"), id="init-lab"):
                init_lab.build(context)
                wrong_labels.build(context, training)
        known = address.follow("tab", rooms)

        def opened(request: gr.Request) -> Any:
            wanted = address.chosen(request.query_params, "tab", known)
            return gr.Tabs(selected=wanted) if wanted else gr.skip()

        page.load(opened, None, rooms, **QUIET).then(None, None, None, js=address.READY, api_visibility="private")
    return page
