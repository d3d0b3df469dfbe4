"""What the page's own scripts ask for: themselves, weights, what units do. Each is named by its content."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.classify.handout import handout_with
from imgcls.web.shared import scripts
from imgcls.web.shared.work_gate import address_of, work


def serve(app: FastAPI, weights: PageWeights) -> None:
    root = str(weights.cache.workspace.root)

    @app.get("/scripts/{digest}/{name:path}")
    async def script(digest: str, name: str, request: Request) -> Response:
        return _script(digest, name, "gzip" in request.headers.get("accept-encoding", ""))

    @app.get("/weights/{name}")
    async def network(name: str, request: Request) -> Response:
        content = await work("state", ("weights", root, name), lambda: weights.content(name), address_of(request))
        return _kept_for_ever(content, "application/octet-stream")

    @app.get("/weights/{name}/units")
    async def units(name: str, request: Request) -> Response:
        return _kept_for_ever(await units_of(name, request), "application/octet-stream")

    @app.get("/weights/{name}/epochs")
    async def epochs(name: str, request: Request) -> Response:
        _, epochs_kept = await found(name, request)
        key = ("epochs", root, name, epochs_kept)
        content = await work("download", key, lambda: weights.epochs(name), address_of(request), keep=True)
        return _none() if content is None else Response(content, media_type="application/octet-stream")

    @app.get("/weights/{name}/page")
    async def page(name: str, request: Request) -> Response:
        path, epochs_kept = await found(name, request)
        if path is None:
            return _none()
        units = await units_of(name, request)
        key = ("page", root, name, epochs_kept, units is None)

        make = partial(weights.made_of, name, lambda checkpoint: handout_with(checkpoint, units))
        content = await work("document", key, make, address_of(request), keep=True)
        if content is None:  # saved anew meanwhile
            return _none()
        title = quote(f"{path.parent.name}.html")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{title}"}
        return Response(content, media_type="text/html; charset=utf-8", headers=headers)

    async def units_of(name: str, request: Request) -> bytes | None:
        key = ("units", root, name)
        return await work("download", key, lambda: weights.units(name), address_of(request), keep=True)

    async def found(name: str, request: Request) -> tuple[Path | None, tuple[int, ...]]:
        """The checkpoint, and the epochs that are kept beside it."""
        return await work("state", ("found", root, name), lambda: weights.found(name), address_of(request))


def _script(digest: str, name: str, packed: bool) -> Response:
    if digest != scripts.digest() or name not in scripts.modules():
        return _none()
    answer = _kept_for_ever(scripts.packed(name) if packed else scripts.modules()[name], "text/javascript")
    answer.headers.update({"Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if packed else {}))
    return answer


def _none() -> Response:
    return PlainTextResponse("There is no such file (any more).", 404)


def _kept_for_ever(content: str | bytes | None, kind: str) -> Response:
    """What is named by its content never changes; a browser need not ask again."""
    if content is None:
        return _none()
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=31536000, immutable"})
