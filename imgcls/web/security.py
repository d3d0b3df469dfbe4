"""Who comes in: allowed hosts, requests from the page itself only, a password where one is set, a content policy.

Knows nothing of Gradio or of what lies behind the door.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imgcls.web.hosting import Hosting
from imgcls.web.i18n.words import LANGUAGES

# Everything from here, nothing from elsewhere; Gradio's page needs inline scripts and styles, and compiles templates.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; "
    "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)
LARGEST_BODY = 8_000_000  # bytes
UPLOAD = re.compile(rf"/({'|'.join(LANGUAGES)})/gradio_api/upload/?")
WRONG = 1.0  # seconds that a wrong password waits


def guard(app: FastAPI, made: Hosting) -> None:
    """Put the doors before the application, the outermost last."""
    app.add_middleware(SecurityMiddleware, password=made.password)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(made.allowed_hosts), www_redirect=False)


class SecurityMiddleware:
    def __init__(self, app: ASGIApp, password: str | None) -> None:
        self.app, self.password = app, password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and not same_origin(headers):
            await PlainTextResponse("Only the lab's own page may do this.", 403)(scope, receive, send)
            return
        if scope["method"] == "POST" and not UPLOAD.fullmatch(scope["path"]) and not small(headers):
            await PlainTextResponse("That is more than the lab's own page would send.", 413)(scope, receive, send)
            return
        if self.password and not knows(headers.get("authorization", ""), self.password):
            if "authorization" in headers:
                await asyncio.sleep(WRONG)
            asked = {"WWW-Authenticate": 'Basic realm="imgcls", charset="UTF-8"'}
            await PlainTextResponse("This lab asks for a password (any user name).", 401, asked)(scope, receive, send)
            return

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                out.setdefault("Content-Security-Policy", POLICY)
                out.setdefault("X-Content-Type-Options", "nosniff")
                out.setdefault("Referrer-Policy", "same-origin")
            await send(message)

        await self.app(scope, receive, answered)


def same_origin(headers: Headers) -> bool:
    """A browser names the page that asks; a script of one's own does not."""
    origin = headers.get("origin")
    if origin is None:
        return True
    host = headers.get("x-forwarded-host") or headers.get("host", "")
    return urlsplit(origin).netloc == host


def small(headers: Headers) -> bool:
    """Uploads have their own limit; anything else is at most a photo. Without a length it is no page's request."""
    length = headers.get("content-length", "")
    return "transfer-encoding" not in headers and length.isdigit() and int(length) <= LARGEST_BODY


def knows(authorization: str, password: str) -> bool:
    kind, _, written = authorization.partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        given = base64.b64decode(written, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return False
    return hmac.compare_digest(given.encode(), password.encode())
