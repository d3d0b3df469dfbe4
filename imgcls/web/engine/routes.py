"""What a page that trains asks for: the engine, its worker, its images; and a place for what it has learnt."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from imgcls.checkpoints.format import read_meta
from imgcls.errors import ImgclsError, SettingsError
from imgcls.models.registry import OPTIONS
from imgcls.recipes import preprocess_for
from imgcls.runs import page_runs
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.engine.dataset_file import MODEL, SIZES, USUAL_IMAGES, DatasetFiles, page_classes, page_settings
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache, key
from imgcls.web.shared.work_gate import Kind, address_of, work

HERE = Path(__file__).parent
BUILDS = ("simd", "relaxed")
HEADER_BYTES = 20_000  # of what a page says about its weights
Answer = dict[str, Any] | list[dict[str, Any]]


@cache
def engine_names() -> dict[str, str]:
    """{build: its file's name on the page}, which changes with its content."""
    return {build: f"{build}-{hashlib.sha256(engine_file(build)).hexdigest()[:16]}.wasm" for build in BUILDS}


@cache
def engine_file(build: str) -> bytes:
    return (HERE / f"lenet-{build}.wasm").read_bytes()


def add_routes(app: FastAPI, run_cache: RunCache, weights: PageWeights, limits: Limits) -> None:
    training = PageTrainingFiles(run_cache, weights, limits)
    root = str(run_cache.workspace.root)

    @app.get("/engine/{name}")
    async def engine(name: str) -> Response:
        build = next((build for build, own_name in engine_names().items() if own_name == name), None)
        return _for_ever(engine_file(build) if build else None, "application/wasm")

    @app.get("/training-data")
    async def training_data(
        request: Request, dataset: str = "mnist", images: int = USUAL_IMAGES, start_from: str = "", language: str = "en"
    ) -> JSONResponse:
        """Where the file lies: its name changes with its content, so that a browser may keep it."""
        key = ("training-data", root, dataset, images, start_from)
        return await answer("document", key, lambda: training.url(dataset, images, start_from), request, language)

    @app.get("/training-data/{name}")
    async def training_file(name: str) -> Response:
        return _for_ever(training.files.content(name), "application/octet-stream")

    @app.get("/page-checkpoints")
    async def checkpoints(request: Request, dataset: str = "mnist", language: str = "en") -> JSONResponse:
        """LeNets of the lab that know the same classes by images of the same form: a page may learn on from them."""
        key = ("page-checkpoints", root, dataset)
        return await answer("state", key, lambda: training.checkpoints(dataset), request, language)

    @app.post("/page-runs")
    async def keep_network(request: Request, language: str = "en") -> JSONResponse:
        """The length of a JSON description (4 bytes, little endian), the description, a safetensors file."""
        content = await request.body()
        return await answer("document", None, lambda: training.keep(content), request, language)


class PageTrainingFiles:
    """What a page learns from, what it may learn on from, and what it has learnt."""

    def __init__(self, run_cache: RunCache, weights: PageWeights, limits: Limits) -> None:
        self.run_cache, self.weights, self.limits = run_cache, weights, limits
        self.workspace, self.files = run_cache.workspace, DatasetFiles(run_cache.workspace)

    def url(self, dataset: str, images: int, start_from: str) -> Answer:
        self.limits.check_name(dataset)
        if images not in SIZES:
            raise SettingsError("Choose how many images to learn from.", field="train_images")
        return {"url": f"training-data/{self.files.file(dataset, images, start_from).name}"}

    def checkpoints(self, dataset: str) -> Answer:
        self.limits.check_name(dataset)
        classes, preprocess = page_classes(dataset, self.workspace), preprocess_for(page_settings(dataset, 0))
        infos = [info for info in self.run_cache.checkpoints() if info.classes == classes and info.model == MODEL]
        metas = [(key(info), read_meta(info.path)) for info in infos]
        return [
            {"title": title, "url": f"../weights/{name}", "widths": [6, 16], **OPTIONS, **meta.options}
            for title, meta in metas
            if meta.preprocess == preprocess and (name := self.weights.name(title))
        ]

    def keep(self, content: bytes) -> Answer:
        from imgcls.checkpoints.import_weights import check_room  # torch, which the page does not wait for

        description, run, network = _read_upload(content)
        self._check(run)
        check_room(self.workspace, self.limits.adopted if self.limits.public else None)
        file = self.files.file(run.dataset, run.images, run.start_from)
        # The data, or the network it started from, may have changed while the page learnt: then nobody knows any more.
        manifest = file.manifest if file.manifest.digest == description.get("manifest") else None
        path = page_runs.keep(network, run, file.classes, self.workspace, manifest)
        self.run_cache.forget(path.parent.name)
        with contextlib.suppress(ImgclsError):  # the lab is busy: the next one to be kept has it measured, too
            page_runs.calibrate_later(self.workspace)
        return {"name": path.parent.name, "checkpoint": f"{path.parent.name}/best"}

    def _check(self, run: page_runs.PageRun) -> None:
        """Raises SettingsError."""
        self.limits.check_name(run.dataset)
        if run.images not in SIZES:  # a file of any other size would be made for this alone
            raise SettingsError("A page learns from {sizes} images, 0 for all.", sizes=", ".join(map(str, SIZES)))
        self.limits.check(run.settings())


def _read_upload(content: bytes) -> tuple[dict[str, Any], page_runs.PageRun, bytes]:
    """(the description, the run that it says, the safetensors file). Raises SettingsError."""
    length = int.from_bytes(content[:4], "little")
    try:
        description = json.loads(content[4 : 4 + length] if length <= HEADER_BYTES else b"")
        run = page_runs.PageRun(
            dataset=str(description["dataset"]),
            model=str(description["model"]),
            images=int(description["images"]),
            given=dict(description["settings"]),
            start_from=str(description.get("start_from", "")),
            name=str(description.get("name", "")).strip()[:80],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SettingsError("What the page sent cannot be read: reload it, then keep the network again.") from None
    return description, run, content[4 + length :]


async def answer(
    kind: Kind, named: Hashable, make: Callable[[], Answer], request: Request, language: str
) -> JSONResponse:
    """What `make` says, through the gate; or `error`, one sentence in the page's language."""
    translate = _words(language if language in LANGUAGES else "en")
    headers = {"Cache-Control": "no-store"}
    try:
        return JSONResponse(await work(kind, named, make, address_of(request)), headers=headers)
    except ImgclsError as error:
        return JSONResponse({"error": translate.message(error.message)}, 403, headers=headers)


@cache
def _words(language: str) -> Translator:
    return Translator(language)


def _for_ever(content: bytes | None, kind: str) -> Response:
    if content is None:
        return PlainTextResponse("There is no such file (any more).", 404)
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "Content-Encoding": "identity"}
    return Response(content, media_type=kind, headers=headers)
