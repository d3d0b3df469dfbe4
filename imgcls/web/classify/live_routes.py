"""A picture's answer by the server at each stroke of the pad and each look of the live camera.

The page asks for it directly: an event of Gradio's costs as much processor time as the answer itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from imgcls.errors import InputError
from imgcls.web.classify import answer_view
from imgcls.web.classify.answer import kind_of, of_drawing, of_photo
from imgcls.web.classify.camera import frame_of
from imgcls.web.classify.pad import drawing_of
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.work_gate import address_of, work

MAX_BYTES = 310_000  # bytes of a question: a picture of at most 300,000 characters, and the checkpoint's name


def add_routes(app: FastAPI, watch: RunCache) -> None:
    def drawn(words: Translator, asked: Any) -> str:
        return of_drawing(watch, words, drawing_of(asked["drawing"]), str(asked["checkpoint"] or ""))

    def seen(words: Translator, asked: Any) -> str:
        return of_photo(watch, words, frame_of(asked["picture"]), str(asked["checkpoint"] or ""))

    # Without FastAPI's own way, as looks.py.
    app.add_route("/drawn/{language}", _route(watch, drawn, "drawing"), methods=["POST"])
    app.add_route("/seen/{language}", _route(watch, seen, "picture"), methods=["POST"])


def _route(watch: RunCache, answer: Callable[[Translator, Any], str], of: str) -> Any:
    """POST {`of`: a data URL, "checkpoint": its key} -> HTML."""

    async def route(request: Request) -> Response:
        if request.path_params["language"] not in LANGUAGES:
            return Response(status_code=404)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BYTES:  # reading a large one as JSON would keep everybody waiting
                return Response(status_code=413)
        try:
            asked = json.loads(body)
            asked = {name: asked[name] for name in (of, "checkpoint")}
        except (ValueError, LookupError, TypeError, RecursionError):
            return Response(status_code=422)
        words = _words(request.path_params["language"])
        kind = kind_of(watch, str(asked["checkpoint"] or ""))
        try:
            html = await work(kind, None, lambda: str(answer(words, asked)), address_of(request))
        except InputError as error:
            html = str(answer_view.problem(words.message(error.message), words))
        return HTMLResponse(html)

    return route


@cache
def _words(language: str) -> Translator:
    return Translator(language)
