"""That was wrong: kept with its right label, exported, deleted by whoever kept it; a copy of the checkpoint learns."""

import re
import time
import zipfile
from io import BytesIO
from types import SimpleNamespace

import pytest
from asking import by_name
from fastapi import FastAPI
from fastapi.testclient import TestClient
from lenets import lenet
from photos import flowers
from PIL import Image
from test_compare import drawing

from imgcls.checkpoints.format import read_tensors
from imgcls.data.corrections import Corrections, find
from imgcls.errors import CheckpointError, DatasetError
from imgcls.recipes import with_recipe
from imgcls.training.loading import load_run_data
from imgcls.training.trainer import train
from imgcls.web import downloads
from imgcls.web.classify.corrections import server_functions, this_picture
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.web.shared.run_cache import RunCache

SMALL = {"dataset": "mnist", "train_images": 400, "val_split": 200, "epochs": 1, "threads": 1, "lr": 0.02}
ENGLISH = Translator("en")
ASKED = {"checkpoint": "threes/best", "token": "mine", "request": None}


@pytest.fixture
def lab(workspace):
    lenet(workspace, "threes", always=3, settings=SMALL)
    return workspace


def asking(workspace, limits=ALONE):
    people = People(workspace, shared=limits.public)
    functions = server_functions(Translator("en"), RunCache(workspace), limits, people)
    visitor = SimpleNamespace(client=SimpleNamespace(host="10.0.0.9"), cookies={})
    return {name: lambda asked, f=f: f(asked, visitor) for name, f in by_name(functions, "wrong_").items()}


def test_a_drawing_is_kept_exported_and_deleted(lab):
    ask = asking(lab)
    assert ask["open"](ASKED)["set"] == "my-drawings" and ask["open"](ASKED)["cannot_learn"] == ""
    kept = ask["keep"]({**ASKED, **drawing(), "label": 1})
    (path,) = (lab.data / "my-drawings" / "1").glob("*.png")
    assert kept["count"] == 1 and kept["pictures"][0]["label"] == "1" and kept["file"] == f"1/{path.name}"
    assert Image.open(path).size == (196, 196)
    ask["keep"]({**ASKED, **drawing((20, 100, 180, 100)), "label": 7})
    app = FastAPI()
    downloads.add_routes(app, RunCache(lab))
    with TestClient(app) as client:
        packed = zipfile.ZipFile(BytesIO(client.get("/corrections/my-drawings.zip").content))
        assert sorted(name.split("/")[0] for name in packed.namelist()) == ["1", "7"] and packed.testzip() is None
        assert client.get("/corrections/flowers.zip").status_code == 404
        assert client.get("/corrections/..%2f..%2fcheckpoints.zip").status_code == 404
    assert ask["delete"]({**ASKED, "file": kept["file"]})["count"] == 1 and not path.exists()


def test_in_a_shared_lab_it_is_asked_once_and_the_keeper_deletes(lab):
    ask = asking(lab, SHARED)
    assert ask["open"](ASKED)["ask"]
    assert "others" in ask["keep"]({**ASKED, **drawing(), "label": 1})["error"]
    kept = ask["keep"]({**ASKED, **drawing(), "label": 1, "agreed": True})
    assert "Somebody else" in ask["delete"]({**ASKED, "file": kept["file"], "token": "another"})["error"]
    assert ask["delete"]({**ASKED, "file": kept["file"]})["count"] == 0
    nobody = ask["keep"]({**ASKED, **drawing(), "label": 1, "agreed": True, "token": ""})
    assert "Somebody else" in ask["delete"]({**ASKED, "file": nobody["file"], "token": ""})["error"]
    ask["keep"]({**ASKED, **drawing(), "label": 1, "agreed": True})
    assert "who you are" in ask["learn"](ASKED)["error"]


def test_a_set_is_capped_and_of_one_kind(lab):
    made = Corrections(lab, "few", ("a", "b"))
    for _ in range(3):
        made.keep(Image.new("L", (20, 20)), "a", token="", most=3)
    with pytest.raises(DatasetError, match="full"):
        made.keep(Image.new("L", (20, 20)), "b", token="", most=3)
    with pytest.raises(DatasetError, match="other classes"):
        Corrections(lab, "few", ("a", "c"))
    flowers(lab.data / "flowers", each=3)
    for name in ("flowers", "MNIST", "../x", ".hidden", "a/b"):
        with pytest.raises(DatasetError):
            Corrections(lab, name, ("a", "b"))
    for kept in made.pictures():
        made.delete(kept.file, token=None)
    with pytest.raises(DatasetError, match="holds no correction"):
        find("few", lab, ("a", "b"))


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"label": 1}, {"label": 99}, {"label": "x"}, {"label": 1, "drawing": "x"}, {"set": "../x", "label": 1},
        {"label": -1}, {"set": "MNIST", "label": 1}, {"checkpoint": "no/best", "label": 1},
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(lab, asked):
    given = drawing() if "set" in asked or asked.get("label") in (99, -1, "x") else {}
    answer = asking(lab)["keep"]({**ASKED, **given, **asked})
    assert set(answer) == {"error"} and answer["error"].endswith(".")


def test_a_copy_learns_what_was_wrong_and_the_checkpoint_stays(lab):
    """A network that answers 3 whatever it sees; five bars are kept as 1."""
    path = lab.checkpoints / "threes" / "best.safetensors"
    before = path.read_bytes()
    ask = asking(lab)
    for i in range(5):
        ask["keep"]({**ASKED, **drawing((60 + i, 20, 60, 170)), "label": 1})
    settings = with_recipe({**SMALL, "name": "again", "start_from": "threes/best", "corrections": "my-drawings"})
    data = load_run_data(settings, lab)
    plain = load_run_data(with_recipe(SMALL), lab)
    assert len(data.train) - len(plain.train) == 20 and data.fingerprint != plain.fingerprint  # each four times
    assert data.train.labels[-20:].tolist() == [1] * 20
    *_, last = train(settings, workspace=lab, run="again")
    assert path.read_bytes() == before
    learnt = read_tensors(lab.checkpoints / "again" / "best.safetensors")
    first = read_tensors(path)
    ((what, then, now),) = this_picture(drawing(), (path, lab.checkpoints / "again" / "best.safetensors"), ENGLISH)
    assert what == "This picture" and then.startswith("3 · ") and re.fullmatch(r"\d · [<>]?\d.*%", now)
    assert this_picture({}, (path, path), ENGLISH) == []  # nothing is being looked at
    assert not learnt["fc3.bias"].equal(first["fc3.bias"])
    assert (learnt["conv1.weight"] - first["conv1.weight"]).abs().max() < 0.2  # it began there


def test_photos_are_corrected_too(workspace):
    flowers(workspace.data / "flowers", each=8)
    kept = Corrections(workspace, "my-flowers", ("daisy", "rose", "tulip"))
    kept.keep(Image.new("RGB", (90, 60), "purple"), "tulip", token="", most=9)
    settings = with_recipe({"dataset": "flowers", "model": "lenet", "corrections": "my-flowers"})
    train_part = load_run_data(settings, workspace).train
    assert train_part.labels[-1] == 2 and "my-flowers" in train_part.paths[-1]
    assert len(train_part.images) == len(train_part.labels) == len(train_part.paths)


def test_a_checkpoint_of_other_classes_is_no_start(lab):
    lenet(lab, "letters", classes=("a", "b"), always=1)
    with pytest.raises(CheckpointError, match="learn on"):
        list(train(with_recipe({**SMALL, "start_from": "letters"}), workspace=lab, run="x"))


def test_what_cannot_learn_says_why(lab):
    ask = asking(lab)
    assert "not here" in ask["open"]({**ASKED, "checkpoint": "imagenet/best"})["cannot_learn"]
    lenet(lab, "adopted", always=1)
    assert ask["open"]({**ASKED, "checkpoint": "adopted/best"})["cannot_learn"]
    assert "There is no set of corrections" in ask["learn"](ASKED)["error"]


def test_the_page_has_it_learn_and_shows_before_and_after(lab):
    ask = asking(lab)
    ask["keep"]({**ASKED, **drawing(), "label": 1})
    run = ask["learn"](ASKED)["run"]
    assert run == "threes-corrected-1"
    for _ in range(600):
        seen = ask["look"]({**ASKED, "run": run})
        if seen.get("at_rest") or "error" in seen:
            break
        time.sleep(0.2)
    assert seen["checkpoint"] == f"{run}/best" and "0 of 1" in seen["html"] and "of 1</td>" in seen["html"]
    assert "error" in ask["look"]({**ASKED, "run": "threes"})


def test_what_no_network_reads_is_not_kept(lab):
    ask = asking(lab)
    assert "error" in ask["keep"]({**ASKED, **drawing(()), "label": 1})
    assert not list(lab.data.glob("my-drawings/*/*"))


def test_another_picture_under_the_same_name_is_other_data(lab):
    kept = Corrections(lab, "mine", tuple("0123456789"))
    settings = with_recipe({**SMALL, "corrections": "mine"})
    plain = load_run_data(with_recipe(SMALL), lab).fingerprint
    prints = []
    for shade in (90, 200):
        ink = Image.new("L", (28, 28))
        ink.paste(shade, (10, 4, 16, 24))
        made = kept.keep(ink, "1", token="me", most=9)
        prints.append(load_run_data(settings, lab).fingerprint)
        made.path.unlink()
    assert prints[0] != prints[1] and all(p.startswith(plain + "+") for p in prints)
