"""Chosen runs next to each other: their matrices, the cells that differ, one file of all; asked as the page asks."""

import re
from types import SimpleNamespace

import pytest
from asking import by_name
from photos import flowers as photos
from run_folders import a_run
from test_evaluations import made

from imgcls.runs import background_jobs, evaluations
from imgcls.runs.evaluations import evaluate_checkpoint
from imgcls.web.evaluate.matrices import CLASSES, side_by_side
from imgcls.web.i18n.translator import Translator
from imgcls.web.runs_table.panel import server_functions
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import ALONE
from imgcls.web.shared.run_cache import RunCache

BOTH = {"names": ["first", "second"]}


@pytest.fixture
def lab(workspace):
    photos(workspace.data / "flowers", each=20, classes=("daisy", "rose"))
    for seed, name in enumerate(("first", "second")):
        a_run(workspace, name, dataset="flowers", model="lenet", lr=0.1 * (1 + seed))
        made(workspace, name, seed=seed)
    return workspace


def asking(workspace, language="en", *, shared=False):
    people = People(workspace, shared=shared)
    context = SimpleNamespace(
        translate=Translator(language), run_cache=RunCache(workspace), people=people, limits=ALONE
    )
    return by_name(server_functions(context), "runs_")


def evaluated(workspace, *names):
    for name in names:
        evaluate_checkpoint(workspace.checkpoints / name / "best.safetensors", workspace, dataset="flowers")


def test_cells_are_told_against_the_first_matrix():
    shown = side_by_side({"a": [[8, 2], [0, 10]], "b": [[9, 1], [3, 7]], "c": [[8, 2], [0, 10]]}, ("x", "y"))
    cells = {name: [cell for _, row in rows for cell in row] for name, rows in shown["matrices"]}
    assert [cell.difference for cell in cells["a"]] == [0, 0, 0, 0] == [cell.difference for cell in cells["c"]]
    assert [(cell.difference, cell.better) for cell in cells["b"]] == [(1, True), (-1, True), (3, False), (-3, False)]
    assert max(cell.mark for cell in cells["b"]) == 1
    assert shown["most"] == [("y", "x", [0, 3, 0]), ("x", "y", [2, 1, 2])]


def test_rows_of_other_images_are_compared_by_their_shares():
    shown = side_by_side({"a": [[8, 2], [0, 10]], "b": [[80, 20], [10, 90]]}, ("x", "y"))
    _, rows = shown["matrices"][1]
    assert [[cell.difference for cell in row] for _, row in rows] == [[0, 0], [10, -10]]


def test_of_many_classes_those_that_differ_are_shown():
    count = 40
    plain = [[9 if i == j else 0 for j in range(count)] for i in range(count)]
    other = [list(row) for row in plain]
    other[33][7] = 5
    shown = side_by_side({"a": plain, "b": other}, [str(i) for i in range(count)])
    assert {7, 33} <= set(shown["columns"]) and len(shown["columns"]) == CLASSES and shown["hidden"] == count - CLASSES


def test_they_are_asked_for_once_and_then_there(lab, monkeypatch):
    ask, begun = asking(lab), []
    answer = ask["matrices"](BOTH)
    assert answer["state"] == "none" and "data-evaluate" in answer["html"] and not begun
    monkeypatch.setattr(background_jobs, "launch", lambda *given, **more: begun.append(given) or 1)
    answer = ask["matrices"]({**BOTH, "begin": "again"})
    assert answer["state"] == "running" and "first" in answer["html"] and len(begun) == 1
    assert 'class="stop"' in answer["html"]
    evaluated(lab, "first", "second")
    answer = ask["matrices"](BOTH)
    assert answer["state"] == "finished" and answer["html"].count('class="matrix against"') == 2
    assert "McNemar" in answer["html"] and "95%" in answer["html"] and "On the same images" in answer["html"]
    assert "混淆矩阵" in asking(lab, "zh")["matrices"](BOTH)["html"]


def test_whoever_looks_after_the_lab_stops_them(lab, monkeypatch):
    monkeypatch.setattr(background_jobs, "launch", lambda *given, **more: 1)
    stopped = []
    monkeypatch.setattr(evaluations, "stop", lambda request, workspace: stopped.append(request.checkpoint.parent.name))
    assert asking(lab)["matrices"]({**BOTH, "begin": "again"})["state"] == "running"
    visitor = asking(lab, shared=True)
    assert 'class="stop"' not in visitor["matrices"]({**BOTH, "begin": "stop"})["html"] and not stopped
    asking(lab)["matrices"]({**BOTH, "begin": "stop"})
    assert stopped == ["first", "second"]


def test_what_cannot_lie_next_to_each_other_is_said(lab):
    ask = asking(lab)
    assert ask["matrices"]({"names": ["first"]}) == {"state": "none", "html": ""}
    a_run(lab, "bare", dataset="flowers")
    assert ask["matrices"]({"names": ["first", "bare"]})["html"] == ""
    for image in (lab.data / "flowers").rglob("*.*"):
        image.unlink()
    for folder in sorted((lab.data / "flowers").rglob("*"), reverse=True):
        folder.rmdir()
    (lab.data / "flowers").rmdir()
    answer = ask["matrices"](BOTH)
    assert answer["state"] == "apart" and "flowers" in answer["html"]


def test_a_selection_is_one_file(lab):
    evaluated(lab, "first", "second")
    a_run(lab, "bare", dataset="flowers")
    answer = asking(lab)["report"]({"names": ["first", "second", "bare"]})
    html = answer["html"]
    assert answer["name"] == "first.html" and html.count('class="matrix against"') == 2 * 2  # in both languages
    assert "McNemar" in html and 'figure class="chart' in html and "bare" in html
    assert len(re.findall("python -m imgcls train", html)) >= 3 and "It has not been evaluated" in html
    assert str(lab.root) not in html and "<script" not in html
    assert asking(lab)["report"]({"names": ["gone"]})["error"].endswith(".")
