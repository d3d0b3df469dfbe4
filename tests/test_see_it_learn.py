"""See it learn: the answers to the same images after every epoch that is kept, computed when somebody opens them."""

import pytest
import torch
from fastapi import FastAPI
from photos import flowers as photos
from run_folders import a_run
from starlette.testclient import TestClient
from test_evaluations import made

from imgcls.checkpoints.epochs import keep_epoch
from imgcls.checkpoints.format import load_checkpoint
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.train import run_card, see_it_learn


@pytest.fixture
def lab(workspace):
    photos(workspace.data / "flowers", each=20, classes=("daisy", "rose"))
    a_run(workspace, "first", dataset="flowers", model="lenet")
    best = made(workspace, "first")
    for epoch in range(3):
        torch.manual_seed(epoch)
        state = {
            name: t + 0.5 * epoch * torch.randn_like(t) for name, t in load_checkpoint(best)[0].state_dict().items()
        }
        keep_epoch(best.parent, epoch, state)
    return workspace


def test_the_same_images_are_answered_after_each_epoch(lab):
    best = lab.checkpoints / "first" / "best.safetensors"
    lessons = see_it_learn.Lessons(lab)
    shown, rows = lessons.answers(best, (0, 1, 2))
    assert len(shown.labels) == see_it_learn.IMAGES == len(rows) and set(shown.labels) == {"daisy", "rose"}
    again, others = see_it_learn.Lessons(lab).answers(best, (2, 0))
    assert again.pictures == shown.pictures  # whoever looks sees the same
    assert [[row[2], row[0]] for row in rows] == others
    assert all(one.right == (one.label == label) for label, row in zip(shown.labels, rows, strict=True) for one in row)
    assert lessons.shown(best) is shown


def test_the_card_folds_it_away_and_asks_again_after_an_epoch(lab):
    watch, words = RunCache(lab), Translator("en")
    before = see_it_learn.address(watch.view("first"), words)
    assert "&" in before and "data-from" in run_card.card(watch.view("first"), words)
    app = FastAPI()
    see_it_learn.add_routes(app, watch)
    client = TestClient(app)
    answer = client.get(before.removeprefix(".."))
    assert answer.status_code == 200 and answer.text.count("<img") == see_it_learn.IMAGES
    assert answer.text.count("<tr>") == see_it_learn.IMAGES + 2
    best = lab.checkpoints / "first" / "best.safetensors"
    keep_epoch(best.parent, 3, load_checkpoint(best)[0].state_dict())
    after = see_it_learn.address(watch.view("first"), words)
    assert after != before and after.split("?")[0] == before.split("?")[0]
    assert client.get("/learnt/nothing?language=en").status_code == 404
    assert client.get("/learnt/first?language=xx").status_code == 404
    for kept in (best.parent / "epochs").iterdir():
        kept.unlink()
    assert see_it_learn.address(watch.view("first"), words) == ""
    assert "keeps no weights" in client.get("/learnt/first?language=en").text


def test_which_epochs_and_which_images():
    assert see_it_learn.chosen([0, 1, 2]) == (0, 1, 2)
    many = see_it_learn.chosen(range(0, 80, 2))
    assert many[0] == 0 and many[-1] == 78 and len(many) <= see_it_learn.EPOCHS and list(many) == sorted(set(many))
    assert see_it_learn.first_of_each([1, 1, 1, 0, 2, 1], 4) == [3, 0, 1, 4]
    assert see_it_learn.first_of_each([0, 0], 9) == [0, 1]
