"""A drawing's answer by the server, for networks that the page does not compute, at each stroke.

The page asks for it directly: an event of Gradio's costs as much processor time as the answer itself.
"""

from __future__ import annotations

import json
from functools import cache

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from imgcls.errors import InputError
from imgcls.web.cache import RunCache
from imgcls.web.components.pad import drawing_of
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.tabs.classify import of_drawing
from imgcls.web.views import answers


def add_routes(app: FastAPI, watch: RunCache) -> None:
    async def drawn(request: Request) -> Response:
        language = request.path_params["language"]
        try:
            asked = json.loads(await request.body())
            drawing, chosen = asked["drawing"], str(asked["checkpoint"])
        except (ValueError, LookupError, TypeError, RecursionError):
            return Response(status_code=422)
        if language not in LANGUAGES:
            return Response(status_code=404)
        return HTMLResponse(await run_in_threadpool(_answer, watch, _words(language), drawing, chosen))

    app.add_route("/drawn/{language}", drawn, methods=["POST"])  # without FastAPI's own way, as looks.py


def _answer(watch: RunCache, words: Translator, drawing: object, chosen: str) -> str:
    try:
        return str(of_drawing(watch, words, drawing_of(drawing), chosen))
    except InputError as error:
        return str(answers.problem(words.message(error.message), words))


@cache
def _words(language: str) -> Translator:
    return Translator(language)
