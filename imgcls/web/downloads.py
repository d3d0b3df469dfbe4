"""What a run leaves behind, to take home: its best checkpoint, its curves as a table, a report of all there is."""

from __future__ import annotations

import contextlib
import csv
import io
import tempfile
import zipfile
from urllib.parse import quote

from fastapi import FastAPI
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse

from imgcls.data.catalog import own_folders
from imgcls.data.corrections import written_classes
from imgcls.errors import DatasetError, ImgclsError
from imgcls.runs.evaluations import find_evaluation
from imgcls.web.evaluate.report import report
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.train.run_card import curve_rows


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

    @app.get("/corrections/{name}.zip")
    def corrections(name: str) -> Response:
        """A set of corrections as the zip that the Data tab takes."""
        if name not in own_folders(runs.workspace) or written_classes(runs.workspace.data / name) is None:
            return PlainTextResponse("There is no such set of corrections (any more).", 404)
        root = runs.workspace.data / name
        # Without a name once it is open: it goes however the answer ends.
        file = tempfile.TemporaryFile(suffix=".zip")
        with zipfile.ZipFile(file, "w") as made:
            for path in sorted(root.glob("*/[0-9]*")):
                with contextlib.suppress(OSError):  # deleted meanwhile
                    made.write(path, path.relative_to(root).as_posix())
        file.seek(0)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}.zip"}
        pieces = iter(lambda: file.read(1 << 20), b"")
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

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
