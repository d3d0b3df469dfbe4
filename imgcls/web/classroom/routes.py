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
from imgcls.web.shared.identity import People, User
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.run_title import run_title
from imgcls.web.shared.work_gate import address_of, work

Asked = dict[str, Any]
ONE_UP, ONE_DOWN = -1, 1


def add_routes(app: FastAPI, run_cache: RunCache, people: People, hosting: Hosting) -> None:  # noqa: C901, PLR0915 - a route each
    workspace, wrong_passwords = run_cache.workspace, WrongPasswords()

    @app.get("/class")
    async def queue_state(request: Request, language: str = "en") -> JSONResponse:
        """Who one is, and the queue as one may see it."""
        return await in_words(request, language, lambda translate: _seen(people.visitor(request), translate))

    @app.get("/class/join")
    async def join(request: Request, language: str = "en") -> JSONResponse:
        def make(translate: Translator) -> Asked:
            port = (request.scope.get("server") or ("", hosting.port))[1] or hosting.port
            host_header, scheme = request.headers.get("host", ""), request.url.scheme
            url = join_link.address(hosting, port=port, host_header=host_header, scheme=scheme)
            html = render(
                "join",
                translate,
                address=f"{url}{request.scope.get('root_path', '')}" if url else None,
                code=join_link.code(url) if url else None,
                shared=people.shared,
                near=bool(url) and url.startswith("http://"),
                asks_password=hosting.password is not None,
                can_enter=people.has_host and not people.visitor(request).host,
            )
            return {"html": html}

        return await in_words(request, language, make)

    @app.post("/class/nickname")
    async def nickname(request: Request, payload: Asked = Body()) -> JSONResponse:  # noqa: B008
        def make(translate: Translator) -> Asked:
            current_owner = people.visitor(request).owner if people.shared else None
            owner = people.named(payload.get("nickname"), current_owner)
            after.append(lambda answer: people.remember(answer, request, owner))
            return _seen(User(owner, people.visitor(request).host), translate)

        after: list[Callable[[JSONResponse], None]] = []
        return await in_words(request, payload.get("language"), make, after)

    @app.post("/class/host")
    async def enter(request: Request, payload: Asked = Body()) -> JSONResponse:  # noqa: B008
        def make(translate: Translator) -> Asked:
            if not people.has_host:
                raise RunError("This lab has no host: IMGCLS_HOST_PASSWORD sets a password for one.")
            client = request.client.host if request.client else ""
            if not people.is_password(payload.get("password")):
                if wrong_passwords.wait(client):
                    raise RunError("Too many wrong passwords: wait a little, then try again.")
                wrong_passwords.count(client)
                raise RunError("That is not the host's password: try again.")
            after.append(lambda answer: people.remember_host(answer, request))
            return _seen(User(people.visitor(request).owner, host=True), translate)

        after: list[Callable[[JSONResponse], None]] = []
        return await in_words(request, payload.get("language"), make, after)

    @app.post("/class/leave")
    async def leave(request: Request, payload: Asked = Body()) -> JSONResponse:  # noqa: B008
        def make(translate: Translator) -> Asked:
            return _seen(User(people.visitor(request).owner), translate)

        return await in_words(
            request, payload.get("language"), make, [lambda answer: people.forget_host(answer, request)]
        )

    @app.post("/class/do")
    async def do(request: Request, payload: Asked = Body()) -> JSONResponse:  # noqa: B008
        """`what`: stop (or withdraw) `run`, one's own; the host's: up, down, remove,
        remove-address, close, reopen."""

        def make(translate: Translator) -> Asked:
            visitor, what = people.visitor(request), str(payload.get("what"))
            if what not in DOES:
                raise RunError("The queue knows nothing of that.")
            if what != "stop" and not visitor.host:
                raise RunError("Only the lab's host can do that.")
            DOES[what](payload.get("run"), visitor)
            run_cache.forget(str(payload.get("run")))
            return _seen(visitor, translate)

        return await in_words(request, payload.get("language"), make)

    def _seen(visitor: User, translate: Translator) -> Asked:
        turns = run_cache.turns() if people.shared else []

        def title(name: str) -> str:
            view = run_cache.view(name)
            return run_title(view, translate) if view else name

        closed, has_host = queue.is_closed(workspace), people.has_host
        html = queue_card.card(turns, translate, visitor, closed=closed, host_password=has_host, title=title)
        named = visitor.owner.nickname if visitor.owner else ""
        return {"nickname": named, "host": visitor.host, "html": html if people.shared else "", "busy": bool(turns)}

    def job(name: Any) -> Job:
        name = name[:100] if isinstance(name, str) else ""
        for find in (find_run, find_lab):
            with contextlib.suppress(RunError):
                return find(name, workspace)
        raise RunError("There is no run '{name}'.", name=shown(name))

    def stop(name: Any, visitor: User) -> None:
        queue.stop(job(name), visitor.owner, host=visitor.host)

    def move(name: Any, by: int) -> None:
        names = [turn.name for turn in run_cache.turns() if turn.place]
        if name in names:
            at = names.index(name)
            names.insert(max(0, at + by), names.pop(at))
            queue.reorder(workspace, names)

    def remove(name: Any, visitor: User) -> None:
        found_job = job(name)
        if (state := found_job.read_state()) and state.state == "queued":
            found_job.stop()
        elif isinstance(found_job, Run):
            delete_run(found_job)
        else:
            delete_lab(find_lab(found_job.name, workspace))

    def remove_address(name: Any, _: User) -> None:
        """Everything that waits and was started from where this run was: a nickname costs nothing."""
        state = job(name).read_state()
        for other in queue.from_address(workspace, state.owner.address if state and state.owner else ""):
            job(other).stop()

    DOES: dict[str, Callable[[Any, User], None]] = {
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
    translate = _words(language if isinstance(language, str) and language in LANGUAGES else "en")
    headers = {"Cache-Control": "no-store"}

    def answer() -> JSONResponse:
        response = JSONResponse(make(translate), headers=headers)
        for finish in after or ():
            finish(response)
        return response

    try:
        return await work("state", None, answer, address_of(request))
    except ImgclsError as error:
        return JSONResponse({"error": translate.message(error.message)}, 403, headers=headers)


@cache
def _words(language: str) -> Translator:
    return Translator(language)
