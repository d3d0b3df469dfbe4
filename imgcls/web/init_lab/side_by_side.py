"""The Init lab in the page: several networks learn side by side in the browser. Of its value nothing reaches the
server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.web.engine.routes import engine_names
from imgcls.web.init_lab.side_options import SIDE, side_options
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.scripts import starts

HERE = Path(__file__).parent
TEMPLATE = (HERE / "side_by_side.html").read_text("utf-8")


class SideBySide(gr.HTML):
    def __init__(self, context: PageContext, **options: Any) -> None:
        translate = context.translate
        super().__init__(
            value="",
            html_template=TEMPLATE,
            js_on_load=starts("init_lab/side_by_side.js", waits=False),
            apply_default_css=False,
            title=translate(SIDE["side_title"]),
            more=translate(SIDE["side_about"]),
            language=translate.language,
            engines=engine_names(),
            **side_options(translate),
            **options,
        )

    def preprocess(self, payload: Any) -> None:
        return None

    def postprocess(self, value: Any) -> str:
        return ""
