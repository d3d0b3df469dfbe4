"""An evaluation is kept beside the run, found again without reading anything, and made anew when something changed."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from photos import flowers as photos
from photos import photo

from imgcls.checkpoints.format import Meta, load_checkpoint, read_meta, save_checkpoint, versions
from imgcls.checkpoints.store import list_checkpoints
from imgcls.cli.main import main
from imgcls.data.datasets import list_images
from imgcls.data.loader import evaluation_batches
from imgcls.errors import DatasetError
from imgcls.inference.predictor import Predictor
from imgcls.models import build
from imgcls.progress import Interrupted
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs.evaluations import compare_evaluations, evaluate_checkpoint, find_evaluation, images_for, kept_in
from imgcls.training.provenance import manifest_of
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
             fingerprint=list_images(settings, workspace, form)[0], versions=versions()),
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


def test_a_split_that_does_not_exist_is_named_with_those_that_do(flowers):
    workspace, path = flowers
    shipped = workspace.shipped("checkpoints", "lenet-mnist") / "best.safetensors"
    for checkpoint in (path, shipped):
        with pytest.raises(DatasetError, match="There is no split validation: choose one of train, val, test, all"):
            evaluate_checkpoint(checkpoint, workspace, part="validation")


def test_changed_weights_or_photos_make_it_anew(flowers):
    workspace, path = flowers
    evaluate_checkpoint(path, workspace)
    photo = next((workspace.data / "flowers" / "rose").iterdir())
    os.utime(photo, (1, 1))
    assert find_evaluation(path, workspace) is None
    evaluate_checkpoint(path, workspace)
    made(workspace, "first", seed=1)
    assert find_evaluation(path, workspace) is None


def test_a_network_that_a_run_saves_over_while_it_is_measured_gets_nobody_elses_figures(flowers):
    workspace, path = flowers

    def save_a_better_one(done, total):
        made(workspace, "first", seed=1)

    evaluate_checkpoint(path, workspace, progress=save_a_better_one)
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


def trained(workspace, name, **said):
    """A run of a few steps on the folder, with its manifest."""
    plain = {"model": "lenet", "dataset": "flowers", "epochs": 1, "image_size": 32, "device": "cpu", "threads": 1}
    assert list(train(with_recipe({**plain, **said}), workspace=workspace, run=name))
    return workspace.checkpoints / name / "best.safetensors"


def paired(workspace, *paths, **asked):
    made = {path.parent.name: evaluate_checkpoint(path, workspace, **asked) for path in paths}
    return made, compare_evaluations(made, workspace)


def test_two_networks_are_compared_on_what_both_measured_and_neither_has_learnt(flowers):
    workspace, _ = flowers
    first, second = (trained(workspace, name, seed=seed, val_split=0.5) for name, seed in (("a", 1), ("b", 2)))
    made, compared = paired(workspace, first, second)
    (comparison,) = compared.comparisons
    kept = [{made[name].paths[i] for i in made[name].indices.tolist()} for name in made]
    assert comparison.images == len(kept[0] & kept[1]) < 20 and kept[0] != kept[1]
    right = [
        {one.paths[i]: right for i, right in zip(one.indices.tolist(), one.outputs.right.tolist(), strict=True)}
        for one in made.values()
    ]
    assert comparison.only_first == sum(right[0][path] > right[1][path] for path in kept[0] & kept[1])
    # All photos, also those that one or both have learnt: what counts is the same.
    _, of_all = paired(workspace, first, second, part="all")
    assert of_all.comparisons == compared.comparisons


def test_where_no_image_is_new_to_both_one_sentence_says_so(flowers):
    workspace, _ = flowers
    photos(workspace.data / "fresh", each=6, classes=("daisy", "rose"))
    for place, path in enumerate(sorted((workspace.data / "fresh").rglob("*.jpg"))):
        photo(path.parent.name, 5000 + place).save(path)
    first, second = (trained(workspace, name, seed=seed, val_split=2) for name, seed in (("a", 1), ("b", 2)))
    made, compared = paired(workspace, first, second)
    assert not {made["a"].paths[i] for i in range(2)} & {made["b"].paths[i] for i in range(2)}
    assert not compared.comparisons
    assert "no image that both" in str(compared.refusals[0].reason)
    assert "evaluate --dataset FRESH" in str(compared.refusals[0].reason)
    text = card(list(made.values()), 0, compared, Translator("en"))
    assert "no image that both" in text and "Each on its own images" in text
    _, on_fresh = paired(workspace, first, second, dataset="fresh")
    assert on_fresh.comparisons[0].images == 12 and not on_fresh.refusals
    val, train_part = (evaluate_checkpoint(first, workspace, part=part) for part in ("val", "train"))
    assert compare_evaluations({"val": val, "train": train_part}, workspace).refusals


def test_an_image_whose_label_changed_in_between_is_no_pair(flowers):
    """Two evaluations of the same photos, one made before somebody moved a photo to its right class."""
    workspace, _ = flowers
    first, second = (trained(workspace, name, init=init) for name, init in (("a", "default"), ("b", "kaiming-normal")))
    made, compared = paired(workspace, first, second)
    images = compared.comparisons[0].images
    labels = made["b"].outputs.labels.clone()
    labels[0] = 1 - labels[0]
    made["b"] = replace(made["b"], outputs=replace(made["b"].outputs, labels=labels))
    assert compare_evaluations(made, workspace).comparisons[0].images == images - 1


def older(path):
    """As a version without manifests wrote it."""
    model, meta = load_checkpoint(path)
    save_checkpoint(path, model.state_dict(), meta.model_copy(update={"manifest": ""}))
    (path.parent.parent.parent / "train_logs" / path.parent.name / "manifest.jsonl.gz").unlink()


def test_an_older_run_is_known_as_long_as_its_photos_are_what_they_were(flowers):
    workspace, _ = flowers
    first, second = (trained(workspace, name, seed=seed, val_split=0.5) for name, seed in (("a", 1), ("b", 2)))
    known = paired(workspace, first, second)[1]
    older(first)
    assert paired(workspace, first, second)[1].comparisons == known.comparisons
    photo("rose", 999).save(workspace.data / "flowers" / "rose" / "new.jpg")
    _, compared = paired(workspace, first, second)
    assert not compared.comparisons and "which images a has learnt from is not known" in str(
        compared.refusals[0].reason
    )


@pytest.mark.parametrize("part", ["", "val"])
def test_what_ships_is_compared_on_digits(workspace, monkeypatch, part):
    from imgcls.data import pen_digits

    count = 7494 * 3
    drawn = torch.zeros(count, 1, 28, 28, dtype=torch.uint8), torch.zeros(count, dtype=torch.int64)
    monkeypatch.setattr(pen_digits, "load_pen_digits", lambda *place, **said: drawn)  # drawing them takes a minute
    paths = [workspace.shipped("checkpoints", name) / "best.safetensors" for name in ("lenet-digits", "lenet-mnist")]
    for path in paths:
        manifest = manifest_of(path, workspace)
        assert manifest is not None and {"train": len(manifest.learnt), "val": len(manifest.validated)}.items() <= (
            read_meta(path).data.items()
        )
    _, compared = paired(workspace, *paths, dataset="mnist", part=part)
    assert compared.comparisons[0].images == (5000 if part else 10_000) and not compared.refusals


def test_photos_behind_a_link_are_seen_too(flowers):
    """A kept evaluation is made anew when they change."""
    workspace, path = flowers
    elsewhere = workspace.root / "elsewhere"
    (workspace.data / "flowers" / "rose").rename(elsewhere)
    (workspace.data / "flowers" / "rose").symlink_to(elsewhere)
    evaluate_checkpoint(path, workspace, part="all")
    assert find_evaluation(path, workspace, part="all") is not None
    for photo_file in sorted(elsewhere.iterdir())[:10]:
        photo_file.unlink()
    assert find_evaluation(path, workspace, part="all") is None
    assert len(evaluate_checkpoint(path, workspace, part="all").outputs.labels) == 30


def test_what_was_left_out_is_counted_and_named(flowers, capsys, monkeypatch):
    workspace, path = flowers
    for i in range(12):
        (workspace.data / "flowers" / "rose" / f"broken{i}.jpg").write_bytes(b"no image" + bytes([i]))
    made = evaluate_checkpoint(path, workspace, part="all")
    assert len(made.left_out) == 12 and len(made.outputs.labels) == 40
    said = json.loads(json.dumps(find_evaluation(path, workspace, part="all").as_dict()))
    assert said["left_out"] == 12 and "broken" in said["left_out_images"][0]["reason"]
    assert said["left_out_images"][0]["path"].startswith("rose/broken")
    assert "12 images were left out" in card([made], 0, compare_evaluations({}, workspace), Translator("en"))
    assert main(["evaluate", "--checkpoint", str(path), "--part", "all"]) == 0
    text = capsys.readouterr().out
    assert "12 images were left out:" in text and "broken0.jpg" in text and "and 2 more" in text


def test_photos_that_do_not_fit_the_cache_are_left_out_and_counted_too(flowers, monkeypatch):
    from imgcls.data import decode_cache

    workspace, path = flowers
    (workspace.data / "flowers" / "rose" / "broken.jpg").write_bytes(b"no image")
    monkeypatch.setattr(decode_cache, "MAX_BYTES", 1000)
    made = evaluate_checkpoint(path, workspace, part="all")
    assert len(made.outputs.labels) == 40 and [Path(file).name for file, _ in made.left_out] == ["broken.jpg"]


def test_a_run_is_measured_on_the_images_that_it_held_out_whatever_came_since(flowers):
    workspace, _ = flowers
    path = trained(workspace, "a")
    before = evaluate_checkpoint(path, workspace)
    for i in range(5):
        photo("rose", 900 + i).save(workspace.data / "flowers" / "rose" / f"new{i}.jpg")
    after = evaluate_checkpoint(path, workspace)
    assert after.ids == before.ids and not after.divided_anew and not after.left_out
    one, other, *_ = map(Path, before.paths)
    other_class = workspace.data / "flowers" / {"rose": "daisy", "daisy": "rose"}[one.parent.name]
    one.rename(other_class / "moved.jpg")  # somebody found its label to be wrong
    other.unlink()
    made = evaluate_checkpoint(path, workspace)
    assert set(made.ids) == set(before.ids) - {before.ids[1]} and len(made.left_out) == 1
    place = [Path(p).name for p in made.paths].index("moved.jpg")
    assert made.classes[int(made.outputs.labels[made.indices.tolist().index(place)])] == other_class.name
    assert "is gone" in str(made.left_out[0][1])


def test_a_folder_with_some_of_the_classes_is_measured_on_those(flowers, capsys):
    workspace, path = flowers
    photos(workspace.data / "roses", each=5, classes=("rose",))
    made = evaluate_checkpoint(path, workspace, dataset="roses")
    assert made.part == "all" and set(made.outputs.labels.tolist()) == {1} and len(made.ids) == 5
    daisy, rose = made.report().classes
    assert (daisy.images, daisy.recall, daisy.precision, daisy.f1) == (0, None, None, None) and rose.images == 5
    said = made.as_dict()
    assert said["classes_without_images"] == ["daisy"] and said["classes"][0]["recall"] is None
    assert said["macro"]["recall"] == rose.recall
    text = card([made], 0, compare_evaluations({}, workspace), Translator("en"))
    assert "There is no image of daisy" in text and "<td>–</td>" in text
    assert main(["evaluate", "--checkpoint", str(path), "--dataset", "roses"]) == 0
    assert "no image of daisy: the figures say nothing of it" in capsys.readouterr().out
    (workspace.data / "roses" / "orchid").mkdir()
    photo("rose", 1).save(workspace.data / "roses" / "orchid" / "1.jpg")
    with pytest.raises(DatasetError, match="has the classes orchid, rose, but the checkpoint knows daisy, rose"):
        evaluate_checkpoint(path, workspace, dataset="roses")


def test_with_mirror_images_each_answer_is_the_mean_of_two(flowers, capsys):
    workspace, path = flowers
    made = evaluate_checkpoint(path, workspace, tta=True)
    assert find_evaluation(path, workspace) is None  # what is kept without them is another one
    assert find_evaluation(path, workspace, tta=True).tta
    model, meta = load_checkpoint(path)
    predictor, wanted = Predictor(model, meta), []
    with torch.inference_mode():
        for inputs, _ in evaluation_batches(
            images_for(path, workspace, dataset="flowers").split,
            meta.preprocess,
            batch_size=64,
            device=torch.device("cpu"),
        ):
            both = [predictor.run(some)[0].softmax(1) for some in (inputs, inputs.flip(-1))]
            wanted.append(sum(both) / 2)
    torch.testing.assert_close(made.outputs.probabilities, torch.cat(wanted).sort(descending=True).values)
    own = torch.cat(wanted).gather(1, made.outputs.labels[:, None])[:, 0]
    torch.testing.assert_close(made.outputs.losses, -own.log())
    assert main(["evaluate", "--checkpoint", str(path), "--tta"]) == 0
    said = capsys.readouterr().out
    assert "(val, with mirror images)" in said and "balanced accuracy (macro recall) " in said
    assert main(["evaluate", "--checkpoint", str(path), "--tta", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["tta"] is True and said["balanced_accuracy"] == said["macro"]["recall"]


def test_digits_are_not_mirrored(workspace, capsys):
    assert main(["evaluate", "--checkpoint", "lenet-digits", "--dataset", "mnist", "--tta"]) == 2
    assert "a mirrored image of mnist is not one of its class any more" in capsys.readouterr().err


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
    older(best)
    assert not evaluate_checkpoint(best, workspace).divided_anew
    photo("rose", 999).save(root / ("train" if own_val else "") / "rose" / "new.jpg")
    made = evaluate_checkpoint(best, workspace)
    assert made.divided_anew is not own_val and made.as_dict()["divided_anew"] is not own_val
    assert find_evaluation(best, workspace).divided_anew is not own_val
    assert ("may have learnt" in card([made], 0, compare_evaluations({}, workspace), Translator("en"))) is not own_val
    assert not evaluate_checkpoint(best, workspace, part="all").divided_anew
