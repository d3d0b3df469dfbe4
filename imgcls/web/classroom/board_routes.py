"""The class board of a shared lab: who wants to sends an accuracy with its settings, everybody sees the points, the
host hides and clears. Nothing is sent unasked."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse

from imgcls.errors import RunError, SettingsError
from imgcls.runs.class_board import ClassBoard
from imgcls.web.classroom.routes import Asked, in_words
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.workspace import Workspace

MAX_BYTES = 4_000  # bytes of what is sent


def add_routes(app: FastAPI, workspace: Workspace, people: People) -> None:
    board = ClassBoard(workspace)

    @app.get("/class/board")
    async def board_state(request: Request, language: str = "en") -> JSONResponse:
        return await in_words(request, language, lambda _: _seen(board, people, request))

    @app.post("/class/board")
    async def board_action(request: Request, language: str = "en") -> JSONResponse:
        """`what`: send (with accuracy, seconds, dataset, model, images, settings); the host's: hide, show (with `id`),
        clear."""
        content = await request.body()

        def do_it(_: Translator) -> Asked:
            _do(_read(content), board, people, request)
            return _seen(board, people, request)

        return await in_words(request, language, do_it)


def _do(action: dict[str, Any], board: ClassBoard, people: People, request: Request) -> None:
    what = action.get("what")
    if not people.shared:
        raise RunError("A class board belongs to a shared lab.")
    if what == "send" and (owner := people.run_owner(request)):
        board.send(action, owner)
    elif what not in ("hide", "show", "clear"):
        raise RunError("There is no such action.")
    elif not people.visitor(request).host:
        raise RunError("Only the lab's host can do that.")
    elif what == "clear":
        board.clear()
    else:
        board.hide(action.get("id"), hidden=what == "hide")


def _seen(board: ClassBoard, people: People, request: Request) -> Asked:
    host = people.visitor(request).host
    points = board.points(host=host) if people.shared else []
    return {"host": host, "points": [point.shown() for point in points]}


def _read(content: bytes) -> dict[str, Any]:
    try:
        message = json.loads(content) if len(content) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise SettingsError("The board takes an accuracy and settings: train in this browser, then send it.")
    return message
