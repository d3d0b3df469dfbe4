"""What every room's buttons share: errors told as one sentence, a question before something is gone, quiet events."""

from __future__ import annotations

import html
import inspect
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from imgcls.errors import ImgclsError
from imgcls.web.i18n.translator import Translator

# For what a person did not ask for, or expects at once: no queue, no spinner, no entry in the API. What has changed
# while an answer was on its way is asked about once more: by default Gradio would leave the last change unanswered.
SILENT: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "always_last",
}
# What the page knows itself is asked of nobody: JavaScript alone.
LOCAL: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple"}

# For what a person asks for and may be refused: an answer that comes through the queue carries its sentence.
REPORT_ERRORS: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def guard(translate: Translator, *, toast: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An error that a person can mend becomes one sentence; any other keeps its traceback in the log.

    `toast`: told on the page, where it is HTML to Gradio; to a program it is plain text.
    """

    def guarded(action: Callable[..., Any]) -> Callable[..., Any]:
        def toast_error(error: ImgclsError) -> gr.Error:
            sentence = translate.message(error.message)
            return gr.Error(html.escape(sentence) if toast else sentence, duration=15, print_exception=False)

        @wraps(action)
        def safely(*values: Any) -> Any:
            try:
                return action(*values)
            except ImgclsError as error:
                raise toast_error(error) from None

        @wraps(action)
        async def safely_later(*values: Any) -> Any:
            try:
                return await action(*values)
            except ImgclsError as error:
                raise toast_error(error) from None

        return safely_later if inspect.iscoroutinefunction(action) else safely

    return guarded


def confirm(question: str) -> str:
    """JavaScript for a button's `js`: go on with the first input, or not at all."""
    return f"name => {{ if (!confirm({json.dumps(question)})) throw new Error('kept'); return name; }}"


def updates(**values: str) -> str:
    """JavaScript of an update of a component: {property: JavaScript of its value}."""
    return "({ __type__: 'update', " + ", ".join(f"{name}: {value}" for name, value in values.items()) + " })"


def remember_values(page: gr.Blocks) -> None:
    """Gradio writes a field's value into it once more when all of its tab has come, which takes as long as the network
    does, and knows only what an event has given it: so each change is given to it."""
    for block in list(page.blocks.values()):
        if isinstance(block, gr.Dropdown) and block.multiselect:
            continue
        if isinstance(block, gr.Dropdown | gr.Radio | gr.Checkbox | gr.Number | gr.Textbox):
            block.change(None, block, block, js="value => value", **LOCAL)
