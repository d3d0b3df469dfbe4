"""HTML whose script asks the server: a function takes one object and answers with one, or with a sentence."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.errors import ImgclsError
from imgcls.web.i18n.translator import Translator

Function = Callable[[dict[str, Any]], dict[str, Any]]
Answering = Callable[..., dict[str, Any]]


class AskingHTML(gr.HTML):
    """`part`: the name of its template and its script, which lie beside the class; `said`: their sentences, by the
    names they know; `script`: instead of the file; `functions`: what the script may ask for, each made `answering`.

    Its value is text from the browser, of at most `longest` characters: '' otherwise.
    """

    def __init__(
        self,
        part: str,
        said: Mapping[str, str],
        functions: Sequence[Answering],
        *,
        longest: int,
        script: str | None = None,
        **options: Any,
    ) -> None:
        self.longest = longest
        folder = Path(inspect.getfile(type(self))).parent
        options.setdefault("value", "")
        super().__init__(
            html_template=(folder / f"{part}.html").read_text("utf-8"),
            js_on_load=script or (folder / f"{part}.js").read_text("utf-8"),
            server_functions=list(functions),
            apply_default_css=False,
            **said,
            **options,
        )

    def preprocess(self, payload: Any) -> str:
        return payload if isinstance(payload, str) and len(payload) < self.longest else ""

    def postprocess(self, value: Any) -> str:
        return value if isinstance(value, str) else ""


def answering(function: Function, words: Translator) -> Answering:
    """What comes from the browser is not trusted: whatever is no object of the right shape gets a sentence too.

    The function also learns the `visitor`, the address that asks, and the `request` itself.
    """

    def answered(asked: Any, request: gr.Request | None = None) -> dict[str, Any]:
        visitor = getattr(getattr(request, "client", None), "host", "")
        try:
            return function({**(asked if isinstance(asked, dict) else {}), "visitor": visitor, "request": request})
        except ImgclsError as error:
            return {"error": words.message(error.message)}
        except (LookupError, TypeError, ValueError, ArithmeticError):
            logging.getLogger(__name__).exception("%s", function.__name__)
            return {"error": words("That did not work: choose again.")}

    answered.__name__ = function.__name__
    return answered
