"""One page in one language: the head, and a tab for each room."""

from __future__ import annotations

import gradio as gr

from imgcls import __version__
from imgcls.web.cache import RunCache
from imgcls.web.hosting import Limits
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.tabs import classify, data, init_lab, train
from imgcls.web.views.render import render
from imgcls.web.weights import PageWeights


def build(words: Translator, watch: RunCache, weights: PageWeights, limits: Limits) -> gr.Blocks:
    with gr.Blocks(
        title=words("imgcls · image classification lab"),
        analytics_enabled=False,
        delete_cache=(3600, 3600),
        fill_width=True,
    ) as page:
        gr.HTML(
            render("head", words, other=words.other, other_name=LANGUAGES[words.other], version=__version__),
            elem_id="head",
            apply_default_css=False,
        )
        with gr.Tabs(elem_id="rooms") as rooms:
            with gr.Tab(words("Classify"), id="classify"):
                room = classify.build(words, watch, weights)
            with gr.Tab(words("Train"), id="train"):
                training = train.build(words, watch, limits, page, rooms, room)
            with gr.Tab(words("Data"), id="data") as tab:
                data.build(words, watch, limits, page, tab, rooms, training)
            with gr.Tab(words("Init lab"), id="init-lab"):
                init_lab.build(words, watch, limits, page)
    return page
