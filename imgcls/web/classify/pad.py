"""The drawing pad: a small canvas that takes the first stroke at once and sends what is drawn while it is drawn.

Gradio's own sketch pad ignores the first stroke and answers after a second; this one is read in the frame of each pen
move where the page can, and sends otherwise.
Knows nothing of digits: what is drawn arrives as a data URL, which `drawing_of` opens.
"""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from imgcls.errors import InputError
from imgcls.web.i18n.script_sentences import PAD, in_language
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.scripts import starts
from imgcls.web.shared.work_gate import SKETCH_PIXELS, opened_picture

PREFIX = "data:image/png;base64,"
NOTHING = "none"
MAX_CHARS = 300_000  # characters; a drawing has about 4,000
TEMPLATE = (Path(__file__).parent / "pad.html").read_text("utf-8")


def drawing_of(payload: Any) -> Image.Image | None:
    """What the browser sent of a drawing; None where nothing is drawn. Raises InputError for what no pad would send."""
    if payload in (None, "", NOTHING):
        return None
    if isinstance(payload, str) and len(payload) <= MAX_CHARS and payload.startswith(PREFIX):
        with contextlib.suppress(ValueError, InputError):
            content = base64.b64decode(payload[len(PREFIX) :], validate=True)
            with opened_picture(content, name="The drawing", most=SKETCH_PIXELS) as image:
                return image.copy()  # small
    raise InputError("The drawing cannot be read: clear the pad and draw again.")


class DrawingPad(gr.HTML):
    """`drawn` fires while drawing and at pen-up unless the page reads it itself; the handler gets what `drawing_of`
    takes."""

    def __init__(self, translate: Translator | None = None, *, in_page: bool = False, **options: Any) -> None:
        """`in_page`: the page itself will read the drawing, as soon as its script is there."""
        translate = translate or Translator("en")
        options.setdefault("html_template", TEMPLATE)
        options.setdefault("js_on_load", starts("classify/first_page.js", "drawn"))
        said = in_language(PAD, translate)
        super().__init__(value="", apply_default_css=False, in_page=in_page, **said, **options)

    def preprocess(self, payload: Any) -> str:
        return payload if isinstance(payload, str) and len(payload) <= MAX_CHARS else ""

    def postprocess(self, value: Any) -> str:
        return value if isinstance(value, str) else ""

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": f"a PNG as a data URL: {PREFIX}..."}

    def example_payload(self) -> str:
        return ""

    def example_value(self) -> str:
        return ""
