"""A data set that is not here: says so, fetches it when somebody asks who may, and shows how far that is.

Its value is the data set's name; `submit` fires when the set has come. In a shared lab its host fetches, and visitors
where IMGCLS_FETCH lets them.
"""

from __future__ import annotations

from typing import Any

from imgcls.data.registry import to_fetch
from imgcls.errors import RunError
from imgcls.runs import downloads
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.render import render
from imgcls.web.shared.server_functions import ServerFunction, ServerHTML, server_function


class FetchView(ServerHTML):
    def __init__(self, context: PageContext, **options: Any) -> None:
        sentences = {"no_answer": context.translate("The lab does not answer: is the network there? Try again.")}
        super().__init__("fetch", sentences, server_functions(context), longest=500, **options)


def server_functions(context: PageContext) -> list[ServerFunction]:
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""
    translate, workspace = context.translate, context.run_cache.workspace

    def missing(payload: dict[str, Any]) -> str | None:
        return to_fetch(str(payload["dataset"]), workspace)

    def may_fetch(payload: dict[str, Any]) -> bool:
        return context.limits.fetch or context.people.visitor(payload["request"]).host

    def fetch_look(payload: dict[str, Any]) -> dict[str, Any]:
        """Where it stands. `start`: begin."""
        name = missing(payload)
        if name is None:
            return {"state": "here", "html": ""}
        may = may_fetch(payload)
        if payload.get("start"):
            if not may:
                raise RunError("In a shared lab whoever looks after it does this: `{command}`.", command=_command(name))
            downloads.start(name, workspace)
        status = downloads.status(name, workspace)
        if status.state == "finished":
            return {"state": "here", "html": ""}
        html = render(
            "fetch",
            translate,
            name=translate.value(name),
            state=status.state,
            done=status.done,
            total=status.total,
            failed=translate.message(status.message) if status.message else None,
            may=may,
            command=_command(name),
        )
        return {"state": status.state, "html": html}

    def fetch_stop(payload: dict[str, Any]) -> dict[str, Any]:
        name = missing(payload)
        if name and may_fetch(payload):
            downloads.stop(name, workspace)
        return {}

    return [server_function(function, translate, "state") for function in (fetch_look, fetch_stop)]


def _command(name: str) -> str:
    return f"python -m imgcls fetch {name}"
