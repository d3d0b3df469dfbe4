"""Who comes in: allowed hosts, requests from the lab's own page only, a password where one is set, a content policy.

What a proxy says about the request it passes on (`X-Forwarded-*`) counts only from the proxies that `Hosting` names;
from anybody else those headers are dropped before anything behind can believe them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from imgcls.web.i18n.translator import LANGUAGES
from imgcls.web.server.hosting import Hosting
from imgcls.web.shared.work_gate import work

# Everything from here, nothing from elsewhere; Gradio's page needs inline scripts and styles, and compiles templates.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; "
    "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)
READING = ("GET", "HEAD", "OPTIONS")
LARGEST_BODY = 8_000_000  # bytes
UPLOAD = re.compile(rf"(/({'|'.join(LANGUAGES)}))?/gradio_api/upload/?")
ELSEWHERE = re.compile(r".*/gradio_api/(file[=/]\s*https?:|proxy=).*", re.I | re.S)  # Gradio would fetch it
ENVELOPE = 100_000  # bytes of an upload that are not the file's
TRIES = 10  # wrong passwords an address may send at once
EACH = 2.0  # seconds until it may send one more
ADDRESSES = 10_000  # remembered
FORWARDED = re.compile(rb"x-forwarded-.*|forwarded|x-real-ip|x-gradio-server")


def guard(app: FastAPI, hosting: Hosting, stored: Callable[[], int] = lambda: 0) -> None:
    """Put the doors before the application, the outermost last. `stored`: bytes of uploads that are kept already."""
    app.add_middleware(
        SecurityMiddleware,
        password=hosting.password,
        largest_upload=hosting.limits.upload_mb * 1_000_000 + ENVELOPE,
        all_uploads=hosting.limits.all_uploads_mb * 1_000_000,
        stored=stored,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosting.allowed_hosts), www_redirect=False)
    app.add_middleware(ForwardedMiddleware, trusted=hosting.trusted_proxies)


class ForwardedMiddleware:
    """Believes a proxy that is trusted: host, scheme and client are then the browser's. Drops what others claim."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self.app = app
        proxied: Any = ProxyHeadersMiddleware  # uvicorn's types of the protocol are not Starlette's
        self.behind_proxy: ASGIApp = proxied(app, trusted_hosts=list(trusted))
        self.any = "*" in trusted
        self.networks = [ipaddress.ip_network(name, strict=False) for name in trusted if name != "*"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if not self.trusts(scope.get("client")):
            kept = [(name, value) for name, value in scope["headers"] if not FORWARDED.fullmatch(name)]
            await self.app({**scope, "headers": kept}, receive, send)
            return
        host = Headers(scope=scope).get("x-forwarded-host", "").partition(",")[0].strip()
        if host:
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {**scope, "headers": [(b"host", host.encode("latin-1")), *headers]}
        await self.behind_proxy(scope, receive, send)

    def trusts(self, client: tuple[str, int] | None) -> bool:
        if self.any or not self.networks:
            return self.any
        try:
            address = ipaddress.ip_address(client[0] if client else "")
        except ValueError:
            return False
        return any(address in network for network in self.networks)


class SecurityMiddleware:
    def __init__(
        self, app: ASGIApp, password: str | None, largest_upload: int, all_uploads: int, stored: Callable[[], int]
    ) -> None:
        self.app, self.stored = app, stored
        self.largest_upload, self.all_uploads = largest_upload, all_uploads
        self.coming = 0  # bytes of the uploads that are on their way
        self.password = _digest(password) if password else None
        self.wrong = WrongPasswords()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self.refused(scope)
        length = int(Headers(scope=scope)["content-length"]) if refused is None and is_upload(scope) else 0
        if length and self.coming + length + await work("state", ("stored", id(self)), self.stored) > self.all_uploads:
            refused = PlainTextResponse("The lab has no room for another upload: try again in an hour.", 413)
        if refused is not None:
            await refused(scope, receive, send)
            return

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                out.setdefault("Content-Security-Policy", POLICY)
                out.setdefault("X-Content-Type-Options", "nosniff")
                out.setdefault("Referrer-Policy", "same-origin")
            await send(message)

        self.coming += length
        try:
            await self.app(scope, receive, answered)
        finally:
            self.coming -= length

    def refused(self, scope: Scope) -> Response | None:
        """The answer to a request that comes no further."""
        headers, method = Headers(scope=scope), scope["method"]
        if foreign(method, headers):
            return PlainTextResponse("Only the lab's own page may do this.", 403)
        if ELSEWHERE.fullmatch(scope["path"]):
            return PlainTextResponse("The lab fetches nothing from other machines.", 403)
        most = self.largest_upload if is_upload(scope) else LARGEST_BODY
        if method not in READING and not small(headers, most):
            return PlainTextResponse("That is more than the lab's own page would send.", 413)
        if self.password is None:
            return None
        client = scope["client"][0] if scope.get("client") else ""
        seconds = self.wrong.wait(client)
        if seconds:
            after = {"Retry-After": str(math.ceil(seconds))}
            return PlainTextResponse("Too many wrong passwords: wait a little, then try again.", 429, after)
        if knows(headers.get("authorization", ""), self.password):
            return None
        if "authorization" in headers:
            self.wrong.count(client)
        asked = {"WWW-Authenticate": 'Basic realm="imgcls", charset="UTF-8"'}
        return PlainTextResponse("This lab asks for a password (any user name).", 401, asked)


class WrongPasswords:
    """How long an address has to wait: TRIES at once, then one every EACH seconds, however many ask side by side."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._paid: OrderedDict[str, float] = OrderedDict()  # when all of an address's tries are made good

    def wait(self, client: str) -> float:
        return max(0.0, self._paid.get(_network(client), 0.0) - self.clock() - (TRIES - 1) * EACH)

    def count(self, client: str) -> None:
        name = _network(client)
        self._paid[name] = max(self.clock(), self._paid.get(name, 0.0)) + EACH
        self._paid.move_to_end(name)
        while len(self._paid) > ADDRESSES:
            self._paid.popitem(last=False)


def _network(client: str) -> str:
    """One visitor of IPv6 has 2^64 addresses."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else client


def foreign(method: str, headers: Headers) -> bool:
    """A browser names the page that asks; a program of one's own does not. A link from elsewhere may be followed."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            asking = urlsplit(origin).netloc
        except ValueError:
            return True
        return not asking or asking.lower() != headers.get("host", "").lower()
    return method not in READING and headers.get("sec-fetch-site") == "cross-site"


def is_upload(scope: Scope) -> bool:
    return scope["method"] not in READING and UPLOAD.fullmatch(scope["path"]) is not None


def small(headers: Headers, most: int) -> bool:
    """Without a length it is no page's request."""
    length = headers.get("content-length", "")
    counted = length.isascii() and length.isdigit() and len(length) < 20
    return counted and int(length) <= most and "transfer-encoding" not in headers


def knows(authorization: str, password: bytes) -> bool:
    """Whether the header carries the password of that digest; takes as long for a near miss as for any other."""
    kind, _, written = authorization.partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        given = base64.b64decode(written, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(_digest(given), password)


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()
