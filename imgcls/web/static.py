"""What the page's own scripts ask for: themselves, weights, what units do. Each is named by its content."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response

from imgcls.errors import CheckpointError
from imgcls.web.classify import bundle
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.classify.handout import handout


def serve(app: FastAPI, weights: PageWeights) -> None:
    @app.get("/scripts/{name}.js")
    def script(name: str) -> Response:
        text = bundle.compact(bundle.bundle()) if name == bundle.digest() else None
        return _kept_for_ever(text, "text/javascript")

    @app.get("/weights/{name}")
    def network(name: str) -> Response:
        return _kept_for_ever(weights.content(name), "application/octet-stream")

    @app.get("/weights/{name}/units")
    def units(name: str) -> Response:
        return _kept_for_ever(weights.units(name), "application/octet-stream")

    @app.get("/weights/{name}/epochs")
    def epochs(name: str) -> Response:
        content = weights.epochs(name)
        return _none() if content is None else Response(content, media_type="application/octet-stream")

    @app.get("/weights/{name}/page")
    def page(name: str) -> Response:
        path = weights.path(name)
        try:
            content = handout(path, weights.cache.workspace) if path else None
        except CheckpointError as error:
            return PlainTextResponse(str(error), 404)
        if content is None:
            return _none()
        title = quote(f"{path.parent.name}.html")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{title}"}
        return Response(content, media_type="text/html; charset=utf-8", headers=headers)


def _none() -> Response:
    return PlainTextResponse("There is no such file (any more).", 404)


def _kept_for_ever(content: str | bytes | None, kind: str) -> Response:
    """What is named by its content never changes; a browser need not ask again."""
    if content is None:
        return _none()
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=31536000, immutable"})
