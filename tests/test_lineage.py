"""A run that starts from another network is validated on nothing that one has learnt, and does not learn what validated
it."""

import shutil

import numpy as np
import pytest
import torch
from photos import flowers, photo
from PIL import Image

from imgcls.checkpoints.exports import export_state_dict
from imgcls.checkpoints.format import load_checkpoint, read_meta, save_checkpoint
from imgcls.data.manifest import FROM_ELSEWHERE, Manifest, manifest_file
from imgcls.errors import CheckpointError, DatasetError
from imgcls.recipes import with_recipe
from imgcls.runs.evaluations import compare_evaluations, evaluate_checkpoint
from imgcls.runs.lifecycle import check_run
from imgcls.training import events
from imgcls.training.loading import load_run_data
from imgcls.training.provenance import lineage_of, manifest_of
from imgcls.training.trainer import train


def said(dataset="flowers", **values):
    plain = {"dataset": dataset, "model": "lenet", "epochs": 1, "device": "cpu", "threads": 1, "augment": "none"}
    return with_recipe({**plain, **values})


def run(settings, workspace, name, **options):
    return list(train(settings, workspace=workspace, run=name, **options))


def written(workspace, name):
    return Manifest.read(manifest_file(name, workspace))


@pytest.fixture
def own(workspace):
    return flowers(workspace.data / "flowers")


def test_noise_stays_noise(workspace):
    """Random labels cannot be learnt: a network that has seen them must not be validated on them."""
    random = np.random.default_rng(0)
    for label in "abcd":
        (workspace.data / "noise" / label).mkdir(parents=True)
        for i in range(50):
            image = Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8))
            image.save(workspace.data / "noise" / label / f"{i}.png")
    hard = {"epochs": 40, "schedule": "constant", "lr": 0.02}
    run(said("noise", seed=1, **hard), workspace, "n1")
    made = run(said("noise", seed=2, lr=1e-5, start_from="n1/last"), workspace, "n2")
    assert made[-1].best_val_accuracy < 0.5  # 0.8 where it is measured on what it knows by heart
    assert written(workspace, "n2").validated == written(workspace, "n1").validated


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("val_split", [0.1, 0.2, 0.5])
def test_what_the_earlier_network_saw_stays_on_its_side(own, workspace, seed, val_split):
    run(said(seed=1), workspace, "a")
    for i in range(15):
        photo("rose", 900 + i).save(own / "rose" / f"new{i}.jpg")
    chosen = said(seed=seed, start_from="a", val_split=val_split, epochs=2)
    run(chosen, workspace, "b")
    first, second = written(workspace, "a"), written(workspace, "b")
    assert not second.validated & first.learnt and not second.trained & first.validated
    assert second.learnt == first.learnt | second.trained
    left_out = [one for one in second.left_out if "was validated on it" in str(one.reason)]
    assert len(second.trained | second.validated) + len(left_out) == 51
    assert (val_split < 0.2) == bool(left_out)
    third = said(seed=7, start_from="b")
    lineage = lineage_of(third, workspace)
    data = load_run_data(third, workspace, lineage=lineage)
    assert not data.manifest.validated & (first.learnt | second.learnt)


def test_a_stopped_run_goes_on_when_its_ancestor_is_gone(own, workspace):
    run(said(seed=1), workspace, "a")
    chosen, made = said(seed=2, start_from="a", epochs=3, batch_size=8), []
    for event in train(chosen, workspace=workspace, run="b", should_stop=lambda: len(made) > 2):
        made.append(event)
    assert isinstance(made[-1], events.Stopped)
    began = written(workspace, "b")
    shutil.rmtree(workspace.checkpoints / "a"), shutil.rmtree(workspace.train_logs / "a")
    made = run(chosen, workspace, "b", resume=True)
    assert isinstance(made[-1], events.Finished) and written(workspace, "b") == began
    assert read_meta(workspace.checkpoints / "b" / "best.safetensors").manifest == began.digest


def test_of_a_built_in_set_too(workspace):
    chosen = said("mnist", train_images=500, val_split=300, seed=1)
    run(chosen, workspace, "a")
    run(chosen.model_copy(update={"seed": 2, "start_from": "a", "val_split": 200.0}), workspace, "b")
    first, second = written(workspace, "a"), written(workspace, "b")
    assert len(second.validated) == 200 and second.validated < first.validated
    assert not second.trained & first.validated and len(second.trained) == 500
    again = load_run_data(said("mnist", train_images=500, val_split=200, seed=2), workspace, manifest=second)
    assert again.manifest.digest == second.digest


def test_where_nothing_is_left_to_validate_on_a_sentence_says_so(own, workspace):
    """A folder whose val part is what the network has learnt."""
    run(said(seed=1), workspace, "a")
    learnt = [own / path for path in written(workspace, "a").splits["train"].paths]
    for path in learnt:
        for part in ("train", "val"):
            (workspace.data / "other" / part / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, workspace.data / "other" / part / path.parent.name / path.name)
    chosen = said("other", start_from="a")
    with pytest.raises(DatasetError, match="no image to validate on: a, which this run starts from, has learnt"):
        run(chosen, workspace, "b")
    photo("rose", 999).save(workspace.data / "other" / "val" / "rose" / "new.jpg")
    run(chosen, workspace, "b")
    made = written(workspace, "b")
    assert made.splits["val"].paths == ("val/rose/new.jpg",)
    assert len([one for one in made.left_out if "has learnt it" in str(one.reason)]) == len(learnt)


def without_manifest(workspace, name, **changes):
    """As a version without manifests wrote it."""
    for path in (workspace.checkpoints / name).glob("*.safetensors"):
        model, meta = load_checkpoint(path)
        save_checkpoint(path, model.state_dict(), meta.model_copy(update={"manifest": "", **changes}))
    manifest_file(name, workspace).unlink()


def test_an_older_network_is_started_from_as_long_as_its_photos_are_known(own, workspace):
    run(said(seed=1), workspace, "a")
    known = written(workspace, "a")
    without_manifest(workspace, "a")
    chosen = said(seed=2, start_from="a")
    assert lineage_of(chosen, workspace).learnt == known.learnt
    photo("rose", 999).save(own / "rose" / "new.jpg")
    for refused in (lambda: check_run(chosen, workspace), lambda: run(chosen, workspace, "b")):
        with pytest.raises(CheckpointError, match="Which images a has learnt from is not known any more"):
            refused()
    # Of a network that came from elsewhere nobody knows; that is said.
    best = workspace.checkpoints / "a" / "best.safetensors"
    model, meta = load_checkpoint(best)
    save_checkpoint(best, model.state_dict(), meta.model_copy(update={"fingerprint": ""}))
    made = run(chosen, workspace, "c")
    assert any("is not known: if they are among these" in str(note) for note in made[0].notes)


@pytest.mark.parametrize("ancestor", ["of changed photos", "from elsewhere", "a file of weights"])
def test_what_nobody_knows_of_an_ancestor_stays_unknown(own, workspace, ancestor):
    """It is written down, carried on to every run that comes of it, and no figure is compared as if it were known."""
    flowers(workspace.data / "garden")
    flowers(workspace.data / "fresh", each=3)
    net = {"model": "resnet18", "image_size": 32} if ancestor == "a file of weights" else {}
    run(said("garden", seed=1, **net), workspace, "a")
    without_manifest(workspace, "a", **({} if ancestor == "of changed photos" else {"fingerprint": ""}))
    photo("rose", 999).save(workspace.data / "garden" / "rose" / "new.jpg")
    began = said(seed=2, start_from="a", epochs=2, batch_size=8, **net)
    if ancestor == "a file of weights":
        workspace.weight.mkdir()
        shutil.copy(workspace.checkpoints / "a" / "best.safetensors", workspace.weight / "a.safetensors")
        began = began.model_copy(update={"start_from": "", "transfer": "finetune", "weights": "a.safetensors"})
    made = []
    for event in train(began, workspace=workspace, run="b", should_stop=lambda: len(made) > 2):
        made.append(event)
    assert isinstance(made[-1], events.Stopped)
    assert isinstance(run(began, workspace, "b", resume=True)[-1], events.Finished)
    made = run(said(seed=3, start_from="b", **net), workspace, "c")
    assert any("b has learnt from is not known" in str(note) for note in made[0].notes)
    known = {"garden"} if ancestor == "of changed photos" else {FROM_ELSEWHERE}
    for name in ("b", "c"):
        assert written(workspace, name).earlier_unknown == known
        assert read_meta(workspace.checkpoints / name / "best.safetensors").manifest == written(workspace, name).digest
    if ancestor == "of changed photos":
        with pytest.raises(CheckpointError, match="is not known any more"):
            lineage_of(said("garden", start_from="c", **net), workspace)
    measured = {
        dataset: {
            name: evaluate_checkpoint(workspace.checkpoints / name / "best.safetensors", workspace, dataset=dataset)
            for name in ("b", "c")
        }
        for dataset in ("flowers", "garden", "fresh")
    }
    refused = {name: bool(compare_evaluations(made, workspace).refusals) for name, made in measured.items()}
    assert refused == {"flowers": True, "garden": ancestor == "of changed photos", "fresh": False}


@pytest.mark.parametrize("kind", ["checkpoint", "state dict"])
def test_weights_that_were_exported_from_a_run_here_are_known_too(own, workspace, kind):
    run(said(model="resnet18", image_size=32, seed=1), workspace, "a")
    run(said(model="resnet18", image_size=32, seed=5, init="kaiming-normal"), workspace, "other")
    best = workspace.checkpoints / "a" / "best.safetensors"
    workspace.weight.mkdir()
    file = "a.safetensors" if kind == "checkpoint" else "a.pth"
    if kind == "checkpoint":
        shutil.copy(best, workspace.weight / file)
    else:
        export_state_dict(best, workspace.weight / file)
    for transfer in ("head", "finetune"):
        chosen = said(model="resnet18", image_size=32, seed=2, transfer=transfer, weights=file, lr=1e-3)
        run(chosen, workspace, transfer)
        first, second = written(workspace, "a"), written(workspace, transfer)
        assert not second.validated & first.learnt and not second.trained & first.validated
        assert manifest_of(workspace.checkpoints / transfer / "best.safetensors", workspace) == second
    foreign = torch.load(workspace.weight / file, weights_only=True) if kind == "state dict" else None
    if foreign:
        torch.save(
            {name: t + 1 if t.is_floating_point() else t for name, t in foreign.items()}, workspace.weight / file
        )
        assert lineage_of(chosen, workspace) is None


def test_a_network_is_not_its_own_ancestor(own, workspace):
    """Names are given again: a starts from b, b is deleted, a new b starts from a."""
    run(said(seed=1), workspace, "b")
    run(said(seed=1, start_from="b"), workspace, "a")
    shutil.rmtree(workspace.checkpoints / "b")
    run(said(seed=1, start_from="a"), workspace, "b")
    for name in ("a", "b"):
        without_manifest(workspace, name)
    with pytest.raises(CheckpointError, match="is not known any more"):
        lineage_of(said(start_from="a"), workspace)
