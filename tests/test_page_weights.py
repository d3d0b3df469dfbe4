"""A name of weights stands for one content: what a run saves anew has another name, and the old one no answer."""

import os
import shutil

import pytest

from imgcls.checkpoints.format import load_checkpoint, save_checkpoint
from imgcls.web.classify import browser_weights
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.shared.run_cache import RunCache


@pytest.fixture
def best(workspace):
    folder = workspace.checkpoints / "mine"
    shutil.copytree(workspace.shipped("checkpoints", "lenet-digits"), folder)
    return folder / "best.safetensors"


@pytest.fixture
def weights(workspace):
    return PageWeights(RunCache(workspace))


def saved_anew(path):
    model, meta = load_checkpoint(path)
    save_checkpoint(path, {name: tensor + 1 for name, tensor in model.state_dict().items()}, meta)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


@pytest.mark.parametrize("read_before", [True, False])
def test_what_is_saved_anew_is_not_answered_under_the_old_name(weights, best, read_before):
    old = weights.name("mine/best")
    before = weights.content(old) if read_before else None
    saved_anew(best)
    assert weights.content(old) == before  # that very content, or nothing
    assert weights.units(old) is None and weights.epochs(old) is None and weights.found(old) == (None, ())
    new = weights.name("mine/best")
    assert new != old and weights.path(new) == best and weights.content(new) != before


@pytest.mark.parametrize("what", ["content", "units", "epochs"])
def test_what_is_saved_anew_while_it_is_made_is_no_answer(weights, best, monkeypatch, what):
    def meanwhile(path, *_, **__):
        saved_anew(path)
        return b"of which one?"

    for maker in ("page_bytes", "units_if_there", "epochs_bytes"):
        monkeypatch.setattr(browser_weights, maker, meanwhile)
    assert getattr(weights, what)(weights.name("mine/best")) is None


def test_two_files_of_one_content_are_found_by_either(weights, best):
    last = best.with_name("last.safetensors")
    shutil.copy(best, last)
    name = weights.name("mine/best")
    assert weights.name("mine/last") == name
    best.unlink()
    assert weights.path(name) == last


def test_names_of_weights_are_kept_as_far_as_there_is_room(weights, best, monkeypatch):
    monkeypatch.setattr(browser_weights, "NAMES_KEPT", 3)
    first = weights.name("mine/best")
    for _ in range(5):
        saved_anew(best)
        last = weights.name("mine/best")
    assert len(weights._names) == 3 and weights.path(last) == best and weights.path(first) is None
