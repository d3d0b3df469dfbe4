"""Fifty at once, of everything that the server makes when it is asked: one making, no error of the server's, and what
others draw is answered meanwhile."""

import base64
import io
import re
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import torch
from drawings import LABELS, UJI
from lenets import lenet
from photos import photo
from served import served

from imgcls.data.corrections import Corrections
from imgcls.imaging.strokes import render
from imgcls.inference.explain import units_of
from imgcls.inference.predictor import Predictor
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.runs.store import Run
from imgcls.web import downloads, static
from imgcls.web.classify import browser_weights as weights_module
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.train import live_cards
from imgcls.workspace import Workspace

FIFTY = 50
RUN = "first"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("fifty") / "lab")
    workspace.root.mkdir()
    create_run(with_recipe({"name": RUN, "dataset": "mnist", "threads": 1}), workspace)
    lenet(workspace, RUN)
    kept = Corrections(workspace, "my-drawings", tuple("0123456789"))
    for number in range(3):
        kept.keep(photo("rose", number).convert("L"), str(number), token="me", most=10)
    with (
        served(workspace) as url,
        httpx.Client(base_url=url, timeout=300, limits=httpx.Limits(max_connections=99)) as http,
    ):
        http.workspace = workspace
        yield http


@pytest.fixture(scope="module")
def weights(lab):
    """Where the page finds the shipped network."""
    return re.search(r"\.\./(weights/\w+)", lab.get("/en/").text)[1]


def drawing():
    file = io.BytesIO()
    render(UJI[3]["strokes"], side=196, width=14).point(lambda v: 255 - v).save(file, "PNG")
    return {"drawing": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()}


def fifty(lab, path):
    with ThreadPoolExecutor(FIFTY) as pool:
        return list(pool.map(lambda _: lab.get(path), range(FIFTY)))


# What is asked for, and what makes it: a module of the web and the name of a function in it.
MADE = {
    "{weights}/units": (weights_module, "units_bytes"),
    "{weights}/page": (static, "handout_with"),
    f"runs/{RUN}/report": (downloads, "report"),
    "corrections/my-drawings.zip": (downloads, "replacing"),
}


@pytest.mark.parametrize("path", MADE)
def test_fifty_get_what_is_made_once(lab, weights, path, monkeypatch):
    module, name = MADE[path]
    make, made = getattr(module, name), []
    monkeypatch.setattr(module, name, lambda *given, **said: made.append(name) or make(*given, **said))
    answers = fifty(lab, path.format(weights=weights))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1 and len(made) == 1
    assert lab.get(path.format(weights=weights)).content == answers[0].content and len(made) == 1


@pytest.mark.parametrize(
    "path",
    [
        "{weights}",
        f"runs/{RUN}/checkpoint",
        f"runs/{RUN}/curves.csv",
        "runs/none/report",
        "weights/none/page",
        "weights/none/units",
        "{weights}/epochs",
        "corrections/none.zip",
        f"look/run/{RUN}?language=en",
        f"look/run/{RUN}?language=en&more=x&more=y",
        "look/lab/none",
        "changes",
        "class",
        "class/join",
        "en/",
        "zh/",
        "favicon.ico",
    ],
)
def test_fifty_get_an_answer(lab, weights, path):
    answers = fifty(lab, path.format(weights=weights))
    assert len({answer.status_code for answer in answers}) == 1 and answers[0].status_code < 500


def test_unknown_words_draw_no_card_anew(lab, monkeypatch):
    """A card is kept for a while by what is laid over it: any word would be another one, and push one out."""
    drawn, draw = [], live_cards.DRAW["run"]
    monkeypatch.setattr(live_cards, "TTL_S", 600.0)
    monkeypatch.setitem(live_cards.DRAW, "run", lambda *given: drawn.append(given[1]) or draw(*given))
    answers = [lab.get(f"look/run/{RUN}?language=zh&more=word-{i}&more={RUN}") for i in range(FIFTY)]
    assert {answer.status_code for answer in answers} == {200} and len(drawn) == 1


def test_a_drawing_is_answered_while_fifty_wait_for_a_page(lab, weights, monkeypatch):
    go, made = threading.Event(), []

    def slow(path, units):
        made.append(path)
        assert go.wait(60)
        return "<html>made</html>"

    monkeypatch.setattr(static, "handout_with", slow)
    name = PageWeights(RunCache(lab.workspace)).name(f"{RUN}/best")
    with ThreadPoolExecutor(FIFTY) as pool:
        pages = [pool.submit(lab.get, f"weights/{name}/page") for _ in range(FIFTY)]
        answer = lab.post("/drawn/en", json=drawing() | {"checkpoint": "lenet-digits/best"})
        assert f">{LABELS[3]}<" in answer.text and not any(page.done() for page in pages)
        go.set()
        assert {page.result().text for page in pages} == {"<html>made</html>"}
    assert len(made) == 1


def test_units_are_what_one_thread_alone_sees(lab):
    """Hooks hang on a network that all threads share: none keeps what passes through it for another."""
    predictor = Predictor.load(Run(RUN, lab.workspace).best)
    stored = torch.randint(0, 256, (600, 1, 28, 28), dtype=torch.uint8)
    alone = units_of(predictor, stored)
    with ThreadPoolExecutor(8) as pool:
        for made in pool.map(lambda _: units_of(predictor, stored), range(8)):
            assert all(torch.equal(made[name], alone[name]) for name in alone)


def test_a_network_is_loaded_once_for_all_who_ask(lab, monkeypatch):
    loaded, all_ask = [], threading.Barrier(8)
    load = Predictor.load.__func__
    monkeypatch.setattr(Predictor, "load", classmethod(lambda cls, path: loaded.append(path) or load(cls, path)))
    monkeypatch.setattr(Predictor, "_kept", OrderedDict())

    def ask(_):
        all_ask.wait(60)
        return Predictor.cached(Run(RUN, lab.workspace).best)

    with ThreadPoolExecutor(8) as pool:
        assert len({id(one) for one in pool.map(ask, range(8))}) == 1
    assert len(loaded) == 1
