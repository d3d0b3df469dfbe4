"""What the lab's own addresses answer where something a person can mend is in the way: a sentence, never a traceback.

In the language of the page that asks, as far as the request tells it.
"""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import PlainTextResponse

from imgcls.errors import ImgclsError, InputError, SettingsError, StorageError
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.server.language import wanted
from imgcls.web.shared.work_gate import Busy

NOT_FOUND = 404  # what was asked for has gone, or was never there: of a run, a checkpoint or a data set
STATUS: dict[type[ImgclsError], int] = {Busy: 429, StorageError: 507, InputError: 422, SettingsError: 422}
RETRY_AFTER_S = 5  # seconds


def add_handlers(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def refused(_: Request, __: Exception) -> PlainTextResponse:
        """FastAPI's own answer repeats what was asked, and falls over what JSON cannot hold."""
        return PlainTextResponse("The lab knows no such request.", 422)

    @app.exception_handler(ImgclsError)
    async def told(request: Request, error: ImgclsError) -> PlainTextResponse:
        status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), NOT_FOUND)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == STATUS[Busy] else {}
        return PlainTextResponse(_words(language_of(request)).message(error.message), status, headers)


def language_of(request: Request) -> str:
    """Named by the request itself, or by the page that it comes from; otherwise what the browser prefers."""
    page = urlsplit(request.headers.get("referer", "")).path.split("/")
    named = (request.path_params.get("language"), request.query_params.get("language"), *page)
    return next((name for name in named if name in LANGUAGES), wanted(request.headers.get("accept-language", "")))


@cache
def _words(language: str) -> Translator:
    return Translator(language)
