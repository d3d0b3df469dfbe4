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

from imgcls.checkpoints.store import brought
from imgcls.errors import ImgclsError, RunError
from imgcls.filenames import shown
from imgcls.runs import queue
from imgcls.runs.init_lab import delete_lab, find_lab
from imgcls.runs.store import Job, Run, delete_brought, delete_run, find_run
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


def add_routes(app: FastAPI, run_cache: RunCache, people: People, hosting: Hosting) -> None:
    routes = ClassRoutes(run_cache, people, hosting)
    app.get("/class")(routes.queue_state)
    app.get("/class/join")(routes.join)
    app.post("/class/nickname")(routes.nickname)
    app.post("/class/host")(routes.enter)
    app.post("/class/leave")(routes.leave)
    app.post("/class/do")(routes.do)


class ClassRoutes:
    """A method each; what they answer with is put into the words of the page's language by `in_words`."""

    def __init__(self, run_cache: RunCache, people: People, hosting: Hosting) -> None:
        self.run_cache, self.people, self.hosting = run_cache, people, hosting
        self.wrong_passwords = WrongPasswords()
        self.actions = QueueActions(run_cache)

    async def queue_state(self, request: Request, language: str = "en") -> JSONResponse:
        """Who one is, and the queue as one may see it."""
        return await in_words(request, language, lambda translate: self._seen(self.people.visitor(request), translate))

    async def join(self, request: Request, language: str = "en") -> JSONResponse:
        return await in_words(request, language, lambda translate: self._join_link(request, translate))

    async def nickname(self, request: Request, payload: Asked = Body()) -> JSONResponse:  # noqa: B008
        people = self.people

        def make(translate: Translator) -> Asked:
            current_owner = people.visitor(request).owner if people.shared else None
            owner = people.named(payload.get("nickname"), current_owner)
            after.append(lambda answer: people.remember(answer, request, owner))
            return self._seen(User(owner, people.visitor(request).host), translate)

        after: list[Callable[[JSONResponse], None]] = []
        return await in_words(request, payload.get("language"), make, after)

    async def enter(self, request: Request, payload: Asked = Body()) -> JSONResponse:  # noqa: B008
        def make(translate: Translator) -> Asked:
            self._check_password(request, payload.get("password"))
            after.append(lambda answer: self.people.remember_host(answer, request))
            return self._seen(User(self.people.visitor(request).owner, host=True), translate)

        after: list[Callable[[JSONResponse], None]] = []
        return await in_words(request, payload.get("language"), make, after)

    async def leave(self, request: Request, payload: Asked = Body()) -> JSONResponse:  # noqa: B008
        def make(translate: Translator) -> Asked:
            return self._seen(User(self.people.visitor(request).owner), translate)

        after = [lambda answer: self.people.forget_host(answer, request)]
        return await in_words(request, payload.get("language"), make, after)

    async def do(self, request: Request, payload: Asked = Body()) -> JSONResponse:  # noqa: B008
        """`what`: stop (or withdraw) `run`, one's own; the host's: up, down, remove,
        remove-address, delete-network, close, reopen."""

        def make(translate: Translator) -> Asked:
            visitor = self.people.visitor(request)
            self.actions.act(str(payload.get("what")), payload.get("run"), visitor)
            self.run_cache.forget(str(payload.get("run")))
            return self._seen(visitor, translate)

        return await in_words(request, payload.get("language"), make)

    def _join_link(self, request: Request, translate: Translator) -> Asked:
        hosting, people = self.hosting, self.people
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

    def _check_password(self, request: Request, password: Any) -> None:
        """Raises RunError where it is not the host's; wrong ones have to wait for each other."""
        if not self.people.has_host:
            raise RunError("This lab has no host: IMGCLS_HOST_PASSWORD sets a password for one.")
        if self.people.is_password(password):
            return
        client = request.client.host if request.client else ""
        if self.wrong_passwords.wait(client):
            raise RunError("Too many wrong passwords: wait a little, then try again.")
        self.wrong_passwords.count(client)
        raise RunError("That is not the host's password: try again.")

    def _seen(self, visitor: User, translate: Translator) -> Asked:
        people = self.people
        turns = self.run_cache.turns() if people.shared else []

        def title(name: str) -> str:
            view = self.run_cache.view(name)
            return run_title(view, translate) if view else name

        closed, has_host = queue.is_closed(self.run_cache.workspace), people.has_host
        html = queue_card.card(
            turns,
            translate,
            visitor,
            closed=closed,
            host_password=has_host,
            title=title,
            networks=brought(self.run_cache.workspace) if people.shared and visitor.host else (),
        )
        named = visitor.owner.nickname if visitor.owner else ""
        return {"nickname": named, "host": visitor.host, "html": html if people.shared else "", "busy": bool(turns)}


class QueueActions:
    """What can be done to the queue: stop one's own run, and the rest by the host alone."""

    def __init__(self, run_cache: RunCache) -> None:
        self.run_cache, self.workspace = run_cache, run_cache.workspace
        self.by_name: dict[str, Callable[[Any, User], None]] = {
            "stop": self.stop,
            "up": lambda name, _: self.move(name, ONE_UP),
            "down": lambda name, _: self.move(name, ONE_DOWN),
            "remove": self.remove,
            "remove-address": self.remove_address,
            "delete-network": lambda name, _: delete_brought(str(name)[:100], self.workspace),
            "close": lambda *_: queue.close(self.workspace),
            "reopen": lambda *_: queue.reopen(self.workspace),
        }

    def act(self, action: str, name: Any, visitor: User) -> None:
        """Raises RunError where there is no such action or run, or it is not this visitor's to do."""
        if action not in self.by_name:
            raise RunError("There is no such action.")
        if action != "stop" and not visitor.host:
            raise RunError("Only the lab's host can do that.")
        self.by_name[action](name, visitor)

    def job(self, name: Any) -> Job:
        name = name[:100] if isinstance(name, str) else ""
        for find in (find_run, find_lab):
            with contextlib.suppress(RunError):
                return find(name, self.workspace)
        raise RunError("There is no run '{name}'.", name=shown(name))

    def stop(self, name: Any, visitor: User) -> None:
        queue.stop(self.job(name), visitor.owner, host=visitor.host)

    def move(self, name: Any, by: int) -> None:
        names = [turn.name for turn in self.run_cache.turns() if turn.place]
        if name in names:
            at = names.index(name)
            names.insert(max(0, at + by), names.pop(at))
            queue.reorder(self.workspace, names)

    def remove(self, name: Any, visitor: User) -> None:
        job = self.job(name)
        if (state := job.read_state()) and state.state == "queued":
            job.stop()
        elif isinstance(job, Run):
            delete_run(job)
        else:
            delete_lab(find_lab(job.name, self.workspace))

    def remove_address(self, name: Any, _: User) -> None:
        """Everything that waits and was started from where this run was: a nickname costs nothing."""
        state = self.job(name).read_state()
        for other in queue.from_address(self.workspace, state.owner.address if state and state.owner else ""):
            self.job(other).stop()


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
