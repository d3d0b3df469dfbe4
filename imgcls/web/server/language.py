"""Which language a browser wants, and a page that speaks one from its first byte.

Gradio picks its own words ("Drop image here") by `navigator.language` before any script of ours runs, and knows plain
"zh" only as English: so the page says its language in the first line of its head.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imgcls.messages import N_
from imgcls.web.classify.first_page import with_first_page
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.shared import scripts
from imgcls.web.shared.work_gate import Busy, address_of, work

PAGES = 16  # kept, packed: a language at an address, 0.1 MB each
HOST = b"address-of-the-lab.invalid"  # for which the page is made
NAMED = re.compile(r"[a-z0-9._\-:\[\]]{1,255}")  # what a Host header may say: it stands in the page's script
Kind = tuple[str, str, str]  # language, scheme, where the application is mounted
LEVEL = 9  # of gzip, once
CODES = {"en": "en", "zh": "zh-CN"}
# What Gradio's components say in English whatever the language is.
GRADIO = (
    N_("Capture from camera"),
    N_("Click to Access Webcam"),
    N_("Click to upload or drop files"),
    N_("Close"),
    N_("Download"),
    N_("Empty value"),
    N_("Error"),
    N_("Exit fullscreen"),
    N_("Exit fullscreen mode"),
    N_("File upload"),
    N_("Fullscreen"),
    N_("More tabs"),
    N_("Paste from clipboard"),
    N_("Info"),
    N_("Remove"),
    N_("Remove Image"),
    N_("Remove this file"),
    N_("Reset to default value"),
    N_("Select input device"),
    N_("Uploaded files"),
    N_("Upload file"),
    N_("Uploading"),
    N_("View full screen"),
    N_("Warning"),
    N_("common.complete"),  # the name of a word that its Chinese has not
    N_("grant webcam access"),
    N_("processing |"),
    N_("queue:"),
)
# Modules that a page needs as soon as it is there, the earliest first.
FIRST = ("classify/first_page.js", "shared/page.js", "classify/js/classify.js", "classroom/classroom.js")
# Modules are evaluated in their order: these before Gradio's.
SCRIPT = """<head>{preloads}<script>
Object.defineProperty(navigator, 'language', {{ get: () => '{code}' }});
Object.defineProperty(navigator, 'languages', {{ get: () => ['{code}'] }});
document.documentElement.lang = '{code}';
</script>{mend}<script type="module" src="{page}"></script>"""
MEND = """<script type="module">import {{ replace }} from '{module}';
replace({said});</script>"""
# A browser fetches at once what it would find one import after the other.
PRELOAD = '<link rel="modulepreload" href="{module}">'


@cache
def script(language: str) -> bytes:
    """The first line of the page's head, in place of "<head>"."""
    translate = Translator(language)
    said = json.dumps({text: translate(text) for text in GRADIO}, ensure_ascii=False)
    module = scripts.address("server/gradio_words.js")
    mend = "" if language == "en" else MEND.format(module=module, said=said.replace("<", "\\u003c"))
    page = scripts.address("shared/page.js")
    preloads = "".join(PRELOAD.format(module=scripts.address(name)) for name in scripts.needed(*FIRST))
    return SCRIPT.format(code=CODES[language], mend=mend, page=page, preloads=preloads).encode()


def wanted(accepted: str) -> str:
    """The first language of an Accept-Language header that the lab speaks; English otherwise."""
    asked: list[tuple[float, int, str]] = []
    for i, part in enumerate(accepted.split(",")[:50]):
        name, _, weight = part.strip().partition(";q=")
        try:
            share = float(weight) if weight else 1.0
        except ValueError:
            continue
        asked.append((-share, i, name.lower().split("-")[0]))
    return next((name for share, _, name in sorted(asked) if name in LANGUAGES and share < 0), "en")


@dataclass(frozen=True)
class Page:
    """As it is at any address of a kind: HOST stands where its own does."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def at(self, host: str) -> bytes:
        return self.body.replace(HOST, host.encode())


class LanguageMiddleware:
    """Puts the language into the pages `/en/` and `/zh/`; everything else passes.

    A page is the same for all who open it, but for the address that they typed: it is made once, and packed once for
    each address, of which anybody can name 65,535 by their ports. Who does keeps only himself waiting.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._making: dict[Kind, asyncio.Lock] = {}
        self._pages: dict[Kind, Page] = {}
        self._packed: OrderedDict[tuple[Kind, str], bytes] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        language = scope["path"].strip("/") if scope["type"] == "http" and scope["method"] == "GET" else ""
        if language not in CODES:
            await self.app(scope, receive, send)
            return
        if scope["path"] == f"/{language}":  # as one types it
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{language}/" + (f"?{query}" if query else ""))(scope, receive, send)
            return
        await (await self._answer(language, Request(scope, receive)))(scope, receive, send)

    async def _answer(self, language: str, request: Request) -> Response:
        host = request.headers.get("host", "").lower() or str(request.url.netloc)
        if not NAMED.fullmatch(host):
            return PlainTextResponse("The lab knows no such host.", 400)
        kind = language, request.url.scheme, request.scope.get("root_path", "")
        async with self._making.setdefault(kind, asyncio.Lock()):
            page = self._pages.get(kind) or await self._made(kind, request)
            if isinstance(page, Response):  # not made: what the application says instead
                return page
            self._pages[kind] = page
        wants_packed = "gzip" in request.headers.get("accept-encoding", "")
        packed = await self._pack(kind, host, page, address_of(request)) if wants_packed else None
        answer = Response(page.at(host) if packed is None else packed)
        encoding = [] if packed is None else [(b"content-encoding", b"gzip")]
        length = (b"content-length", str(len(answer.body)).encode())
        answer.raw_headers = [*page.headers, (b"vary", b"Accept-Encoding"), *encoding, length]
        return answer

    async def _pack(self, kind: Kind, host: str, page: Page, user: str) -> bytes | None:
        """None where many are asking just now: the page comes as it is."""
        key = kind, host
        if key not in self._packed:
            try:
                named = ("page", id(self), key)
                packed = await work("picture", named, lambda: gzip.compress(page.at(host), LEVEL), user)
            except Busy:
                return None
            self._packed[key] = packed
            while len(self._packed) > PAGES:
                self._packed.popitem(last=False)
            return packed
        self._packed.move_to_end(key)
        return self._packed[key]

    async def _made(self, kind: Kind, request: Request) -> Page | Response:
        """The application's page, as it is without a query: what a query says is read by the page itself. Of what else
        a browser or a proxy says nothing reaches it: it would be in everybody's page."""
        start: Message = {}
        body = b""

        async def held(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")

        await self.app({**request.scope, "query_string": b"", "headers": [(b"host", HOST)]}, request.receive, held)
        headers = tuple((name, value) for name, value in start.get("headers", ()) if name.lower() != b"content-length")
        if start.get("status") != 200:
            answer = Response(body, start.get("status", 404))
            answer.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
            return answer
        language = kind[0]
        return Page(headers, with_first_page(body.replace(b"<head>", script(language), 1), language))
