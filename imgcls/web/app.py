"""The web server: one page a language, the interface for programs at the root, where a browser is sent on to its own.

It asks nothing of any other machine, and fetches nothing that a visitor names. Weights that are not here are fetched
when a run that needs them is started, data sets when somebody asks who may (shared/fetch_dataset.py). Who comes in is
in server/security.py, what a tab does in its own folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

# Before Gradio is imported: no telemetry, no look-up of a newer version.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from imgcls.web.server.gradio_internals import (  # before the imports below define components
    Sessions,
    app_options,
    end_repeats,
    look_at_queues_every,
    only_described,
)

# isort: split
import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Mount

from imgcls.errors import ImgclsError
from imgcls.models.torchvision_check import torchvision
from imgcls.runs import run_index
from imgcls.runs.launcher import allow_warm_worker, keep_queue_moving
from imgcls.runs.lifecycle import remove_workspace_leftovers
from imgcls.runs.sweep import keep_all_going
from imgcls.web import api, downloads, page, static, style
from imgcls.web.classify import live_routes
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.classroom import board_routes, join_link, routes
from imgcls.web.engine import routes as engine_routes
from imgcls.web.i18n.translator import LANGUAGES, Translator, hide_folders
from imgcls.web.server import error_answers, security, tensorboard
from imgcls.web.server.connections import Connections, configured, raise_descriptor_limit
from imgcls.web.server.hosting import Hosting, hosting
from imgcls.web.server.language import LanguageMiddleware, wanted
from imgcls.web.server.port import MARK, listen, url_of
from imgcls.web.server.refusals import check_refusals
from imgcls.web.shared.identity import People
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.uploads import keep_sweeping, only_uploads, prepare_uploads, stored
from imgcls.web.shared.work_gate import address_of, work
from imgcls.web.train import live_cards, see_it_learn
from imgcls.workspace import PROJECT, Workspace

HERE = Path(__file__).parent
QUEUE_POLL_S = 0.02  # between two looks of Gradio's at a queue of events that is empty


def serve(*, host: str | None = None, port: int | None = None, show: bool | None = None) -> int:
    """Serve until interrupted; the exit code. `show`: open a browser (by default when a person is at the terminal)."""
    hosting_settings = hosting(host, port)
    workspace = Workspace.from_environment()
    listening = listen(hosting_settings.host, hosting_settings.port)
    app = create_app(hosting_settings, workspace)
    check_refusals(next(route.app for route in app.routes if isinstance(route, Mount) and route.path == "/en"))
    held = Connections(most=raise_descriptor_limit(), proxies=hosting_settings.trusted_proxies)
    config = configured(app, held, host=hosting_settings.host, port=hosting_settings.port)
    url = url_of(hosting_settings.host, listening.getsockname()[1])
    print(f"The lab is open at {url}  (Ctrl-C closes it; runs go on)", flush=True)
    join = join_link.address(hosting_settings, port=listening.getsockname()[1])
    if join:
        print(f"Others type {join}", flush=True)
        if sys.stdout.isatty():
            join_link.print_code(join, sys.stdout)
    if hosting_settings.limits.public and not hosting_settings.password:
        print("Anybody who reaches this address can use it; IMGCLS_PASSWORD sets a password.", file=sys.stderr)
    if show if show is not None else sys.stdout.isatty() and not hosting_settings.limits.public:
        threading.Timer(0.5, webbrowser.open, [url]).start()
    remove_workspace_leftovers(workspace)
    keep_queue_moving(workspace, hosting_settings.limits.runs_at_once)
    keep_all_going(workspace, hosting_settings.limits.runs_at_once)
    allow_warm_worker(workspace)
    threading.Thread(target=_warm_up, args=[workspace], daemon=True).start()
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def create_app(hosting_settings: Hosting, workspace: Workspace) -> FastAPI:
    """The whole lab as an ASGI application."""
    uploads = prepare_uploads(workspace)
    if hosting_settings.limits.public:
        hide_folders(workspace.root, PROJECT, uploads, Path(os.path.expanduser("~")))
    sessions = Sessions()

    @contextlib.asynccontextmanager
    async def tidied(_: FastAPI) -> AsyncIterator[None]:
        """While the lab is open: answers that nobody reads are forgotten, and uploads go when their time is up."""
        tasks = [asyncio.create_task(sessions.keep_forgetting()), asyncio.create_task(keep_sweeping(workspace))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            tensor_board.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=tidied)
    run_cache = RunCache(workspace)
    weights = PageWeights(run_cache)
    people = People(
        workspace,
        shared=hosting_settings.limits.public,
        host_password=hosting_settings.host_password,
        framed=hosting_settings.framed,
    )
    tensor_board = _add_routes(app, run_cache, weights, people, hosting_settings)
    for language in LANGUAGES:
        translate = Translator(language)
        with only_described():
            built = page.build(translate, run_cache, weights, hosting_settings.limits, people)
            built = only_uploads(built, translate)
        end_repeats(built)
        app = _mount(app, built, f"/{language}", sessions, hosting_settings, css_paths=list(style.SHEETS))
    # Last, for it takes whatever is left.
    with only_described():
        programs = only_uploads(api.build(run_cache, hosting_settings.limits, people), Translator("en"))
    app = _mount(app, programs, "/", sessions, hosting_settings)
    app.add_middleware(LanguageMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=5)
    security.guard(app, hosting_settings, stored, sessions)
    return app


def _add_routes(
    app: FastAPI, run_cache: RunCache, weights: PageWeights, people: People, hosting_settings: Hosting
) -> tensorboard.TensorBoard:
    """Every address that is not Gradio's. TensorBoard is the caller's to close."""
    error_answers.add_handlers(app)
    _add_own_routes(app, run_cache)
    live_cards.add_routes(app, run_cache)
    see_it_learn.add_routes(app, run_cache)
    tensor_board = tensorboard.add_routes(app, run_cache.workspace.train_logs, people)
    routes.add_routes(app, run_cache, people, hosting_settings)
    board_routes.add_routes(app, run_cache.workspace, people)
    live_routes.add_routes(app, run_cache)
    static.serve(app, weights)
    engine_routes.add_routes(app, run_cache, weights, hosting_settings.limits)
    downloads.add_routes(app, run_cache)
    return tensor_board


def _add_own_routes(app: FastAPI, run_cache: RunCache) -> None:
    @app.api_route("/", methods=["GET", "HEAD"])
    async def by_language(request: Request) -> RedirectResponse:
        chosen = wanted(request.headers.get("accept-language", ""))
        return RedirectResponse(f"{chosen}/" + (f"?{request.url.query}" if request.url.query else ""))

    @app.get("/favicon.ico")
    async def icon() -> FileResponse:
        return FileResponse(HERE / "favicon.png", headers=dict([MARK]))

    @app.get("/changes")
    async def changes(request: Request) -> PlainTextResponse:
        key = ("changes", str(run_cache.workspace.root))
        version = await work("state", key, run_cache.version, address_of(request))
        return PlainTextResponse(version, headers={"Cache-Control": "no-store"})


def _mount(
    app: FastAPI, blocks: gr.Blocks, path: str, sessions: Sessions, hosting_settings: Hosting, **extra: Any
) -> FastAPI:
    look_at_queues_every(blocks, QUEUE_POLL_S)
    sessions.add(path.rstrip("/"), blocks)
    return gr.mount_gradio_app(
        app,
        blocks,
        path=path,
        ssr_mode=False,
        show_error=False,
        run_history=False,
        footer_links=[],
        max_file_size=f"{hosting_settings.limits.upload_mb}mb",
        theme=style.theme(),
        head=style.head(),
        app_kwargs=app_options(),
        **extra,
    )


def _warm_up(workspace: Workspace) -> None:
    """torch and the first network are there before the first stroke, and what all runs came to before their table is
    opened; the page does not wait for them."""
    try:
        torchvision()
        from imgcls.inference.predictor import warm

        warm(workspace.shipped("checkpoints", "lenet-digits", "best.safetensors"))
        run_index.rows(workspace)
    except ImgclsError as error:
        print(f"imgcls: {error}", file=sys.stderr)
