"""Who comes in: allowed hosts, requests from the lab's own page only, a password where one is set, a content policy.

What a proxy says about the request it passes on (`X-Forwarded-*`) counts only from the proxies that `Hosting` names;
from anybody else those headers are dropped before anything behind can believe them.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import ipaddress
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from imgcls.web.server.gradio_internals import (
    DIRECT,
    ELSEWHERE,
    EVENT,
    PAGE,
    QUESTION,
    STREAM,
    UNUSED,
    UPLOAD,
    USED,
)
from imgcls.web.server.hosting import Hosting
from imgcls.web.server.traffic import Kind, Refused, Traffic
from imgcls.web.shared.uploads import KEPT_SECONDS, SWEEP_SECONDS
from imgcls.web.shared.work_gate import Busy, work

# Everything from here, nothing from elsewhere; Gradio's page needs inline scripts and styles, and compiles templates.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
FRAMING = " https://huggingface.co https://*.hf.space"  # where a Space's page stands
READING = ("GET", "HEAD", "OPTIONS")
MB = 1_000_000
KEEP = re.compile(rf"{PAGE}/page-runs/?")  # weights that a page made
MAX_BODY_BYTES, MAX_QUESTION_BYTES = 2 * MB, 8 * MB  # bytes
ENVELOPE_BYTES = 100_000  # bytes of an upload that are not the file's
TRIES = 10  # wrong passwords an address may send at once
REFILL_S = 2.0  # seconds until it may send one more
ADDRESSES = 10_000  # remembered
FORWARDED = re.compile(rb"x-forwarded-.*|forwarded|x-real-ip|x-gradio-server")


# What Gradio's clients understand, of a session that is not there (any more).
GONE = 'data: {"msg":"unexpected_error","message":"404: ","session_not_found":true,"success":false}\n\n'


class Sessions(Protocol):
    """Who of Gradio's sessions is there, who reads, and whose events wait on a page."""

    def there(self, page: str, session: str, event: str) -> bool: ...
    def reading(self, page: str, session: str, event: str) -> contextlib.AbstractContextManager[None]: ...
    def waiting(self, page: str) -> list[str]: ...
    def longest(self, page: str) -> int: ...


def guard(
    app: FastAPI, hosting: Hosting, stored: Callable[[], int] = lambda: 0, sessions: Sessions | None = None
) -> None:
    """Put the doors before the application, the outermost last. `stored`: bytes of uploads that are kept already."""
    limits = hosting.limits
    app.add_middleware(
        SecurityMiddleware,
        password=hosting.password,
        traffic=Traffic(
            all_uploads=limits.all_uploads_mb * MB,
            each_kept=limits.each_uploads_mb * MB,
            kept_seconds=KEPT_SECONDS + SWEEP_SECONDS,
        ),
        largest_upload=limits.upload_mb * MB + ENVELOPE_BYTES,
        shared=limits.public,
        stored=stored,
        sessions=sessions,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosting.allowed_hosts), www_redirect=False)
    app.add_middleware(ForwardedMiddleware, trusted=hosting.trusted_proxies)
    app.add_middleware(PolicyMiddleware, framed=hosting.framed)


class PolicyMiddleware:
    """Every answer carries the policy, refusals too. Nothing here speaks WebSocket, and none comes in."""

    def __init__(self, app: ASGIApp, framed: bool) -> None:
        self.app, self.policy = app, POLICY + (FRAMING if framed else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                out.setdefault("Content-Security-Policy", self.policy)
                out.setdefault("X-Content-Type-Options", "nosniff")
                out.setdefault("Referrer-Policy", "same-origin")
            await send(message)

        await self.app(scope, receive, watched_send)


class ForwardedMiddleware:
    """Believes a proxy that is trusted: host, scheme and client are then the browser's. Drops what others claim."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self.app = app
        proxied: Any = ProxyHeadersMiddleware  # uvicorn's types of the protocol are not Starlette's
        self.behind_proxy: ASGIApp = proxied(app, trusted_hosts="*" if "*" in trusted else list(trusted))
        self.trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if client := scope.get("client"):  # to a lab on "::" IPv4 comes as IPv6
            scope = {**scope, "client": (str(_unmapped(client[0]) or client[0]), client[1])}
        if not trusts(self.trusted, scope.get("client")):
            sent_headers = [(name, value) for name, value in scope["headers"] if not FORWARDED.fullmatch(name)]
            await self.app({**scope, "headers": sent_headers}, receive, send)
            return
        host = Headers(scope=scope).get("x-forwarded-host", "").partition(",")[0].strip()
        if host:
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {**scope, "headers": [(b"host", host.encode("latin-1")), *headers]}
        if "*" in self.trusted:
            scope = {**scope, "headers": self._with_one_client(scope["headers"])}
        await self.behind_proxy(scope, receive, send)

    def _with_one_client(self, headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Each proxy writes behind what it was told; where all are believed, uvicorn takes the first, which anybody can
        write. The last one that is no proxy itself is who came to them."""
        told = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1")
        chain = [address.strip() for address in told.split(",") if address.strip()]
        networks = [name for name in self.trusted if name != "*"]
        client = next((one for one in reversed(chain) if not trusts(networks, (one, 0))), (chain or [""])[-1])
        others = [(name, value) for name, value in headers if name != b"x-forwarded-for"]
        return [*others, (b"x-forwarded-for", client.encode("latin-1"))] if client else others


def trusts(trusted: Sequence[str], client: tuple[str, int] | None) -> bool:
    """Whether `client` is one of the proxies that are `trusted`."""
    if "*" in trusted:
        return True
    address = _unmapped(client[0]) if client else None
    return address is not None and any(address in ipaddress.ip_network(name, strict=False) for name in trusted)


class SecurityMiddleware:
    def __init__(
        self,
        app: ASGIApp,
        password: str | None,
        traffic: Traffic,
        largest_upload: int,
        shared: bool,
        stored: Callable[[], int],
        sessions: Sessions | None,
    ) -> None:
        self.app, self.stored, self.sessions, self.traffic = app, stored, sessions, traffic
        self.largest_upload, self.shared = largest_upload, shared
        self.password = _digest(password) if password else None
        self.wrong = WrongPasswords()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self.refused(scope)
        if refused is not None:
            await refused(scope, receive, send)
            return
        stream = STREAM.fullmatch(scope["path"]) if scope["method"] == "GET" and self.sessions else None
        if stream is None or self.sessions is None:
            await self.passed(scope, receive, send)
            return
        page, event = stream["page"], stream["event"] or ""
        session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        if not self.sessions.there(page, session, event):
            await Response(GONE, 404, media_type="text/event-stream")(scope, receive, send)
            return
        with self.sessions.reading(page, session, event):
            await self.passed(scope, receive, send)

    async def passed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """On to the application, within the limits of what may come and how slowly."""
        client = network_of(_client(scope))
        kind: Kind = "upload" if is_upload(scope) else "event" if EVENT.fullmatch(scope["path"]) else "other"
        length = int(Headers(scope=scope).get("content-length") or 0) if scope["method"] not in READING else 0
        started, refused, come = False, None, None

        async def watched_send(message: Message) -> None:
            nonlocal started
            if come is not None and come.refused is not None and not started:
                return  # what the application makes of a request that was broken off
            started = started or message["type"] == "http.response.start"
            # Gradio's answers to data that an event does not take, and to one that finds the queue full.
            if message.get("status") == 500 and DIRECT.fullmatch(scope["path"]):
                message = {**message, "status": 422}
            if message.get("status") == 503 and EVENT.fullmatch(scope["path"]):
                message = {**message, "status": 429}
            await self.traffic.sent(send, message)

        try:
            stored = await work("state", ("stored", id(self)), self.stored) if kind == "upload" else 0
            with self.traffic.coming(kind, client, length, stored) as come:
                self.check_queue(scope, client)
                await self.app(scope, come.watched(receive) if length else receive, watched_send)
                refused = come.refused
        except Refused as error:
            refused = error
        except Busy as error:
            refused = Refused(str(error), 429)
        if refused is not None and not started:
            closing = {"Connection": "close"} if refused.status == 408 else None  # otherwise the rest is thrown away
            await PlainTextResponse(str(refused), refused.status, closing)(scope, receive, send)

    def check_queue(self, scope: Scope, client: str) -> None:
        """Raises Refused where an address would take more than its half of the events that may wait on a page: one
        that takes all of it would turn everybody's Start away."""
        event = EVENT.fullmatch(scope["path"])
        if not self.shared or self.sessions is None or event is None or scope["method"] in READING:
            return
        own = sum(network_of(address) == client for address in self.sessions.waiting(event["page"]))
        if own + self.traffic.asking[client] > self.sessions.longest(event["page"]) // 2:
            raise Refused("Much is asked from this address already: try again in a moment.", 429)

    def refused(self, scope: Scope) -> Response | None:
        """The answer to a request that comes no further."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        if foreign(method, headers):
            return PlainTextResponse("Only the lab's own page may do this.", 403)
        if ELSEWHERE.fullmatch(path):
            return PlainTextResponse("The lab fetches nothing from other machines.", 403)
        if not small(headers, self.most(scope)) and method not in READING:
            return PlainTextResponse("That is more than the lab's own page would send.", 413)
        if self.password is not None and (refused := self.without_password(_client(scope), headers)):
            return refused
        if UNUSED.fullmatch(path) and not USED.fullmatch(path):
            return PlainTextResponse("The lab has no such page.", 404)
        return None

    def most(self, scope: Scope) -> int:
        """Bytes that a request may bring."""
        if is_upload(scope):
            return self.largest_upload
        asks = QUESTION.fullmatch(scope["path"]) or KEEP.fullmatch(scope["path"])  # pictures to be read, or weights
        return MAX_QUESTION_BYTES if asks else MAX_BODY_BYTES

    def without_password(self, client: str, headers: Headers) -> Response | None:
        """The right one opens, whoever else has guessed at that address; who guesses waits."""
        if self.password is None or knows(headers.get("authorization", ""), self.password):
            return None
        if "authorization" in headers:
            if seconds := self.wrong.wait(client):
                after = {"Retry-After": str(math.ceil(seconds))}
                return PlainTextResponse("Too many wrong passwords: wait a little, then try again.", 429, after)
            self.wrong.count(client)
        challenge = {"WWW-Authenticate": 'Basic realm="imgcls", charset="UTF-8"'}
        return PlainTextResponse("This lab asks for a password (any user name).", 401, challenge)


class WrongPasswords:
    """How long an address has to wait: TRIES at once, then one every REFILL_S, however many ask side by side."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._paid: OrderedDict[str, float] = OrderedDict()  # when all of an address's tries are made good

    def wait(self, client: str) -> float:
        return max(0.0, self._paid.get(network_of(client), 0.0) - self.clock() - (TRIES - 1) * REFILL_S)

    def count(self, client: str) -> None:
        name = network_of(client)
        self._paid[name] = max(self.clock(), self._paid.get(name, 0.0)) + REFILL_S
        self._paid.move_to_end(name)
        while len(self._paid) > ADDRESSES:
            self._paid.popitem(last=False)


def network_of(client: str) -> str:
    """Whom an address counts for: one visitor of IPv6 has 2^64 of them, and one of IPv4 may come as IPv6."""
    address = _unmapped(client)
    if address is None or address.version == 4:
        return str(address or client)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _unmapped(client: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _client(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


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
        password_typed = base64.b64decode(written, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(_digest(password_typed), password)


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()
