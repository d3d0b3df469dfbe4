"""What a run leaves behind, to take home: its best checkpoint, its curves as a table, a report of all there is."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import zipfile
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from imgcls.data.catalog import own_folders
from imgcls.data.corrections import written_classes
from imgcls.errors import DatasetError
from imgcls.files import replacing
from imgcls.runs.evaluations import evaluation_key, find_evaluation
from imgcls.runs.reader import RunView
from imgcls.web.evaluate.report import report
from imgcls.web.shared.run_cache import RunCache, stamp_of
from imgcls.web.shared.uploads import made_folder
from imgcls.web.shared.work_gate import address_of, work, work_here
from imgcls.web.train.run_card import curve_rows
from imgcls.workspace import Workspace


def add_routes(app: FastAPI, runs: RunCache) -> None:  # noqa: C901 - a download each
    workspace, root = runs.workspace, str(runs.workspace.root)

    async def view_of(name: str, request: Request) -> RunView | None:
        return await work("state", ("view", root, name), lambda: runs.view(name), address_of(request))

    @app.get("/runs/{name}/checkpoint")
    async def checkpoint(name: str, request: Request) -> Response:
        view = await view_of(name, request)  # only a run's name can be one: nothing else is looked for
        if view is None or not view.run.best.is_file():
            return PlainTextResponse("This run has no checkpoint (any more).", 404)
        return FileResponse(view.run.best, filename=f"{name}.safetensors", media_type="application/octet-stream")

    @app.get("/runs/{name}/curves.csv")
    async def curves(name: str, request: Request) -> Response:
        view = await view_of(name, request)
        if view is None:
            return PlainTextResponse("There is no such run (any more).", 404)
        table = await work("download", ("curves", root, name), lambda: _table(view), address_of(request))
        named = {"Content-Disposition": f'attachment; filename="{view.run.name}.csv"'} if name.isascii() else {}
        return Response(table, media_type="text/csv; charset=utf-8", headers=named)

    @app.get("/corrections/{name}.zip")
    async def corrections(name: str, request: Request) -> Response:
        """A set of corrections as the zip that the Data tab takes."""
        key = ("corrections", root, name)
        path = await work("download", key, lambda: _zipped(name, workspace), address_of(request))
        if path is None:
            return PlainTextResponse("There is no such set of corrections (any more).", 404)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}.zip"}
        return FileResponse(path, media_type="application/zip", headers=headers)

    @app.get("/runs/{name}/report")
    async def written(name: str, request: Request) -> Response:
        """With the evaluation of its own test part, where there is one."""
        view = await view_of(name, request)
        if view is None or not view.run.best.is_file():
            return PlainTextResponse("This run has no checkpoint (any more).", 404)
        html = await work("document", ("report", root, name), lambda: _report(view, workspace), address_of(request))
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(view.run.name)}.html"}
        return Response(html, media_type="text/html; charset=utf-8", headers=headers)


def _table(view: RunView) -> str:
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(("part", "step", "epoch", "loss", "accuracy", "lr"))
    rows.writerows(curve_rows(view))
    return table.getvalue()


def _report(view: RunView, workspace: Workspace) -> str:
    """Made once for the checkpoint, the curves and the evaluation as they are now."""
    best = view.run.best
    try:
        evaluation, evaluated = find_evaluation(best, workspace), evaluation_key(best, workspace)
    except DatasetError:  # its data set is gone
        evaluation, evaluated = None, ""
    stamps = tuple(stamp_of(path) for path in (best, view.run.logs / "events.jsonl"))
    key = ("report of", str(best), *stamps, evaluated, evaluation.created if evaluation else "")
    return work_here("document", key, lambda: report([best], [evaluation], workspace), keep=True)


def _zipped(name: str, workspace: Workspace) -> Path | None:
    """The zip of a set of corrections, made once for the pictures that are in it; it goes after an hour."""
    if name not in own_folders(workspace) or written_classes(workspace.data / name) is None:
        return None
    root = workspace.data / name
    pictures = sorted(root.glob("*/[0-9]*"))
    digest = hashlib.sha256(repr([(str(path), stamp_of(path)) for path in pictures]).encode()).hexdigest()[:32]
    archive_path = made_folder(workspace) / f"{digest}.zip"
    if archive_path.is_file():
        os.utime(archive_path)
        return archive_path
    with replacing(archive_path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path in pictures:
            with contextlib.suppress(OSError):  # deleted meanwhile
                archive.write(path, path.relative_to(root).as_posix())
    return archive_path
