"""Before the lab is served: its page is asked as a visitor might ask who should be refused.

That only uploads are read rests on what Gradio does not promise (shared/uploads.py). If another version renamed it,
nothing would fail and anybody could read any file of the server. What shared/choices.js reads of the page's
configuration is looked for, too: without it late answers would take the place of what a person chose; and so are the
addresses that security.py watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from pathlib import Path
from typing import Any

import gradio
import httpx
from starlette.types import ASGIApp

from imgcls.errors import InstallError
from imgcls.web.server.gradio_internals import PREDICT, ROUTES, upload_folder

PICTURE = Path(__file__).parents[1] / "favicon.png"  # one that Gradio could read, and nobody has uploaded


def check_refusals(page: ASGIApp) -> None:
    """`page`: a mounted one. An event that is given a file that nobody has uploaded, or an address, is refused, and
    nothing of it lies among the uploads. Raises InstallError."""
    uploads_before = _uploads()
    with contextlib.redirect_stderr(io.StringIO()):  # Gradio tells of every refusal
        accepted = asyncio.run(_accepted(page))
    if accepted or _uploads() != uploads_before:
        raise InstallError(
            "Gradio {version} gives visitors files that nobody has uploaded, and the one this lab was tested with does "
            "not: run `{command}`.",
            version=gradio.__version__,
            command="pip install -r requirements.txt",
        )


async def _accepted(page: ASGIApp) -> list[str]:
    transport = httpx.ASGITransport(page, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        config = (await client.get("/config")).json()
        check_configuration(config)
        for path in ROUTES:
            if (await client.delete(path)).status_code == 404:  # 405 where only the method is wrong
                raise _other()
        types = {component["id"]: component["type"] for component in config["components"]}
        event = next(
            event
            for event in config["dependencies"]
            if event["backend_fn"] and not event["queue"] and "image" in [types[id] for id in event["inputs"]]
        )
        accepted = []
        for path in (str(PICTURE), "http://127.0.0.1:9/picture.png"):
            file = {"path": path, "meta": {"_type": "gradio.FileData"}}
            data = [file if types[id] == "image" else None for id in event["inputs"]]
            body = {"fn_index": event["id"], "data": data, "session_hash": "probe"}
            answer = await client.post(PREDICT, json=body)
            if answer.status_code < 400:
                accepted.append(path)
        return accepted


def check_configuration(config: Any) -> None:
    """config: what Gradio tells the browser of a page. Raises InstallError where it has another form."""
    try:
        fields = {
            component["id"]: component["props"]["elem_id"]
            for component in config["components"]
            if component["type"] == "dropdown"
        }
        whole = any(fields.values()) and all(
            event["id"] >= 0 and event["outputs"] is not None for event in config["dependencies"]
        )
    except (LookupError, TypeError):
        whole = False
    if not whole:
        raise _other()


def _other() -> InstallError:
    return InstallError(
        "Gradio {version} describes its pages otherwise than the version that this lab was tested with: run "
        "`{command}`.",
        version=gradio.__version__,
        command="pip install -r requirements.txt",
    )


def _uploads() -> set[str]:
    return {os.path.join(folder, name) for folder, _, names in os.walk(upload_folder()) for name in names}
