"""The answer that the page computes itself: its value is where a network's weights lie, '' where the server answers.

What it does stands in js/live.js; the words of that script are handed to it here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.messages import N_
from imgcls.web import scripts
from imgcls.web.i18n.translator import Translator

SENTENCES = {  # of the scripts, by the names they use
    "sees": N_("What the network saw"),
    "sees_more": N_("{width} × {height} pixels, grey"),
    "sure": N_("confidence {share}"),
    "nothing": N_("Draw something"),
    "nothing_more": N_("The answer appears here while you draw."),
    "no_network": N_("The network could not be fetched: is the lab still open? The next stroke tries again."),
}
TEMPLATE = (Path(__file__).parent / "live.html").read_text("utf-8")
LOAD = """import(new URL('../scripts/{name}.js', document.baseURI))
  .then(page => page.start({{ element, props, watch }}));"""


class LiveAnswer(gr.HTML):
    def __init__(self, words: Translator, value: str, **options: Any) -> None:
        super().__init__(
            value=value,
            html_template=TEMPLATE,
            js_on_load=LOAD.format(name=scripts.digest()),
            apply_default_css=False,
            words={name: words(text) for name, text in SENTENCES.items()},
            **options,
        )

    def get_block_name(self) -> str:
        return "html"
