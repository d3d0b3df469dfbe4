"""The look: a theme without any font, picture or script from elsewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from gradio.themes import Base
from gradio.themes.utils import colors, sizes
from markupsafe import Markup

from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render

SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "PingFang SC", "Noto Sans CJK SC", "sans-serif"]
WEB = Path(__file__).parent
# Of the page, in their order.
SHEETS = tuple(
    WEB / name
    for name in (
        "frame.css",
        "style.css",
        "rooms.css",
        "train/page_training.css",
        "init_lab/side_by_side.css",
        "runs_table/runs_table.css",
        "sweeps/sweeps.css",
    )
)
READABLE_PX = 14  # 24 on a wall of 1,920 pixels, where a projector's page is 1.75 times as large (whole_page.css)
COMMENT, RULE, SIZE = (
    re.compile(r"/\*.*?\*/", re.S),
    re.compile(r"([^{}]+)\{([^{}]*)\}"),
    re.compile(r"font-size:\s*([\d.]+)px"),
)
MONO = ["ui-monospace", "SFMono-Regular", "Consolas", "Noto Sans Mono CJK SC", "monospace"]


def theme() -> Base:
    base_theme = Base(
        primary_hue=colors.indigo,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_md,
        text_size=sizes.text_md,
        font=SANS,
        font_mono=MONO,
    )
    return base_theme.set(
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
    rules = (WEB / "whole_page.css").read_text("utf-8")
    sheets = [rules, projector_sizes("\n".join(sheet.read_text("utf-8") for sheet in SHEETS))]
    return "".join(render("page_style", Translator("en"), css=Markup(sheet)) for sheet in sheets)


def projector_sizes(sheet: str) -> str:
    """A rule that makes all text larger, on a projector, which `sheet` makes smaller than the back row can read."""
    rules = RULE.findall(COMMENT.sub("", sheet))
    small = [
        " ".join(where.split()) for where, said in rules if (size := SIZE.search(said)) and float(size[1]) < READABLE_PX
    ]
    return f"html.projector :is({', '.join(dict.fromkeys(small))}) {{ font-size: {READABLE_PX}px !important; }}"
