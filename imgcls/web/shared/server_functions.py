"""HTML whose script asks the server: a function takes one object and answers with one, or with a sentence."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.errors import ImgclsError
from imgcls.web.i18n.translator import Translator
from imgcls.web.server.short_log import note
from imgcls.web.shared.scripts import starts
from imgcls.web.shared.work_gate import Kind, address_of, work

MALFORMED = (ImgclsError, LookupError, TypeError, ValueError, ArithmeticError)
Answer = dict[str, Any]
Function = Callable[[dict[str, Any]], Answer]
ServerFunction = Callable[..., Any]  # an Answer, or the promise of one


class ServerHTML(gr.HTML):
    """`template`: the name of its template and its script, which lie beside the class; `sentences`: theirs, by the
    names they know; `script`: instead of the file; `functions`: what the script may ask for, each a `server_function`.

    Its value is text from the browser, of at most `longest` characters: '' otherwise.
    """

    def __init__(
        self,
        template: str,
        sentences: Mapping[str, str],
        functions: Sequence[ServerFunction],
        *,
        longest: int,
        script: str | None = None,
        **options: Any,
    ) -> None:
        self.longest = longest
        folder = Path(inspect.getfile(type(self))).parent
        options.setdefault("value", "")
        super().__init__(
            html_template=(folder / f"{template}.html").read_text("utf-8"),
            js_on_load=script or starts(f"{folder.name}/{template}.js"),
            server_functions=list(functions),
            apply_default_css=False,
            **sentences,
            **options,
        )

    def preprocess(self, payload: Any) -> str:
        return payload if isinstance(payload, str) and len(payload) < self.longest else ""

    def postprocess(self, value: Any) -> str:
        return value if isinstance(value, str) else ""


def whoever_asks(_: dict[str, Any]) -> Hashable:
    """The `key` of an answer that is the same for everybody."""
    return ()


def server_function(
    function: Function | Callable[[dict[str, Any]], Awaitable[Answer]],
    translate: Translator,
    kind: Kind | None = None,
    *,
    key: Callable[[dict[str, Any]], Hashable] | None = None,
) -> ServerFunction:
    """What comes from the browser is not trusted: whatever is no object of the right shape gets a sentence too.

    The function also learns the `visitor`, the address that asks, and the `request` itself. kind: the pool that it
    works in, where it works for longer than a look at a few small files. key: what its answer depends on beside what is
    asked; those who ask for the same meanwhile wait for one making. None: each has it made.
    """

    def sentence(error: Exception) -> Answer:
        if isinstance(error, ImgclsError):
            return {"error": translate.message(error.message)}
        note(f"{function.__name__} was asked for what is not there: {error!r}")
        return {"error": translate("That did not work: choose again.")}

    def as_dict(payload: Any, request: gr.Request | None) -> dict[str, Any]:
        return {
            **(payload if isinstance(payload, dict) else {}),
            "visitor": address_of(request),
            "request": request,
        }

    def answer_at_once(payload: Any, request: gr.Request | None = None) -> Answer:
        try:
            return function(as_dict(payload, request))  # pyright: ignore[reportReturnType]
        except MALFORMED as error:
            return sentence(error)

    async def worked(payload: Any, request: gr.Request | None = None) -> Answer:
        inputs = as_dict(payload, request)
        try:
            if kind is None:
                return await function(inputs)  # pyright: ignore[reportGeneralTypeIssues]
            same = None if key is None else (function, json.dumps(payload, sort_keys=True), key(inputs))
            return await work(kind, same, lambda: function(inputs), inputs["visitor"])  # pyright: ignore[reportReturnType]
        except MALFORMED as error:
            return sentence(error)

    chosen = worked if kind is not None or inspect.iscoroutinefunction(function) else answer_at_once
    chosen.__name__ = function.__name__
    return chosen
