"""See it learn: the answers to the same images after every epoch that is kept, computed when somebody opens them."""

import threading

import pytest
import torch
from engine import evaluated
from fastapi import FastAPI
from photos import flowers as photos
from run_folders import a_run
from starlette.testclient import TestClient
from test_evaluations import made

from imgcls.checkpoints.epochs import keep_epoch
from imgcls.checkpoints.format import load_checkpoint
from imgcls.data.photos import StorageFormat
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
    assert len(shown.labels) == see_it_learn.IMAGE_COUNT == len(rows) and set(shown.labels) == {"daisy", "rose"}
    again, others = see_it_learn.Lessons(lab).answers(best, (2, 0))
    assert again.pictures == shown.pictures  # whoever looks sees the same
    assert [[row[2], row[0]] for row in rows] == others
    assert all(one.right == (one.label == label) for label, row in zip(shown.labels, rows, strict=True) for one in row)
    assert lessons.images(best) is shown


def test_the_card_folds_it_away_and_asks_again_after_an_epoch(lab):
    watch, words = RunCache(lab), Translator("en")
    before = see_it_learn.address(watch.view("first"), words)
    assert "&" in before and "data-from" in run_card.card(watch.view("first"), words)
    app = FastAPI()
    see_it_learn.add_routes(app, watch)
    client = TestClient(app)
    answer = client.get(before.removeprefix(".."))
    assert answer.status_code == 200 and answer.text.count("<img") == see_it_learn.IMAGE_COUNT
    assert answer.text.count("<tr>") == see_it_learn.IMAGE_COUNT + 2
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


def test_only_its_images_are_decoded_and_no_cache_is_made(lab, monkeypatch):
    decoded, read = [], StorageFormat.read
    monkeypatch.setattr(
        StorageFormat, "read", lambda form, path, **name: decoded.append(path) or read(form, path, **name)
    )
    broken = next((lab.data / "flowers" / "rose").iterdir())
    broken.write_bytes(b"no picture")
    images = see_it_learn.Lessons(lab).images(lab.checkpoints / "first" / "best.safetensors")
    assert see_it_learn.IMAGE_COUNT >= len(images.labels) >= see_it_learn.IMAGE_COUNT - 1
    assert len(decoded) == see_it_learn.IMAGE_COUNT and not list(lab.data.rglob("crop-*"))


def test_what_failed_is_asked_again_when_it_is_mended(lab):
    app = FastAPI()
    see_it_learn.add_routes(app, RunCache(lab))
    client, photos_away = TestClient(app), lab.data / "away"
    (lab.data / "flowers").rename(photos_away)
    failed = client.get("/learnt/first?language=en")
    assert failed.status_code == 200 and "<img" not in failed.text and 'class="hint"' in failed.text
    photos_away.rename(lab.data / "flowers")
    assert client.get("/learnt/first?language=en").text.count("<img") == see_it_learn.IMAGE_COUNT


def test_nothing_of_it_is_done_in_the_event_loop(lab, monkeypatch):
    """Neither its run's files are looked at there, nor do networks' answers wait for its images."""
    threads = {}
    for name in ("epochs_of", "stamp_of", "images_for", "network_of_epoch"):
        called = getattr(see_it_learn, name)

        def noted(*args, _name=name, _called=called, **options):
            threads.setdefault(_name, set()).add(threading.current_thread().name)
            return _called(*args, **options)

        monkeypatch.setattr(see_it_learn, name, noted)
    app = FastAPI()
    see_it_learn.add_routes(app, RunCache(lab))
    assert TestClient(app).get("/learnt/first?language=en").status_code == 200
    assert threads == {
        "epochs_of": {"work-state"}, "stamp_of": {"work-state"}, "images_for": {"work-dataset"},
        "network_of_epoch": {"work-network"},
    }  # fmt: skip


FOLD = """
  const listeners = {}, place = { innerHTML: '', replaceChildren(child) { this.innerHTML = child.textContent; } };
  const fold = { dataset: { key: 'learn', from: '../learnt/first?last=1', failed: 'SENTENCE' } };
  fold.querySelector = () => place;
  const element = {
    isConnected: true, addEventListener: (name, heard) => { listeners[name] = heard; }, querySelectorAll: () => [],
    querySelector: selector => selector.includes('> div') ? place : null,
  };
  globalThis.document = { baseURI: 'http://lab/en/', addEventListener() {}, createElement: () => ({}) };
  globalThis.CSS = { escape: text => text };
  globalThis.MutationObserver = class { observe() {} };
  const texts = [];
  const { start } = await import(`${TRAIN}/../live_card.js`);
  start({ element, trigger() {}, props: {}, watch() {} });
  for (const status of statuses) {
    globalThis.fetch = async () => ({ ok: status === 200, status, text: async () => 'TABLE' });
    listeners.toggle({ target: { ...fold, open: true } });
    await new Promise(done => setTimeout(done));
    texts.push(place.innerHTML);
  }
  return texts;
"""


def test_a_fold_that_cannot_be_filled_says_so_and_asks_again(lab):
    assert 'data-failed="This could not be loaded' in run_card.card(RunCache(lab).view("first"), Translator("en"))
    texts = evaluated(FOLD, statuses=[429, 500, 200, 500])
    assert texts == ["SENTENCE", "SENTENCE", "TABLE", "TABLE"]  # what is there already is not asked for again


def test_which_epochs_and_which_images():
    assert see_it_learn.chosen_epochs([0, 1, 2]) == (0, 1, 2)
    many = see_it_learn.chosen_epochs(range(0, 80, 2))
    assert (
        many[0] == 0 and many[-1] == 78 and len(many) <= see_it_learn.EPOCH_COLUMNS and list(many) == sorted(set(many))
    )
    assert see_it_learn.first_of_each([1, 1, 1, 0, 2, 1], 4) == [3, 0, 1, 4]
    assert see_it_learn.first_of_each([0, 0], 9) == [0, 1]
