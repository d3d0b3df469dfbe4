"""The page's first bytes: Classify's frame with a pad on which one draws before Gradio has built the page.

Gradio's own page takes two to three seconds to be built, and shows nothing until then. What is drawn meanwhile goes to
its pad (first_page.js). A link to another tab or to a photo shows nothing of this.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path

from markupsafe import Markup

from imgcls.messages import N_
from imgcls.web.i18n.script_sentences import PAD, in_language
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render
from imgcls.web.shared.scripts import address

ROOMS = {  # the page's tabs
    "classify": N_("Classify"),
    "train": N_("Train"),
    "evaluate": N_("Evaluate"),
    "data": N_("Data"),
    "init-lab": N_("Init lab"),
}
HERE = Path(__file__).parent
SHEETS = (HERE.parent / "frame.css", HERE / "first_page.css")
BODY = re.compile(rb"<body[^>]*>")


@cache
def first_page(language: str) -> bytes:
    translate = Translator(language)
    said = {name: escape(text) for name, text in in_language(PAD, translate).items()}
    pad = re.sub(r"\$\{(\w+)\}", lambda found: said[found[1]], (HERE / "pad.html").read_text("utf-8"))
    made = render(
        "first_page",
        translate,
        css=Markup(compact_css("\n".join(sheet.read_text("utf-8") for sheet in SHEETS))),
        mark=render("mark", translate),
        others=translate.others,
        rooms={id: translate(title) for id, title in ROOMS.items()},
        pad=Markup(pad),
        script=address("classify/first_page.js"),
    )
    return made.encode()


def with_first_page(page: bytes, language: str) -> bytes:
    """Gradio's page with this at the beginning of its body."""
    return BODY.sub(lambda found: found[0] + first_page(language), page, count=1)


def compact_css(sheet: str) -> str:
    """Without comments, and without the spaces that nobody needs."""
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", sheet, flags=re.S)).strip()
