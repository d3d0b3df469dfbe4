"""Templates of what the page shows: HTML stands in `*.html.j2` beside this file; whatever is filled in is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from imgcls.messages import readable
from imgcls.web.i18n.translator import Translator

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def render(template: str, words: Translator, **values: Any) -> Markup:
    """`template`.html.j2 in the language of `words`, which are `_` and `plural` inside it."""
    made = TEMPLATES.get_template(f"{template}.html.j2").render(_=words, plural=words.plural, **values)
    return Markup(readable(made.strip()))
