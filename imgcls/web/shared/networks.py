"""The networks behind the form's buttons: a table to look through, and the buttons that one of them may join.

The table is torchvision's own figures; which row is chosen comes from the browser as `submit`, and is checked like any
other setting.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from imgcls.models.registry import NAMES, REGISTERED, REGISTRY
from imgcls.models.torchvision_table import TABLE
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render
from imgcls.web.shared.scripts import starts

MAX_NAME_CHARS = 60  # characters of a network's name, as TrainSettings has it


def _named(payload: Any) -> str:
    return payload[:MAX_NAME_CHARS] if isinstance(payload, str) else ""


class NetworkButtons(gr.Radio):
    """A button for each of the lab's own networks and the registered ones, and for one chosen from the table."""

    is_template = True  # drawn as gr.Radio

    def preprocess(self, payload: Any) -> str:
        return _named(payload)


def buttons(translate: Translator, chosen: object = "") -> list[tuple[str, str]]:
    """The choices of `NetworkButtons`."""
    names = [*NAMES, *REGISTERED]
    names += [chosen] if isinstance(chosen, str) and chosen in REGISTRY and chosen not in names else []
    return [(translate.value(name), name) for name in names]


class MoreNetworks(gr.HTML):
    """`submit` fires when a row was chosen; the value is its name."""

    def __init__(self, translate: Translator, **options: Any) -> None:
        super().__init__(
            value="",
            html_template=render("networks", translate, rows=TABLE),
            js_on_load=starts("shared/networks.js"),
            apply_default_css=False,
            **options,
        )

    def preprocess(self, payload: Any) -> str:
        return _named(payload)

    def postprocess(self, value: Any) -> str:
        return value if isinstance(value, str) else ""
