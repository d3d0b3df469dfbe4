"""What a page asks for when it is opened: one question to the server for all of its tabs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from imgcls.web.shared.events import SILENT

Make = Callable[[gr.Request], Sequence[Any]]


class PageLoad:
    """Tabs `add` what they make of the address; `wire`, once they all have, is the page's one event. Where several make
    an update of the same component, what the later one says stands over the earlier one's."""

    def __init__(self) -> None:
        self._parts: list[tuple[Make, list[Any]]] = []

    def add(self, make: Make, outputs: Sequence[Any]) -> None:
        self._parts.append((make, list(outputs)))

    def wire(self, page: gr.Blocks) -> Any:
        components = list({id(output): output for _, outputs in self._parts for output in outputs}.values())

        def opened(request: gr.Request) -> list[Any]:
            values: dict[int, Any] = {}
            for make, outputs in self._parts:
                for output, value in zip(outputs, self._values(make, request, len(outputs)), strict=True):
                    values[id(output)] = merged(values[id(output)], value) if id(output) in values else value
            return [values[id(component)] for component in components]

        return page.load(opened, None, components, **SILENT)

    def _values(self, make: Make, request: gr.Request, count: int) -> Sequence[Any]:
        try:
            return make(request)
        except Exception:  # a run that goes at this moment: the other tabs open all the same
            logging.getLogger("imgcls.web").exception("A tab could not be opened as its address says")
            return [gr.skip()] * count


def merged(before: Any, news: Any) -> Any:
    """An update of a component, with another one over it."""
    if news == gr.skip():
        return before
    if not is_update(before):
        before = {**gr.skip(), "value": before}
    return {**before, **(news if is_update(news) else {"value": news})}


def is_update(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type__") == "update"
