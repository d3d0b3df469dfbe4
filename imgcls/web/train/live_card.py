"""The card of a run or a comparison, which keeps itself up to date while that goes on; and the log beside a run's.

`submit` fires when the page's buttons have to follow.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from imgcls.web.shared.scripts import starts

SCRIPT = "train/live_card.js"


class WatchedCard(gr.HTML):
    def __init__(self, value: str, **options: Any) -> None:
        super().__init__(value=value, js_on_load=starts(SCRIPT), **options)


class WatchedLog(gr.HTML):
    def __init__(self, **options: Any) -> None:
        super().__init__(value="", js_on_load=starts(SCRIPT, function="follow"), **options)
