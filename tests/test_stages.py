"""Why and look inside through the server: heat maps, strongest maps, the training images most like a photo."""

import base64
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from asking import by_name
from lenets import FORM, lenet
from photos import flowers, photo
from test_compare import drawing

from imgcls.checkpoints.format import Meta, save_checkpoint
from imgcls.models import build
from imgcls.recipes import with_recipe
from imgcls.training.calibrate import calibrate
from imgcls.training.loading import load_run_data
from imgcls.web.classify import stages
from imgcls.web.classify.stages import server_functions
from imgcls.web.evaluate.results import training_image
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.run_cache import RunCache


@pytest.fixture
def ask(workspace):
    return by_name(server_functions(Translator("en"), RunCache(workspace)))


@pytest.fixture
def uploaded(tmp_path, monkeypatch):
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    photo("rose", 7).save(folder / "rose.png")
    return {"photo": str(folder / "rose.png")}


@pytest.fixture
def garden(workspace):
    """An untrained ResNet18 that is calibrated on three flowers."""
    flowers(workspace.data / "garden", each=8)
    settings = with_recipe({"model": "resnet18", "dataset": "garden", "image_size": 32, "transfer": "scratch"})
    data = load_run_data(settings, workspace)
    torch.manual_seed(0)
    model = build("resnet18", channels=3, classes=3, image_size=32).eval()
    meta = Meta(model="resnet18", classes=data.classes, preprocess=data.preprocess, run="garden",
                settings=settings.model_dump())  # fmt: skip
    path = workspace.checkpoints / "garden" / "best.safetensors"
    save_checkpoint(path, model.state_dict(), meta, calibrate(model, data))
    return {"checkpoint": "garden/best"}


def values(stage):
    found = np.frombuffer(base64.b64decode(stage["maps"]), np.uint8)
    return found.reshape(-1, stage["side"], stage["side"])


def test_why_for_any_class_beside_an_untrained_network(ask, garden, uploaded):
    said = ask["stages_why"]({**garden, **uploaded})
    assert [stage["name"] for stage in said["stages"]] == ["layer1", "layer2", "layer3"]  # layer4 has one place left
    assert said["target"] == said["likely"][0][0] and said["classes"] == ("daisy", "rose", "tulip")
    assert said["picture"].startswith("data:image/png") and sum(share for *_, share in said["likely"]) == pytest.approx(
        1
    )
    other = ask["stages_why"]({**garden, **uploaded, "target": (said["target"] + 1) % 3})
    assert [s["maps"] for s in other["stages"]] != [s["maps"] for s in said["stages"]]
    untrained = ask["stages_why"]({**garden, **uploaded, "target": said["target"], "untrained": True})
    # This one has learnt nothing, so it is the untrained one.
    assert untrained == {"target": said["target"], "stages": said["stages"]}


def test_the_untrained_network_is_the_same_whoever_asks_at_once(ask, garden, uploaded):
    state = torch.random.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        made = list(
            pool.map(lambda _: ask["stages_why"]({**garden, **uploaded, "untrained": True, "target": 1}), range(8))
        )
    assert all(one == made[0] for one in made) and torch.equal(torch.random.get_rng_state(), state)
    stages._built.cache_clear()
    assert ask["stages_why"]({**garden, **uploaded, "untrained": True, "target": 1}) == made[0]


def test_a_training_image_lies_in_its_data_set(garden, workspace, tmp_path):
    path = workspace.checkpoints / "garden" / "best.safetensors"
    photo("rose", 7).save(tmp_path / "secret.png")
    inside = next((workspace.data / "garden" / "rose").iterdir())
    assert training_image(path, f"rose/{inside.name}", workspace).startswith("data:image/")
    for name in (str(tmp_path / "secret.png"), "../../secret.png", "/etc/passwd", ""):
        assert training_image(path, name, workspace) == ""


def test_the_training_images_most_like_a_photo(ask, garden, workspace, uploaded):
    alike = ask["stages_why"]({**garden, **uploaded})["alike"]
    assert len(alike) == 6 and all(one["url"].startswith("data:image/") for one in alike)
    (workspace.data / "garden" / alike[0]["name"]).unlink()
    left = ask["stages_why"]({**garden, **uploaded})["alike"]
    assert [one["name"] for one in left] == [one["name"] for one in alike[1:]]


def test_the_strongest_maps_of_each_stage(ask, garden, uploaded):
    stages = ask["stages_maps"]({**garden, **uploaded})["stages"]
    assert [(s["name"], s["whole"], s["count"]) for s in stages] == [
        ("conv1", 16, 64), ("layer1", 8, 64), ("layer2", 4, 128), ("layer3", 2, 256)
    ]  # fmt: skip
    for stage in stages:
        assert len(values(stage)) == len(stage["numbers"]) == 16
        means = values(stage).mean(axis=(1, 2))
        assert (np.diff(means) <= 1).all() and means[0] > means[-1]


def test_a_drawing_and_what_cannot_be(ask, workspace, uploaded):
    lenet(workspace, "letters", classes=("a", "b"))
    said = ask["stages_maps"]({"checkpoint": "letters/best", **drawing()})
    assert [s["name"] for s in said["stages"]] == ["conv1", "conv2"]
    assert "alike" in ask["stages_why"]({"checkpoint": "letters/best", **drawing(), "target": 1})
    for wrong in ({}, {"checkpoint": "no/best", **drawing()}, {"checkpoint": "letters/best", **drawing(), "target": 2},
                  {"checkpoint": "letters/best", "photo": "/etc/passwd"}):  # fmt: skip
        for function in ask.values() if "target" not in wrong else [ask["stages_why"]]:
            assert set(function(wrong)) == {"error"}
    model = build("swin_t", channels=1, classes=2, image_size=32)
    save_checkpoint(
        workspace.checkpoints / "swin" / "best.safetensors",
        model.state_dict(),
        Meta(model="swin_t", classes=("a", "b"), preprocess=FORM.model_copy(update={"size": 32}), run="swin"),
    )
    assert "patches" in ask["stages_why"]({"checkpoint": "swin/best", **drawing()})["error"]
