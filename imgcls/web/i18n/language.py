"""Which language a browser wants, and a page that speaks one from its first byte.

Gradio picks its own words ("Drop image here") by `navigator.language` before any script of ours runs, and knows plain
"zh" only as English: so the page says its language in the first line of its head.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imgcls.web.i18n.translator import LANGUAGES

CODES = {"en": "en", "zh": "zh-CN"}
SCRIPT = """<head><script>
Object.defineProperty(navigator, 'language', {{ get: () => '{code}' }});
Object.defineProperty(navigator, 'languages', {{ get: () => ['{code}'] }});
document.documentElement.lang = '{code}';
</script>"""


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


class LanguageMiddleware:
    """Puts the language into the pages `/en/` and `/zh/`; everything else passes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        code = CODES.get(scope["path"].strip("/")) if scope["type"] == "http" and scope["method"] == "GET" else None
        if code is None:
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def held(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            said = body.replace(b"<head>", SCRIPT.format(code=code).encode(), 1)
            headers = [(name, value) for name, value in start.get("headers", ()) if name.lower() != b"content-length"]
            await send(start | {"headers": [*headers, (b"content-length", str(len(said)).encode())]})
            await send({"type": "http.response.body", "body": said})

        await self.app(scope, receive, held)
