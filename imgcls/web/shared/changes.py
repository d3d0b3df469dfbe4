"""Notices what others have done: `change` fires when runs, comparisons or checkpoints have come, gone or changed.

The page asks for a few bytes (`/changes`), and only when they are others than before do events follow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.web.shared.scripts import starts

TEMPLATE = (Path(__file__).parent / "changes.html").read_text("utf-8")


class Changes(gr.HTML):
    def __init__(self, **options: Any) -> None:
        options.setdefault("html_template", TEMPLATE)
        options.setdefault("js_on_load", starts("shared/changes.js"))
        super().__init__(value="", apply_default_css=False, **options)

    def preprocess(self, payload: Any) -> None:
        return None

    def postprocess(self, value: Any) -> str:
        return ""
