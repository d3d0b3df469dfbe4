"""What is costly to make is made once for all who ask meanwhile; whole data sets where no picture waits for them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from asking import by_name
from lenets import DIGITS

from imgcls.data import datasets, index_names
from imgcls.inference.evaluation import Evaluation
from imgcls.runs import audits
from imgcls.web.data.audit import server_functions
from imgcls.web.data.audit_images import SETS, Pictures
from imgcls.web.evaluate import results
from imgcls.web.evaluate.view import server_functions as evaluate_functions
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.kept import Kept
from imgcls.web.shared.limits import ALONE
from imgcls.web.shared.run_cache import RunCache

SOON = 20  # seconds


def test_fifty_who_ask_cost_one_making_and_keep_nobody_else_waiting():
    kept, go, made = Kept(2), threading.Event(), []

    def slow():
        made.append(1)
        assert go.wait(SOON)
        return "slow"

    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(kept.get, "slow", slow) for _ in range(50)]
        assert kept.get("other", lambda: "other") == "other" and "slow" not in kept
        go.set()
        assert {one.result(SOON) for one in asked} == {"slow"} and len(made) == 1 and "slow" in kept


def test_the_last_few_are_kept_and_nothing_that_is_not_there():
    kept = Kept(2)
    for key in (1, 2, 1, 3):
        assert kept.get(key, lambda key=key: key) == key
    assert 1 in kept and 3 in kept and 2 not in kept
    kept.forget(1)
    assert 1 not in kept and kept.get(4, lambda: None) is None and 4 not in kept
    with pytest.raises(ZeroDivisionError):
        kept.get(4, lambda: 1 / 0)
    assert kept.get(4, lambda: 4) == 4


@pytest.fixture
def readings(monkeypatch):
    """(data set, the thread that read it), of each reading."""
    found = []

    def read(settings, *_):
        found.append((settings.dataset, threading.current_thread().name))
        return SimpleNamespace()

    monkeypatch.setattr(datasets, "load_dataset", read)
    monkeypatch.setattr(index_names, "names_in_files", lambda data: {})
    return found


def test_an_audit_s_built_in_set_is_read_where_no_picture_waits(workspace, readings, monkeypatch):
    monkeypatch.setattr(audits, "find_audit", lambda *_: SimpleNamespace(of=lambda kind: [], classes=()))
    ask = by_name(server_functions(Translator("en"), workspace, ALONE), "audit_")
    for dataset in ("mnist", "fashion-mnist", "mnist", "fashion-mnist", "flowers"):
        assert ask["list"]({"dataset": dataset, "kind": "label"})["total"] == 0
    assert readings == [("mnist", "work-dataset"), ("fashion-mnist", "work-dataset")]


def test_two_who_look_at_two_sets_read_each_once(workspace, readings):
    pictures = Pictures(workspace)
    for _ in range(3):
        for dataset in ("mnist", "fashion-mnist"):
            assert pictures.thumbnail(dataset, "train/1") == ""  # it has no images here
    assert [dataset for dataset, _ in readings] == ["mnist", "fashion-mnist"] and SETS == 2


def test_an_evaluation_s_built_in_set_is_read_where_no_picture_waits(workspace, monkeypatch):
    path = workspace.shipped("checkpoints", "lenet-mnist", "best.safetensors")
    evaluated = Evaluation(str(path), "lenet", "mnist", "test", DIGITS, True, None, torch.arange(12))
    read = []

    def reading(*_, **__):
        read.append(threading.current_thread().name)
        return SimpleNamespace(split=SimpleNamespace(image=lambda _: torch.zeros(1, 28, 28, dtype=torch.uint8)))

    monkeypatch.setattr(results, "find_evaluation", lambda *_, **__: evaluated)
    monkeypatch.setattr(results, "images_for", reading)
    functions = evaluate_functions(Translator("en"), RunCache(workspace), ALONE)
    ask = by_name(functions, "evaluate_")
    for place in range(3):
        told = ask["hand_over"]({"checkpoints": ["lenet-mnist/best"], "dataset": "mnist", "place": place})
        assert "drawing" in told, told
    assert read == ["work-dataset"]
