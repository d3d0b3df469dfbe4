"""What a run leaves behind, to take home: its best checkpoint, its curves as a table, a report of all there is."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote

from fastapi import FastAPI
from starlette.responses import FileResponse, PlainTextResponse, Response

from imgcls.errors import DatasetError, ImgclsError
from imgcls.runs.evaluations import find_evaluation
from imgcls.web.cache import RunCache
from imgcls.web.run_report import report
from imgcls.web.views.run_card import curve_rows


def add_routes(app: FastAPI, runs: RunCache) -> None:
    @app.get("/runs/{name}/checkpoint")
    def checkpoint(name: str) -> Response:
        view = runs.view(name)  # only a run's name can be one: nothing else is looked for
        if view is None or not view.run.best.is_file():
            return PlainTextResponse("This run has no checkpoint (any more).", 404)
        return FileResponse(view.run.best, filename=f"{name}.safetensors", media_type="application/octet-stream")

    @app.get("/runs/{name}/curves.csv")
    def curves(name: str) -> Response:
        view = runs.view(name)
        if view is None:
            return PlainTextResponse("There is no such run (any more).", 404)
        table = io.StringIO()
        rows = csv.writer(table)
        rows.writerow(("part", "step", "epoch", "loss", "accuracy", "lr"))
        rows.writerows(curve_rows(view))
        named = {"Content-Disposition": f'attachment; filename="{view.run.name}.csv"'} if name.isascii() else {}
        return Response(table.getvalue(), media_type="text/csv; charset=utf-8", headers=named)

    @app.get("/runs/{name}/report")
    def written(name: str) -> Response:
        """With the evaluation of its own test part, where there is one."""
        view = runs.view(name)
        if view is None or not view.run.best.is_file():
            return PlainTextResponse("This run has no checkpoint (any more).", 404)
        try:
            made = find_evaluation(view.run.best, runs.workspace)
        except DatasetError:  # its data set is gone
            made = None
        try:
            html = report([view.run.best], [made], runs.workspace)
        except ImgclsError as error:
            return PlainTextResponse(str(error.message), 404)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(view.run.name)}.html"}
        return Response(html, media_type="text/html; charset=utf-8", headers=headers)
