"""A list that grows while the page is open: what is chosen is any text, and checked where it is used."""

from __future__ import annotations

from typing import Any

import gradio as gr

MAX_CHARS = 500  # characters


class Choice(gr.Dropdown):
    """Made with `allow_custom_value=True`."""

    is_template = True  # drawn as gr.Dropdown

    def preprocess(self, payload: Any) -> str:
        return payload[:MAX_CHARS] if isinstance(payload, str) else ""
