"""What every tab of a page is built from."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.changes import Changes
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.page_load import PageLoad
from imgcls.web.shared.run_cache import RunCache


@dataclass(frozen=True)
class PageContext:
    """`changes` fires when a run, a comparison or a checkpoint has come or gone; `rooms` are the tabs themselves;
    `load` takes what each of them shows when the page is opened."""

    translate: Translator
    run_cache: RunCache
    weights: PageWeights
    limits: Limits
    people: People
    page: gr.Blocks
    changes: Changes
    rooms: gr.Tabs
    load: PageLoad
