"""An evaluation is kept beside the run, found again without reading anything, and made anew when something changed."""

import json
import os

import pytest
import torch
from photos import flowers as photos
from photos import photo

from imgcls.checkpoints.format import Meta, save_checkpoint, versions
from imgcls.checkpoints.store import list_checkpoints
from imgcls.data.progress import Interrupted
from imgcls.errors import DatasetError
from imgcls.models import build
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs.evaluations import comparable, evaluate_checkpoint, find_evaluation, kept_in
from imgcls.training.trainer import train
from imgcls.web.evaluate.evaluation_card import card
from imgcls.web.i18n.translator import Translator


@pytest.fixture
def flowers(workspace):
    """A folder of forty photos in two classes, and an untrained network's checkpoint that knows them."""
    photos(workspace.data / "flowers", each=20, classes=("daisy", "rose"))
    return workspace, made(workspace, "first")


def made(workspace, name, *, seed=0):
    torch.manual_seed(seed)
    settings = with_recipe({"model": "lenet", "dataset": "flowers", "val_split": 0.5})
    form = preprocess_for(settings)
    model = build("lenet", channels=3, classes=2, image_size=form.size)
    path = workspace.checkpoints / name / "best.safetensors"
    save_checkpoint(
        path, model.state_dict(),
        Meta(model="lenet", classes=("daisy", "rose"), preprocess=form, settings=settings.model_dump(),
             versions=versions()),
    )  # fmt: skip
    return path


def test_it_is_kept_and_found_again(flowers):
    workspace, path = flowers
    assert find_evaluation(path, workspace) is None
    first = evaluate_checkpoint(path, workspace)
    again = find_evaluation(path, workspace)
    assert first.part == again.part == "val" and again.report() == first.report() and again.created == first.created
    assert len(again.outputs.labels) == 20 and len(again.paths) == 20
    for index, label in zip(again.indices.tolist(), again.outputs.labels.tolist(), strict=True):
        assert again.classes[label] in again.paths[index]
    json.dumps(again.as_dict())
    assert [info.path for info in list_checkpoints(workspace) if info.run == "first"] == [path]


def test_another_part_is_another_evaluation(flowers):
    workspace, path = flowers
    val, train = evaluate_checkpoint(path, workspace, part="val"), evaluate_checkpoint(path, workspace, part="train")
    assert train.part == "train" and not set(val.paths) & set(train.paths)
    with pytest.raises(DatasetError, match="to use for test"):
        evaluate_checkpoint(path, workspace, part="test")


def test_changed_weights_or_photos_make_it_anew(flowers):
    workspace, path = flowers
    evaluate_checkpoint(path, workspace)
    photo = next((workspace.data / "flowers" / "rose").iterdir())
    os.utime(photo, (1, 1))
    assert find_evaluation(path, workspace) is None
    evaluate_checkpoint(path, workspace)
    made(workspace, "first", seed=1)
    assert find_evaluation(path, workspace) is None


def test_a_damaged_one_is_made_anew(flowers):
    workspace, path = flowers
    evaluate_checkpoint(path, workspace)
    (kept,) = kept_in(path, workspace).iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    assert find_evaluation(path, workspace) is None
    assert evaluate_checkpoint(path, workspace).part == "val"


def test_stopped_halfway_leaves_nothing(flowers):
    workspace, path = flowers

    def stop(done, total):
        assert 0 < done <= total == 20
        raise Interrupted

    with pytest.raises(Interrupted):
        evaluate_checkpoint(path, workspace, progress=stop)
    assert not kept_in(path, workspace).exists()


def test_other_images_cannot_be_compared(flowers):
    workspace, path = flowers
    val, train = (evaluate_checkpoint(path, workspace, part=part) for part in ("val", "train"))
    other = evaluate_checkpoint(made(workspace, "second", seed=3), workspace)
    comparable([val, other])
    with pytest.raises(DatasetError, match="same images"):
        comparable([val, train])


def test_what_ships_keeps_its_evaluations_elsewhere(workspace):
    shipped = workspace.shipped("checkpoints", "lenet-mnist") / "best.safetensors"
    assert kept_in(shipped, workspace).is_relative_to(workspace.root)
    assert not kept_in(shipped, workspace).is_relative_to(workspace.checkpoints)


@pytest.mark.parametrize("own_val", [False, True])
def test_photos_that_came_after_the_training_are_told(flowers, own_val):
    """Divided anew, the validation part may hold what was learnt from; a folder's own val part stays what it is."""
    workspace, _ = flowers
    root = workspace.data / "flowers"
    if own_val:
        photos(root / "val", each=4, classes=("daisy", "rose"))
        for name in ("daisy", "rose"):
            (root / "train").mkdir(exist_ok=True)
            (root / name).rename(root / "train" / name)
    chosen = with_recipe({"model": "lenet", "dataset": "flowers", "epochs": 1, "image_size": 32, "device": "cpu"})
    assert list(train(chosen, workspace=workspace, run="r"))
    best = workspace.checkpoints / "r" / "best.safetensors"
    assert not evaluate_checkpoint(best, workspace).divided_anew
    photo("rose", 999).save(root / ("train" if own_val else "") / "rose" / "new.jpg")
    made = evaluate_checkpoint(best, workspace)
    assert made.divided_anew is not own_val and made.as_dict()["divided_anew"] is not own_val
    assert find_evaluation(best, workspace).divided_anew is not own_val
    assert ("may have learnt" in card([made], 0, [], Translator("en"))) is not own_val
    assert not evaluate_checkpoint(best, workspace, part="all").divided_anew
