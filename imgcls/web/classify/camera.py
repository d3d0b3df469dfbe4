"""The live camera: what is before it, and what the chosen network makes of it, a few times a second."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from imgcls.errors import InputError
from imgcls.web.i18n.script_sentences import CAMERA, in_language
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.scripts import starts
from imgcls.web.shared.work_gate import SKETCH_PIXELS, opened_picture

PREFIX = "data:image/jpeg;base64,"
MAX_CHARS = 300_000  # characters; a picture of 352 pixels has about 30,000
HERE = Path(__file__).parent


def frame_of(payload: Any) -> Image.Image:
    """What the browser sent. Raises InputError for what no camera would send."""
    if isinstance(payload, str) and len(payload) <= MAX_CHARS and payload.startswith(PREFIX):
        with contextlib.suppress(ValueError, InputError):
            content = base64.b64decode(payload[len(PREFIX) :], validate=True)
            with opened_picture(content, name="The picture", most=SKETCH_PIXELS) as image:
                return image.copy()  # small
    raise InputError("The camera's picture cannot be read: stop the camera and start it again.")


class LiveCamera(gr.HTML):
    """`seen` asks about the picture in its value, `began` is told when the camera opens, `ended` when it is
    stopped and no picture is held."""

    def __init__(self, translate: Translator | None = None, **options: Any) -> None:
        translate = translate or Translator("en")
        options.setdefault("html_template", (HERE / "camera.html").read_text("utf-8"))
        options.setdefault("js_on_load", starts("classify/camera.js", "seen", "began", "ended"))
        super().__init__(value="", apply_default_css=False, **in_language(CAMERA, translate), **options)

    def preprocess(self, payload: Any) -> str:
        return ""  # no event takes it: pictures are asked about directly

    def postprocess(self, value: Any) -> str:
        return ""
