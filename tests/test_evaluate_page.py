"""What the Evaluate tab asks the server for: begin, look, stop, the images of a cell, one image, moving and undoing."""

import asyncio
import base64
import io
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from asking import by_name
from photos import flowers as photos
from PIL import Image
from test_evaluations import made

from imgcls.inference.classify import classify
from imgcls.inference.evaluation import Evaluation
from imgcls.inference.predictor import Predictor
from imgcls.runs import background_jobs, evaluations
from imgcls.runs.evaluations import evaluate_checkpoint, find_evaluation
from imgcls.web.evaluate import view
from imgcls.web.evaluate.results import Evaluations
from imgcls.web.evaluate.send_to_classify import send_to_classify
from imgcls.web.evaluate.view import server_functions
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.uploads import uploaded
from imgcls.workspace import PROJECT

ASKED = {"checkpoints": ["first/best"], "dataset": "flowers", "part": "val"}


@pytest.fixture
def lab(workspace):
    photos(workspace.data / "flowers", each=20, classes=("daisy", "rose"))
    path = made(workspace, "first")
    evaluate_checkpoint(path, workspace, dataset="flowers", part="val")
    return workspace


def asking(workspace, limits=ALONE, language="en"):
    functions = server_functions(Translator(language), RunCache(workspace), limits)
    return by_name(functions, "evaluate_")


def test_a_kept_evaluation_is_there_at_once(lab):
    answer = asking(lab)["look"](ASKED)
    assert answer["state"] == "finished" and answer["classes"] == ("daisy", "rose")
    assert "<table" in answer["html"] and "20 images" in answer["html"]
    assert "95%" in answer["html"] and "混淆" in asking(lab, language="zh")["look"](ASKED)["html"]


def test_the_images_of_a_cell(lab):
    ask = asking(lab)
    every = ask["images"](ASKED)
    assert every["total"] == 20 and every["images"][0]["url"].startswith("data:image/")
    wrong = [image for image in every["images"] if not image["right"]]
    assert every["images"][: len(wrong)] == wrong  # mistakes first, the most confident first
    shares = [float(image["confidence"].strip("<>%")) for image in wrong]
    assert shares == sorted(shares, reverse=True)
    cells = [ask["images"]({**ASKED, "true": str(t), "predicted": str(p)})["total"] for t in (0, 1) for p in (0, 1)]
    assert sum(cells) == 20 and cells[0] + cells[1] == sum(image["true"] == "daisy" for image in every["images"])
    assert ask["images"]({**ASKED, "verdict": "right"})["total"] == 20 - len(wrong)
    assert ask["images"]({**ASKED, "sure": "unsure"})["total"] == 0


def test_an_image_is_moved_and_moved_back(lab):
    ask = asking(lab)
    (image, *_) = [i for i in ask["images"](ASKED)["images"] if i["true"] == "daisy"]
    one = ask["image"]({**ASKED, "place": image["place"]})
    assert "labelled daisy" in one["html"] and 'class="move"' in one["html"]
    change = ask["move"]({**ASKED, "place": image["place"], "label": "rose"})["change"]
    assert len(list((lab.data / "flowers" / "rose").iterdir())) == 21
    assert ask["undo"]({**ASKED, "change": change}) == {}
    assert len(list((lab.data / "flowers" / "rose").iterdir())) == 20
    change = ask["delete"]({**ASKED, "place": image["place"]})["change"]
    assert len(list((lab.data / "flowers" / "daisy").iterdir())) == 19
    ask["undo"]({**ASKED, "change": change})
    assert len(list((lab.data / "flowers" / "daisy").iterdir())) == 20


def test_a_photo_is_handed_over_to_classify_as_it_is(lab):
    given = asking(lab)["hand_over"]({**ASKED, "place": 3})
    evaluated = find_evaluation(lab.checkpoints / "first" / "best.safetensors", lab, dataset="flowers", part="val")
    own = Path(evaluated.paths[int(evaluated.indices[3])])
    assert given["checkpoint"] == "first/best" and uploaded(given["photo"]).read_bytes() == own.read_bytes()
    own.unlink()
    assert "error" in asking(lab)["hand_over"]({**ASKED, "place": 3})


def test_visitors_of_a_shared_lab_get_a_small_picture_that_says_nothing_else(lab):
    evaluated = find_evaluation(lab.checkpoints / "first" / "best.safetensors", lab, dataset="flowers", part="val")
    exif = Image.Exif()
    exif[0x010E] = "behind the school"
    Image.new("RGB", (2000, 1500), "red").save(evaluated.paths[int(evaluated.indices[3])], "JPEG", exif=exif)
    evaluate_checkpoint(lab.checkpoints / "first" / "best.safetensors", lab, dataset="flowers", part="val")
    given = asking(lab, SHARED)["hand_over"]({**ASKED, "place": 3})
    photo = Image.open(uploaded(given["photo"]))
    assert photo.size == (1024, 768) and not photo.getexif() and b"school" not in uploaded(given["photo"]).read_bytes()
    full = replace(SHARED, all_uploads_mb=0)
    assert "no room" in asking(lab, full)["hand_over"]({**ASKED, "place": 3})["error"]


def test_a_digit_is_handed_over_as_a_drawing_and_read_as_it_was(workspace):
    path = PROJECT / "checkpoints" / "lenet-mnist" / "best.safetensors"
    evaluated = Evaluation(str(path), "lenet", "mnist", "test", tuple("0123456789"), True, None, torch.arange(12))
    predictor, kept = Predictor.load(path), Evaluations(workspace)
    for place in range(12):
        drawing = send_to_classify(kept, evaluated, place, ALONE)["drawing"]
        pad = Image.open(io.BytesIO(base64.b64decode(drawing.partition(",")[2]))).resize((196, 196))
        (said,) = predictor.predict_stored(kept._split(evaluated).images[place][None], top=1)
        assert classify(predictor, [pad])[0].label == said.label


def test_visitors_of_a_shared_lab_change_nothing(lab):
    ask = asking(lab, replace(SHARED))
    assert 'class="move"' not in ask["image"]({**ASKED, "place": 0})["html"]
    for name, more in (("move", {"label": "rose"}), ("delete", {}), ("undo", {"change": "x"}), ("stop", {})):
        assert "error" in ask[name]({**ASKED, "place": 0, **more})
    assert "error" in ask["look"]({**ASKED, "dataset": "../flowers"})


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"checkpoints": []}, {"checkpoints": ["../x"]}, {"checkpoints": 7}, {**ASKED, "part": "x"},
        {**ASKED, "checkpoints": ["first/best"] * 2 + [str(i) for i in range(9)]}, None, [],
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(lab, asked):
    for name, function in asking(lab).items():
        answer = function(asked)
        assert set(answer) == {"error"} and answer["error"].endswith("."), name


def test_which_checkpoint_does_not_fit_the_others_is_said(lab):
    answer = asking(lab)["look"]({**ASKED, "checkpoints": ["first/best", "lenet-digits/best"], "start": "again"})
    assert answer["error"].startswith("first and lenet-digits know different classes")
    assert asking(lab)["look"](ASKED)["state"] == "finished"


@pytest.mark.parametrize("more", [{"place": 99}, {"place": "x"}, {}, {"place": -1}, {"place": float("inf")}])
def test_an_image_that_is_not_there(lab, more):
    assert "error" in asking(lab)["image"]({**ASKED, **more})


def test_a_process_of_its_own_evaluates(lab):
    """Begun from the page, looked at until it is there; nothing is begun twice."""
    ask, asked = asking(lab), {**ASKED, "part": "train"}
    assert ask["look"](asked) == {"state": "none"}
    answer = ask["look"]({**asked, "start": "again"})
    assert answer["state"] == "running" and 'role="progressbar"' in answer["html"]
    one = evaluations.Request(lab.checkpoints / "first" / "best.safetensors", "flowers", "train")
    assert evaluations.status(one, lab).state == "running"
    for _ in range(600):
        answer = ask["look"]({**asked, "start": "on"})
        if answer.get("state") != "running":
            break
        time.sleep(0.2)
    assert answer["state"] == "finished" and ask["images"](asked)["total"] == 20


def test_mirror_images_are_measured_when_somebody_asks(lab):
    ask, asked = asking(lab), {**ASKED, "tta": True}
    assert "Measure with mirror images too" in ask["look"](ASKED)["html"] and ask["look"](asked) == {"state": "none"}
    one = evaluations.Request(lab.checkpoints / "first" / "best.safetensors", "flowers", "val", tta=True)
    assert evaluations.run(evaluations.prepare(one, lab), lab) == 0
    html = ask["look"](asked)["html"]
    assert "validation · with mirror images" in html and "Measure without mirror images" in html
    assert "with mirror images" not in ask["look"](ASKED)["html"].partition("</header>")[0]
    assert ask["images"](asked)["total"] == 20
    digits = {"checkpoints": ["lenet-digits/best"], "dataset": "mnist", "part": "test"}
    assert "is not one of its class any more" in ask["look"]({**digits, "tta": True})["error"]


def test_stopped_in_its_process_it_leaves_nothing(lab):
    one = evaluations.Request(lab.checkpoints / "first" / "best.safetensors", "flowers", "train")
    folder = evaluations.prepare(one, lab)
    evaluations.stop(one, lab)
    assert evaluations.run(folder, lab) == 0
    assert evaluations.status(one, lab).state == "stopped"


def test_why_it_failed_is_said(lab):
    one = evaluations.Request(lab.checkpoints / "first" / "best.safetensors", "flowers", "test")
    assert evaluations.run(evaluations.prepare(one, lab), lab) == 1
    seen = evaluations.status(one, lab)
    assert seen.state == "failed" and "flowers" in str(seen.message)
    json.dumps(seen.message.as_dict())


def test_a_visitors_evaluation_has_terms_and_the_hosts_has_none(lab, monkeypatch):
    begun = []
    monkeypatch.setattr(background_jobs, "start", lambda *given: begun.append(given[-1]))
    people = SimpleNamespace(visitor=lambda request: SimpleNamespace(host=request.client.host == "10.0.0.1"))
    for limits, host in ((SHARED, "10.0.0.7"), (SHARED, "10.0.0.1"), (ALONE, "127.0.0.1")):
        ask = by_name(server_functions(Translator("en"), RunCache(lab), limits, people), "evaluate_")
        ask["look"]({**ASKED, "part": "all", "start": "on"}, SimpleNamespace(client=SimpleNamespace(host=host)))
    assert begun[0].who and begun[0].seconds == 300.0 and begun[1:] == [background_jobs.FREE] * 2


def test_fifty_who_want_a_report_cost_one_making(lab, monkeypatch):
    made, go = [], threading.Event()

    def slowly(*given):
        made.append(given)
        assert go.wait(60)
        return "<html>"

    monkeypatch.setattr(view, "report", slowly)
    functions = server_functions(Translator("en"), RunCache(lab), SHARED)
    (ask,) = (function for function in functions if function.__name__ == "evaluate_report")

    async def fifty():
        asked = [asyncio.ensure_future(ask(dict(ASKED))) for _ in range(50)]
        while not made:
            await asyncio.sleep(0.01)
        go.set()
        return await asyncio.gather(*asked)

    answers = asyncio.run(fifty())
    assert len(made) == 1 and answers == [{"name": "first.html", "html": "<html>"}] * 50


@pytest.mark.parametrize(
    ("limits", "host", "may"), [(ALONE, False, True), (SHARED, False, False), (SHARED, True, True)]
)
def test_who_may_stop_an_evaluation(lab, monkeypatch, limits, host, may):
    """In a shared lab it may be somebody else's: its host may."""
    stopped = []
    monkeypatch.setattr(evaluations, "stop", lambda one, _: stopped.append(one.dataset))
    people = SimpleNamespace(visitor=lambda request: SimpleNamespace(host=host))
    ask = by_name(server_functions(Translator("en"), RunCache(lab), limits, people), "evaluate_")
    assert ("error" in ask["stop"](ASKED)) is not may and bool(stopped) is may
