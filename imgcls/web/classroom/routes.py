"""What the page asks for where a class shares the lab: who one is, the queue, its host's doings, the address to join.

Each route answers in JSON: what was asked for, or `error`, one sentence in the page's language. Whoever asks from
another site is turned away before (`security.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import Body, FastAPI, Request
from starlette.responses import JSONResponse

from imgcls.errors import ImgclsError, RunError
from imgcls.filenames import shown
from imgcls.runs import queue
from imgcls.runs.init_lab import delete_lab, find_lab
from imgcls.runs.store import Job, Run, delete_run, find_run
from imgcls.web.classroom import join_link, queue_card
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.server.hosting import Hosting
from imgcls.web.server.security import WrongPasswords
from imgcls.web.shared.identity import People, Visitor
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.run_title import run_title
from imgcls.web.shared.work_gate import address_of, work

Asked = dict[str, Any]
ONE_UP, ONE_DOWN = -1, 1


def add_routes(app: FastAPI, watch: RunCache, people: People, hosting: Hosting) -> None:  # noqa: C901, PLR0915 - a route each
    workspace, wrong = watch.workspace, WrongPasswords()

    @app.get("/class")
    async def seen(request: Request, language: str = "en") -> JSONResponse:
        """Who one is, and the queue as one may see it."""
        return await in_words(request, language, lambda words: _seen(people.visitor(request), words))

    @app.get("/class/join")
    async def join(request: Request, language: str = "en") -> JSONResponse:
        def made(words: Translator) -> Asked:
            port = (request.scope.get("server") or ("", hosting.port))[1] or hosting.port
            asked, scheme = request.headers.get("host", ""), request.url.scheme
            url = join_link.address(hosting, port=port, asked=asked, scheme=scheme)
            html = render(
                "join",
                words,
                address=f"{url}{request.scope.get('root_path', '')}" if url else None,
                code=join_link.code(url) if url else None,
                shared=people.shared,
                near=bool(url) and url.startswith("http://"),
                asks_password=hosting.password is not None,
                can_enter=people.has_host and not people.visitor(request).host,
            )
            return {"html": html}

        return await in_words(request, language, made)

    @app.post("/class/nickname")
    async def nickname(request: Request, asked: Asked = Body()) -> JSONResponse:  # noqa: B008
        def made(words: Translator) -> Asked:
            known = people.visitor(request).owner if people.shared else None
            owner = people.named(asked.get("nickname"), known)
            after.append(lambda answer: people.remember(answer, request, owner))
            return _seen(Visitor(owner, people.visitor(request).host), words)

        after: list[Callable[[JSONResponse], None]] = []
        return await in_words(request, asked.get("language"), made, after)

    @app.post("/class/host")
    async def enter(request: Request, asked: Asked = Body()) -> JSONResponse:  # noqa: B008
        def made(words: Translator) -> Asked:
            if not people.has_host:
                raise RunError("This lab has no host: IMGCLS_HOST_PASSWORD sets a password for one.")
            client = request.client.host if request.client else ""
            if not people.is_password(asked.get("password")):
                if wrong.wait(client):
                    raise RunError("Too many wrong passwords: wait a little, then try again.")
                wrong.count(client)
                raise RunError("That is not the host's password: try again.")
            after.append(lambda answer: people.remember_host(answer, request))
            return _seen(Visitor(people.visitor(request).owner, host=True), words)

        after: list[Callable[[JSONResponse], None]] = []
        return await in_words(request, asked.get("language"), made, after)

    @app.post("/class/leave")
    async def leave(request: Request, asked: Asked = Body()) -> JSONResponse:  # noqa: B008
        def made(words: Translator) -> Asked:
            return _seen(Visitor(people.visitor(request).owner), words)

        return await in_words(
            request, asked.get("language"), made, [lambda answer: people.forget_host(answer, request)]
        )

    @app.post("/class/do")
    async def do(request: Request, asked: Asked = Body()) -> JSONResponse:  # noqa: B008
        """`what`: stop (or withdraw) `run`, one's own; the host's: up, down, remove,
        remove-address, close, reopen."""

        def made(words: Translator) -> Asked:
            visitor, what = people.visitor(request), str(asked.get("what"))
            if what not in DOES:
                raise RunError("The queue knows nothing of that.")
            if what != "stop" and not visitor.host:
                raise RunError("Only the lab's host can do that.")
            DOES[what](asked.get("run"), visitor)
            watch.forget(str(asked.get("run")))
            return _seen(visitor, words)

        return await in_words(request, asked.get("language"), made)

    def _seen(visitor: Visitor, words: Translator) -> Asked:
        turns = watch.turns() if people.shared else []

        def title(name: str) -> str:
            view = watch.view(name)
            return run_title(view, words) if view else name

        closed, has_host = queue.is_closed(workspace), people.has_host
        html = queue_card.card(turns, words, visitor, closed=closed, host_password=has_host, title=title)
        named = visitor.owner.nickname if visitor.owner else ""
        return {"nickname": named, "host": visitor.host, "html": html if people.shared else "", "busy": bool(turns)}

    def job(name: Any) -> Job:
        name = name[:100] if isinstance(name, str) else ""
        for find in (find_run, find_lab):
            with contextlib.suppress(RunError):
                return find(name, workspace)
        raise RunError("There is no run '{name}'.", name=shown(name))

    def stop(name: Any, visitor: Visitor) -> None:
        queue.stop(job(name), visitor.owner, host=visitor.host)

    def move(name: Any, by: int) -> None:
        names = [turn.name for turn in watch.turns() if turn.place]
        if name in names:
            at = names.index(name)
            names.insert(max(0, at + by), names.pop(at))
            queue.reorder(workspace, names)

    def remove(name: Any, visitor: Visitor) -> None:
        found = job(name)
        if (state := found.written()) and state.state == "queued":
            found.stop()
        elif isinstance(found, Run):
            delete_run(found)
        else:
            delete_lab(find_lab(found.name, workspace))

    def remove_address(name: Any, _: Visitor) -> None:
        """Everything that waits and was started from where this run was: a nickname costs nothing."""
        state = job(name).written()
        for other in queue.from_address(workspace, state.owner.address if state and state.owner else ""):
            job(other).stop()

    DOES: dict[str, Callable[[Any, Visitor], None]] = {
        "stop": stop,
        "up": lambda name, _: move(name, ONE_UP),
        "down": lambda name, _: move(name, ONE_DOWN),
        "remove": remove,
        "remove-address": remove_address,
        "close": lambda *_: queue.close(workspace),
        "reopen": lambda *_: queue.reopen(workspace),
    }


async def in_words(
    request: Request,
    language: Any,
    make: Callable[[Translator], Asked],
    after: list[Callable[[JSONResponse], None]] | None = None,
) -> JSONResponse:
    """`after`: what is done to an answer that is no refusal."""
    words = _words(language if isinstance(language, str) and language in LANGUAGES else "en")
    headers = {"Cache-Control": "no-store"}

    def answer() -> JSONResponse:
        made = JSONResponse(make(words), headers=headers)
        for finish in after or ():
            finish(made)
        return made

    try:
        return await work("state", None, answer, address_of(request))
    except ImgclsError as error:
        return JSONResponse({"error": words.message(error.message)}, 403, headers=headers)


@cache
def _words(language: str) -> Translator:
    return Translator(language)
