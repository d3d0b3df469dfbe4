"""The look: a theme without any font, picture or script from elsewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gradio.themes import Base
from gradio.themes.utils import colors, sizes
from markupsafe import Markup

from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render

SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "PingFang SC", "Noto Sans CJK SC", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Consolas", "Noto Sans Mono CJK SC", "monospace"]


def theme() -> Base:
    made = Base(
        primary_hue=colors.indigo,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_md,
        text_size=sizes.text_md,
        font=SANS,
        font_mono=MONO,
    )
    return made.set(
        body_background_fill="#f6f7fb",
        body_background_fill_dark="#0d1018",
        body_text_color_subdued="#5b6475",
        body_text_color_subdued_dark="#a0a9bc",
        block_info_text_color="#5b6475",
        block_info_text_color_dark="#a0a9bc",
        input_placeholder_color="#5b6475",
        input_placeholder_color_dark="#a0a9bc",
        block_background_fill="#ffffff",
        block_background_fill_dark="#161a25",
        block_border_width="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_weight="600",
        button_primary_background_fill="#4338ca",
        button_primary_background_fill_hover="#3730a3",
        button_primary_background_fill_dark="#4f46e5",
        button_primary_background_fill_hover_dark="#5855ea",
        button_primary_text_color="#ffffff",
        input_background_fill="#f8fafc",
        input_background_fill_dark="#0f131d",
        input_border_width="1px",
    )


@cache
def head() -> str:
    """What stands in the head of every page: the rules that Gradio must not write anew."""
    rules = (Path(__file__).parent / "whole_page.css").read_text("utf-8")
    return str(render("page_style", Translator("en"), css=Markup(rules)))
