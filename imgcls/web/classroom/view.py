"""A class that shares the lab: the dialogs that open on demand (who one is, the address to join, the host's password),
and the place where the queue stands. What they show comes from `web/classroom/routes.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.web.shared.render import render
from imgcls.web.shared.scripts import calls, starts

SCRIPT = "classroom/classroom.js"
SLOT = (Path(__file__).parent / "queue.html").read_text("utf-8")
# For the `js` of a button that starts something: whose it is, is asked first, and only once.
NAMED = calls(SCRIPT, "namedFirst")
REFRESH = calls(SCRIPT, "refresh")


class ClassDialogs(gr.HTML):
    def __init__(self, translate: Translator, people: People, **options: Any) -> None:
        html = render(
            "class_dialogs", translate, language=translate.language, shared=people.shared, has_host=people.has_host
        )
        super().__init__(value=html, js_on_load=starts(SCRIPT), apply_default_css=False, **options)


class QueueSlot(gr.HTML):
    def __init__(self, **options: Any) -> None:
        script = starts(SCRIPT, function="fill")
        super().__init__(value="", html_template=SLOT, js_on_load=script, apply_default_css=False, **options)
