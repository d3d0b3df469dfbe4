"""The drawing pad: a small canvas that takes the first stroke at once and sends what is drawn while it is drawn.

Gradio's own sketch pad ignores the first stroke and answers after a second; this one is read in the frame of each pen
move where the page can, and sends otherwise.
Knows nothing of digits: what is drawn arrives as a Pillow image, or None when the pad is empty.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from imgcls.errors import InputError
from imgcls.imaging.image_io import open_image
from imgcls.web.i18n.script_sentences import PAD, in_language
from imgcls.web.i18n.translator import Translator

PREFIX = "data:image/png;base64,"
NOTHING = "none"
LARGEST = 300_000  # characters; a drawing has about 4,000
SCRIPT = (Path(__file__).parent / "pad.js").read_text("utf-8")
TEMPLATE = (Path(__file__).parent / "pad.html").read_text("utf-8")


def drawing_of(payload: Any) -> Image.Image | None:
    """What the browser sent of a drawing; None where nothing is drawn. Raises InputError for what no pad would send."""
    if payload in (None, "", NOTHING):
        return None
    if isinstance(payload, str) and len(payload) <= LARGEST and payload.startswith(PREFIX):
        with contextlib.suppress(binascii.Error, InputError):
            return open_image(base64.b64decode(payload[len(PREFIX) :], validate=True), name="The drawing")
    raise InputError("The drawing cannot be read: clear the pad and draw again.")


class DrawingPad(gr.HTML):
    """`drawn` fires while drawing and at pen-up unless the page reads it itself; the handler gets a Pillow image or
    None."""

    def __init__(self, words: Translator | None = None, *, in_page: bool = False, **options: Any) -> None:
        """`in_page`: the page itself will read the drawing, as soon as its script is there."""
        self.words = words = words or Translator("en")
        options.setdefault("html_template", TEMPLATE)
        options.setdefault("js_on_load", SCRIPT)
        said = in_language(PAD, words)
        super().__init__(value="", apply_default_css=False, in_page=in_page, **said, **options)

    def preprocess(self, payload: str | None) -> Image.Image | None:
        """Raises gr.Error for anything that no pad would send."""
        try:
            return drawing_of(payload)
        except InputError as error:
            raise gr.Error(self.words.message(error.message), print_exception=False) from None

    def postprocess(self, value: Any) -> str:
        return value if isinstance(value, str) else ""

    def api_info(self) -> dict[str, Any]:
        return {"type": "string", "description": f"a PNG as a data URL: {PREFIX}..."}

    def example_payload(self) -> str:
        return ""

    def example_value(self) -> str:
        return ""
