"""A line that unfolds what follows it: a title, and in a few words what lies below.

Unlike gr.Accordion, what is folded is there all the time: its fields keep what an event writes into them, and one that
is called wrong opens the fold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.web.shared.scripts import starts

HERE = Path(__file__).parent


class Disclosure(gr.HTML):
    """`heading` is what it is called, the value its summary as plain text; what is folded is the block that follows, of
    the class `folded`."""

    def __init__(self, heading: str, **options: Any) -> None:
        super().__init__(
            value="",
            html_template=(HERE / "disclosure.html").read_text("utf-8"),
            js_on_load=starts("shared/disclosure.js"),
            apply_default_css=False,
            heading=heading,
            **options,
        )

    def preprocess(self, payload: Any) -> None:
        return None

    def postprocess(self, value: Any) -> str:
        return value if isinstance(value, str) else ""
