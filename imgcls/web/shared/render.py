"""Templates of what the page shows: HTML stands in `*.html.j2` beside what fills it; every value is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from imgcls.messages import readable
from imgcls.web.i18n.translator import Translator

WEB = Path(__file__).resolve().parent.parent
TEMPLATES = Environment(
    # One name space: a template is named without its folder, wherever it lies.
    loader=FileSystemLoader([WEB, *sorted(path for path in WEB.iterdir() if path.is_dir())]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def render(template: str, translate: Translator, **values: Any) -> Markup:
    """`template`.html.j2 in the language of `translate`, which is `_` and `plural` inside it."""
    html = TEMPLATES.get_template(f"{template}.html.j2").render(_=translate, plural=translate.plural, **values)
    return Markup(readable(html.strip()))
