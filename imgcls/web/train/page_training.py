"""Training in the browser, on the Train tab: what the panel of js/page_training.js is given, in the page's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.web.classify.pad import TEMPLATE as PAD_TEMPLATE
from imgcls.web.engine.routes import engine_names
from imgcls.web.i18n.script_sentences import PAD, in_language
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.scripts import starts
from imgcls.web.shared.settings_form import dataset_choices
from imgcls.web.train.page_options import TRAINING, default_settings, form_choices, page_words, size_choices

TEMPLATE = (Path(__file__).parent / "page_training.html").read_text("utf-8")


class PageTraining(gr.HTML):
    """The panel, and the switch above it: here, or where the lab runs. Of its value nothing reaches the server."""

    def __init__(self, context: PageContext, **options: Any) -> None:
        translate, shared = context.translate, context.people.shared
        datasets = [(value, label) for label, value in dataset_choices(translate, context.run_cache.workspace)]
        super().__init__(
            value="",
            html_template=TEMPLATE,
            js_on_load=starts("train/page_training.js"),
            apply_default_css=False,
            words=page_words(translate),
            choices=form_choices(translate),
            datasets=datasets,
            sizes=size_choices(translate),
            defaults={name: default_settings(name) for name, _ in datasets},
            language=translate.language,
            pad_words=in_language(PAD, translate),
            pad_template=PAD_TEMPLATE,
            engines=engine_names(),
            browser_first=shared,
            shared=shared,
            elsewhere=translate(TRAINING["on_server" if shared else "on_computer"]),
            **options,
        )

    def preprocess(self, payload: Any) -> None:
        return None

    def postprocess(self, value: Any) -> str:
        return ""
