"""How a run that goes on looks just now, drawn once for all who watch it.

A page that shows a run asks for `/look/run/<name>` each second, a comparison's for `/look/lab/<name>`: it is answered
from what was drawn last, packed already, or with nothing where nothing is new. Thirty browsers cost one drawing.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from imgcls.errors import RunError
from imgcls.runs.init_lab import find_lab
from imgcls.runs.reader import RunView
from imgcls.runs.state import LIVE
from imgcls.settings import choices
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.init_lab import lab_card
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.work_gate import address_of, work
from imgcls.web.train import run_card

TTL_S = 0.8  # seconds in which the last drawing is good enough
CACHE_ENTRIES = 200  # drawings: of each run, in each language, with what is laid over it
OVER = 5  # runs laid over another one's curves
MORE = 50  # names in a question that are looked at
LEVEL = 5  # of gzip
EXPECTED = frozenset(choices("init") or ())
Key = tuple[str, str, str, tuple[str, ...]]


@dataclass(frozen=True)
class RenderedCard:
    """`packed`: gzip of JSON {"html", "log", "rest", "tag"}."""

    tag: str
    packed: bytes
    until: float


class Looks:
    def __init__(self, run_cache: RunCache) -> None:
        self.run_cache = run_cache
        self._lock = threading.Lock()
        self._drawn: OrderedDict[Key, RenderedCard] = OrderedDict()

    def fresh(self, key: Key) -> RenderedCard | None:
        """Without waiting for anybody who draws."""
        drawn = self._drawn.get(key)
        return drawn if drawn and time.monotonic() < drawn.until else None

    def draw(self, key: Key) -> RenderedCard | None:
        """None where there is no such run or comparison (any more)."""
        if drawn := self.fresh(key):
            return drawn
        kind, name, language, more = key
        card = DRAW[kind](self.run_cache, name, _words(language), more)
        if card is None:
            return None
        tag = hashlib.sha256(repr(card).encode()).hexdigest()[:16]
        packed = gzip.compress(json.dumps(card | {"tag": tag}).encode(), LEVEL)
        drawn = RenderedCard(tag, packed, time.monotonic() + TTL_S)
        with self._lock:
            self._drawn[key] = drawn
            self._drawn.move_to_end(key)
            while len(self._drawn) > CACHE_ENTRIES:
                self._drawn.popitem(last=False)
        return drawn

    async def asked_for(self, kind: str, name: str, language: str, more: Sequence[str], user: str) -> Key:
        """Of `more` only what makes a difference: otherwise any word would be another drawing, and push one out."""
        known = EXPECTED if kind == "lab" else await self._run_names(user) if more else frozenset[str]()
        chosen = [one for one in dict.fromkeys(more) if one in known and one != name]
        return kind, name, language, tuple(chosen[: 1 if kind == "lab" else OVER])

    async def _run_names(self, user: str) -> frozenset[str]:
        key = ("run names", str(self.run_cache.workspace.root))
        return await work("state", key, lambda: frozenset(run.name for run in self.run_cache.runs()), user)


def add_routes(app: FastAPI, run_cache: RunCache) -> None:
    looks, root = Looks(run_cache), str(run_cache.workspace.root)

    async def look(request: Request) -> Response:
        query = request.query_params
        language = query.get("language", "en")
        kind, name = request.path_params["kind"], request.path_params["name"][:100]
        if kind not in DRAW or language not in LANGUAGES:
            return Response(status_code=404)
        user = address_of(request)
        key = await looks.asked_for(kind, name, language, query.getlist("more")[:MORE], user)
        drawn = looks.fresh(key)
        if drawn is None:
            drawn = await work("picture", ("look", root, key), lambda: looks.draw(key), user)
        if drawn is None or drawn.tag == query.get("known"):
            return Response(status_code=204, headers=HEADERS)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(gzip.decompress(drawn.packed), headers=HEADERS, media_type="application/json")
        return Response(drawn.packed, headers=HEADERS | {"Content-Encoding": "gzip"}, media_type="application/json")

    app.add_route("/look/{kind}/{name}", look)  # without FastAPI's own way: it is asked for more than all else


def run_look(run_cache: RunCache, name: str, translate: Translator, over: Sequence[str]) -> dict[str, str] | None:
    """`over`: runs whose curves are laid over this one's."""
    view = run_cache.view(name)
    if view is None:
        return None
    laid = [other for n in over[:OVER] if n != name and (other := run_cache.view(n))]
    look = _address("run", name, translate, [other.run.name for other in laid]) if not view.is_idle else ""
    rest = _rest(view)
    return {
        "html": run_card.card(view, translate, over=laid, look=look, rest=rest),
        "log": run_card.log(view, translate),
        "rest": rest,
    }


def lab_look(run_cache: RunCache, name: str, translate: Translator, more: Sequence[str]) -> dict[str, str] | None:
    """`more`: the initialisation that whoever asks expects to learn best."""
    try:
        lab = find_lab(name, run_cache.workspace)
    except RunError:
        return None
    state, expected = lab.state(), (*more, "")[0]
    views = {init: view for init in lab.inits if (view := run_cache.view(lab.run(init).name))}
    look = _address("lab", name, translate, [expected] if expected else []) if state in ("queued", *LIVE) else ""
    html = lab_card.card(lab, state, views, translate, expected=expected, look=look)
    return {"html": html, "log": "", "rest": state}


DRAW: dict[str, Callable[[RunCache, str, Translator, Sequence[str]], dict[str, str] | None]] = {
    "run": run_look,
    "lab": lab_look,
}
HEADERS = {"Cache-Control": "no-store"}


def _rest(view: RunView) -> str:
    """What decides which buttons a run has: where it is another, the page asks for them."""
    return f"{view.state} {view.run.best.is_file()} {bool(view.log)}"


def _address(kind: str, name: str, translate: Translator, more: Sequence[str]) -> str:
    """From the page's own address."""
    return f"../look/{kind}/{quote(name)}?" + urlencode(
        {"language": translate.language, "more": list(more)}, doseq=True
    )


@cache
def _words(language: str) -> Translator:
    return Translator(language)
