"""One page in one language: the head, and a tab for each room."""

from __future__ import annotations

import gradio as gr

from imgcls import __version__
from imgcls.web.cache import RunCache
from imgcls.web.hosting import Limits
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.tabs import classify, data, init_lab, train
from imgcls.web.weights import PageWeights


def build(words: Translator, watch: RunCache, weights: PageWeights, limits: Limits) -> gr.Blocks:
    with gr.Blocks(
        title=words("imgcls · image classification lab"),
        analytics_enabled=False,
        delete_cache=(3600, 3600),
        fill_width=True,
    ) as page:
        gr.HTML(_head(words), elem_id="head", apply_default_css=False)
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


def _head(words: Translator) -> str:
    tagline = words("Train a network, then try it on what you draw")
    return (
        '<header class="site"><div class="brand"><svg viewBox="0 0 28 28" width="30" height="30" aria-hidden="true">'
        '<rect width="28" height="28" rx="7"/><path d="M9 9.5c2-3.2 9-3 8.600 1.300-.3 3-4 3.200-4.800 3.200 1.600 0 '
        '6 .4 5.600 4.200-.5 4.300-7.800 4.300-10 1.300" fill="none" stroke="#fff" stroke-width="2.400" '
        f'stroke-linecap="round" stroke-linejoin="round"/></svg><div><h1>imgcls</h1><p>{tagline}</p></div>'
        f'</div><a class="language" href="../{words.other}/" lang="{words.other}">{LANGUAGES[words.other]}</a>'
        f"<span hidden>{__version__}</span></header>"
    )
