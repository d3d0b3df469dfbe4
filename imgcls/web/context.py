"""What every tab of a page is built from."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from imgcls.web.cache import RunCache
from imgcls.web.components.changes import Changes
from imgcls.web.i18n.translator import Translator
from imgcls.web.limits import Limits
from imgcls.web.people import People
from imgcls.web.weights import PageWeights


@dataclass(frozen=True)
class PageContext:
    """`changes` fires when a run, a comparison or a checkpoint has come or gone; `rooms` are the tabs themselves."""

    words: Translator
    watch: RunCache
    weights: PageWeights
    limits: Limits
    people: People
    page: gr.Blocks
    changes: Changes
    rooms: gr.Tabs
