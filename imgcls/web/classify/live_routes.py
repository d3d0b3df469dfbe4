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
from imgcls.web.classify.answer import of_drawing, of_photo, pool_of
from imgcls.web.classify.camera import frame_of
from imgcls.web.classify.pad import drawing_of
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.work_gate import address_of, work

MAX_BYTES = 310_000  # bytes of a question: a picture of at most 300,000 characters, and the checkpoint's name


def add_routes(app: FastAPI, run_cache: RunCache) -> None:
    def answer_drawing(translate: Translator, payload: Any) -> str:
        return of_drawing(run_cache, translate, drawing_of(payload["drawing"]), str(payload["checkpoint"] or ""))

    def answer_frame(translate: Translator, payload: Any) -> str:
        return of_photo(run_cache, translate, frame_of(payload["picture"]), str(payload["checkpoint"] or ""))

    # Without FastAPI's own way, as train/live_cards.py.
    app.add_route("/drawn/{language}", _route(run_cache, answer_drawing, "drawing"), methods=["POST"])
    app.add_route("/seen/{language}", _route(run_cache, answer_frame, "picture"), methods=["POST"])


def _route(run_cache: RunCache, answer: Callable[[Translator, Any], str], of: str) -> Any:
    """POST {`of`: a data URL, "checkpoint": its key} -> HTML."""

    async def route(request: Request) -> Response:
        if request.path_params["language"] not in LANGUAGES:
            return Response(status_code=404)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:  # reading a large one as JSON would keep everybody waiting
                return Response(status_code=413)
        try:
            payload = json.loads(body)
            payload = {name: payload[name] for name in (of, "checkpoint")}
        except (ValueError, LookupError, TypeError, RecursionError):
            return Response(status_code=422)
        translate = _words(request.path_params["language"])
        user = address_of(request)
        try:
            kind = await pool_of(run_cache, str(payload["checkpoint"] or ""), user)
            html = await work(kind, None, lambda: str(answer(translate, payload)), user)
        except InputError as error:
            html = str(answer_view.problem(translate.message(error.message), translate))
        return HTMLResponse(html)

    return route


@cache
def _words(language: str) -> Translator:
    return Translator(language)
