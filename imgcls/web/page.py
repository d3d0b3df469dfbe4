"""One page in one language: the head, and a tab for each room."""

from __future__ import annotations

from typing import Any

import gradio as gr

from imgcls import __version__
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.classify.first_page import ROOMS
from imgcls.web.classify.tab import ClassifyTab
from imgcls.web.classroom.view import ClassDialogs
from imgcls.web.data.tab import DataTab
from imgcls.web.evaluate.tab import EvaluateTab
from imgcls.web.i18n.glossary import glossary
from imgcls.web.i18n.translator import Translator
from imgcls.web.init_lab.label_noise import WrongLabels
from imgcls.web.init_lab.side_by_side import SideBySide
from imgcls.web.init_lab.tab import InitLabTab
from imgcls.web.shared import address
from imgcls.web.shared.changes import Changes
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import remember_values
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.page_load import PageLoad
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.scripts import starts
from imgcls.web.train.tab import TrainTab

WAITING = 200  # events that wait in all, before one is told that the lab is busy


def build(
    translate: Translator, run_cache: RunCache, weights: PageWeights, limits: Limits, people: People
) -> gr.Blocks:
    with gr.Blocks(
        title=translate("imgcls · image classification lab"),
        analytics_enabled=False,
        delete_cache=(3600, 3600),
        fill_width=True,
    ) as page:
        gr.HTML(
            render("head", translate, others=translate.others, version=__version__, glossary=glossary(translate)),
            elem_id="head",
            apply_default_css=False,
            js_on_load=starts("shared/address.js"),
        )
        changes = Changes(elem_id="changes")
        ClassDialogs(translate, people, elem_id="class")
        load = PageLoad()
        with gr.Tabs(elem_id="rooms") as rooms:
            context = PageContext(translate, run_cache, weights, limits, people, page, changes, rooms, load)
            with gr.Tab(translate(ROOMS["classify"]), id="classify"):
                classify = ClassifyTab(context)
                classify.layout()
                classify.wire()
            with gr.Tab(translate(ROOMS["train"]), id="train") as tab:
                training = TrainTab(context, classify)
                training.layout()
                training.wire(tab)
            with gr.Tab(translate(ROOMS["evaluate"]), id="evaluate") as tab:
                evaluate = EvaluateTab(context, classify, training)
                evaluate.layout()
                evaluate.wire(tab)
            with gr.Tab(translate(ROOMS["data"]), id="data") as tab:
                data = DataTab(context, training)
                data.layout()
                data.wire(tab)
            with gr.Tab(translate(ROOMS["init-lab"]), id="init-lab"):
                SideBySide(context, elem_id="side-by-side")
                init_lab = InitLabTab(context)
                init_lab.layout()
                init_lab.wire()
                wrong_labels = WrongLabels(context)
                wrong_labels.layout()
                wrong_labels.wire()
        tab_ids = address.follow("tab", rooms)

        def opened(request: gr.Request) -> list[Any]:
            tab_id = address.chosen(request.query_params, "tab", tab_ids)
            return [gr.Tabs(selected=tab_id) if tab_id else gr.skip()]

        load.add(opened, [rooms])
        remember_values(page)
        load.wire(page).then(None, None, None, js=address.ready(), api_visibility="private")
    page.queue(max_size=WAITING)
    return page
