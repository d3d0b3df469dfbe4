"""The answer that the page computes itself: its value is where a network's weights lie, '' where the server answers.

What it does stands in js/live.js; the words of that script are handed to it here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.web.i18n.script_sentences import ON_DEMAND, SENTENCES, in_language
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.scripts import starts

TEMPLATE = (Path(__file__).parent / "live.html").read_text("utf-8")
# After an update of the lab a page that was open asks for a script that is no longer there.
FAILED = "element.textContent = props.words.no_script; element.setAttribute('role', 'alert');"


class LiveAnswer(gr.HTML):
    def __init__(self, translate: Translator, value: str, **options: Any) -> None:
        super().__init__(
            value=value,
            html_template=TEMPLATE,
            js_on_load=starts("classify/js/classify.js", failed=FAILED),
            apply_default_css=False,
            words=in_language(ON_DEMAND | SENTENCES, translate),
            **options,
        )
