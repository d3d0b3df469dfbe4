"""What an upload costs, a zip's photos or a file of weights, is done in its turn and within a shared lab's time."""

import zipfile
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from lenets import lenet
from photos import flowers

from imgcls.checkpoints.format import load_checkpoint
from imgcls.training import trial
from imgcls.web.classify.import_weights import ImportWeights
from imgcls.web.data.tab import DataTab
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.work_gate import GATE

ASKED = SimpleNamespace(client=SimpleNamespace(host="10.0.0.9"))
NAMES = "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


def tabs(workspace, limits):
    context = SimpleNamespace(translate=Translator("en"), run_cache=RunCache(workspace), limits=limits)
    adopt = ImportWeights(context, None, None, lambda: [])
    with gr.Blocks():
        adopt.layout()
    return DataTab(context, SimpleNamespace(form=None)), adopt


@pytest.fixture
def weights(workspace, tmp_path):
    path = tmp_path / "own.pth"
    torch.save(load_checkpoint(lenet(workspace, "first"))[0].state_dict(), path)
    return str(path)


def through(kind, event):
    """What the event answers, and how many pieces of work it took of that kind."""
    before = GATE.made[kind]
    return str(event()), GATE.made[kind] - before


@pytest.mark.parametrize("limits", [ALONE, SHARED])
def test_a_zip_and_a_file_of_weights_are_read_in_their_turn(workspace, tmp_path, weights, limits):
    data, adopt = tabs(workspace, limits)
    flowers(tmp_path / "garden", each=3, classes=("daisy", "rose"))
    with zipfile.ZipFile(tmp_path / "garden.zip", "w") as archive:
        for path in (tmp_path / "garden").glob("*/*"):
            archive.write(path, path.relative_to(tmp_path))
    said, done = through("dataset", lambda: data.unzip(ASKED, str(tmp_path / "garden.zip"), "garden"))
    assert "garden is there" in said and done == 1
    said, done = through("document", lambda: adopt.looked(ASKED, weights))
    assert "LeNet" in said and done == 1
    said, done = through("document", lambda: adopt.adopt_it(ASKED, weights, NAMES, "", "digits", None, "", "", "mine"))
    assert "mine is there" in said and done == 1


def test_a_file_that_may_be_many_networks_is_tried_as_long_as_there_is_time(workspace, weights, monkeypatch):
    guesses = trial.guesses
    monkeypatch.setattr(trial, "guesses", lambda found: guesses(found) * 50)
    tried = []
    monkeypatch.setattr(trial, "evaluate", lambda *_: tried.append(1) or (_ for _ in ()).throw(AssertionError))
    _, adopt = tabs(workspace, replace(SHARED, report_seconds=1e-9))
    said = adopt.adopt_it(ASKED, weights, NAMES, "mnist", "digits", None, "", "", "mine")
    assert "longer than a shared lab allows" in str(said) and "--classes-from mnist" in str(said) and not tried
