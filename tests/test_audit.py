"""What is wrong with a data set is found again where it was planted, and mended without leaving the set's folder."""

import io
import json
import random
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photos import flowers, photo
from PIL import Image, ImageEnhance
from test_folders import made as empty_photos
from torch import nn

from imgcls.audit import fold_networks
from imgcls.audit.audit import audit
from imgcls.audit.confident_learning import label_errors, out_of_sample, ranked
from imgcls.audit.features import known_images, photo_images
from imgcls.audit.fold_networks import network_probabilities
from imgcls.data import edits
from imgcls.data.download import load_arrays
from imgcls.data.duplicates import neighbours, perceptual_hash
from imgcls.data.folder_split import divide_photos
from imgcls.errors import DatasetError, ImgclsError, StorageError
from imgcls.imaging.preprocess import Preprocess
from imgcls.progress import Interrupted
from imgcls.recipes import with_recipe
from imgcls.training.loading import load_run_data

FORM = Preprocess(channels=3, resize_mode="crop", storage_size=32, size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
# Colours in a grid of four by four stand in for a pre-trained network: they tell these flowers apart.
NETWORK = (nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten()), FORM)


@pytest.fixture
def own(workspace):
    return flowers(workspace.data / "flowers", each=20)


def looked(workspace, name="flowers", **options):
    return audit(name, workspace, images=photo_images(name, workspace, network=NETWORK), **options)


def said(**values):
    return with_recipe({"dataset": "flowers", "model": "lenet", "device": "cpu", **values})


def test_wrong_labels_are_found_again(own, workspace):
    for i in range(4):
        shutil.move(own / "rose" / f"{i:02}.jpg", own / "daisy" / f"wrong{i}.jpg")
    found = looked(workspace).of("label")
    first = {s.path for s in found[:4]}
    assert len(first & {f"daisy/wrong{i}.jpg" for i in range(4)}) >= 3 and found[0].suggested == "rose"
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True) and found[0].score > 0.5
    assert looked(workspace) == looked(workspace)  # nothing is left to chance


def test_labels_flipped_on_purpose_are_those_of_the_run_and_are_found(workspace):
    flowers(workspace.data / "many", each=50)
    made = looked(workspace, "many", flip=0.1, seed=3)
    flipped = divide_photos(with_recipe({"dataset": "many", "flip_labels": 0.1, "seed": 3}), workspace).flipped
    assert made.flipped == len(flipped) == round(0.1 * 120)
    found = {s.path for s in made.of("label")}
    assert made.recall == len(found & set(flipped)) / len(flipped) >= 0.7 and made.precision >= 0.5
    assert looked(workspace, "many").recall is None
    said = with_recipe({"dataset": "many", "flip_labels": 0.1, "seed": 3, "train_images": 60})
    few, run = looked(workspace, "many", flip=0.1, seed=3, train_images=60), divide_photos(said, workspace)
    found = {s.path for s in few.of("label")}
    assert (few.images, few.flipped) == (60, 6) and few.recall == len(found & set(run.flipped)) / 6
    assert found <= {path.relative_to(workspace.data / "many").as_posix() for path, _ in run.splits["train"]}


def test_digits_flipped_on_purpose_are_those_that_a_run_learns_from(workspace):
    """Without its flips an image looks like what the run was told it is."""
    made = audit("mnist", workspace, flip=0.3, train_images=300)
    run = {"dataset": "mnist", "train_images": 300}
    true, told = (load_run_data(with_recipe({**run, "flip_labels": s}), workspace).train.labels for s in (0, 0.3))
    assert (made.images, made.flipped) == (300, int((true != told).sum())) and made.recall > 0.8
    assert made.precision > 0.6


@pytest.mark.parametrize("name", ["mnist", "mnist+pen-digits", "pen-digits"])
def test_an_image_of_a_known_set_is_called_by_its_place_in_the_file(workspace, monkeypatch, name):
    """Whatever part a seed puts it in: so that other programs find it."""
    from imgcls.data import pen_digits
    from imgcls.data.download import load_arrays
    from imgcls.data.index_names import names_in_files

    drawn = torch.zeros(120, 1, 28, 28, dtype=torch.uint8), torch.zeros(120, dtype=torch.int64)
    monkeypatch.setattr(pen_digits, "load_pen_digits", lambda *place, **said: drawn)  # drawing them takes a minute
    said = with_recipe({"dataset": name, "seed": 5})
    data = load_run_data(said, workspace)
    called, several = names_in_files(data), "+" in name
    assert {part: len(names) for part, names in called.items()} == data.sizes
    file = load_arrays("mnist", workspace)["train"][0]
    for part in ("train", "val"):
        assert len(set(called[part])) == len(called[part])
        digits = [(i, one) for i, one in enumerate(called[part]) if one.startswith("mnist/" if several else "train")]
        for i, one in digits[:: len(digits) // 20] if "mnist" in name else []:
            assert torch.equal(getattr(data, part).images[i], file[int(one.rpartition("/")[2])])
    if name == "pen-digits":
        assert sorted(called["train"] + called["val"]) == sorted(f"train/{i}.{n}" for i in range(40) for n in (1, 2, 3))
    elif not several:
        assert sorted(int(one.rpartition("/")[2]) for one in called["train"] + called["val"]) == list(
            range(len(data.train) + len(data.val))
        )


def test_the_trainer_flips_training_labels_only_and_says_so(own, workspace):
    plain, made = load_run_data(said(), workspace), load_run_data(said(flip_labels=0.25), workspace)
    wrong = (plain.train.labels != made.train.labels).sum()
    assert wrong == 12 and torch.equal(plain.val.labels, made.val.labels)
    assert "12 training labels were made wrong on purpose." in map(str, made.notes)
    assert torch.equal(load_run_data(said(flip_labels=0.25), workspace).train.labels, made.train.labels)
    true, known = (load_run_data(with_recipe({"dataset": "mnist", "flip_labels": s}), workspace) for s in (0, 0.1))
    assert (true.train.labels != known.train.labels).sum() == round(0.1 * len(true.train))


def again(image, kind, rng):
    """The same picture, changed as it is on its way through other programs."""
    width, height = image.size
    if kind == "smaller":
        return image.resize((int(width * 0.6), int(height * 0.6)), Image.Resampling.LANCZOS)
    if kind == "cropped":
        left, top = rng.randint(0, width // 20), rng.randint(0, height // 20)
        return image.crop((left, top, left + width - width // 20, top + height - height // 20))
    if kind == "brighter":
        return ImageEnhance.Brightness(image).enhance(1.1)
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=60)
    return Image.open(packed)


def test_copies_across_parts_come_first(workspace):
    root = workspace.data / "flowers"
    flowers(root / "train", each=12), flowers(root / "val", each=4, classes=("daisy", "rose"))
    (root / "val" / "tulip").mkdir()
    for i in range(4):
        photo("tulip", 5000 + i).save(root / "val" / "tulip" / f"{i}.jpg")
    for path in [*(root / "val").glob("daisy/*"), *(root / "val").glob("rose/*")]:
        path.unlink()
    rng = random.Random(0)
    for i, kind in enumerate(("smaller", "cropped", "brighter", "packed")):
        image = photo("rose", 900 + i, (280, 210)).resize((280, 210))
        image.save(root / "train" / "rose" / f"new{i}.png")
        again(image, kind, rng).save(root / "val" / "rose" / f"{kind}.png")
    shutil.copy(root / "train" / "daisy" / "01.jpg", root / "val" / "daisy" / "same.jpg")
    found = looked(workspace).of("duplicate")
    pairs = {frozenset((s.path, s.suggested)) for s in found}
    planted = {frozenset((f"val/rose/{k}.png", f"train/rose/new{i}.png")) for i, k in
               enumerate(("smaller", "cropped", "brighter", "packed"))}  # fmt: skip
    assert planted <= pairs and frozenset(("val/daisy/same.jpg", "train/daisy/01.jpg")) in pairs
    assert found[0].score == 1.0 and found[0].path.startswith("val/")


def test_a_hash_stays_where_the_picture_does():
    rng = random.Random(1)
    pictures = [photo(c, i, (240, 180)) for i, c in enumerate(["rose", "daisy", "tulip"] * 4)]
    stored = torch.stack([FORM.to_stored(p) for p in pictures])
    hashes = perceptual_hash(stored)
    assert hashes.shape == (12, 63) and hashes.dtype == torch.bool
    for kind in ("smaller", "brighter", "packed"):
        other = perceptual_hash(torch.stack([FORM.to_stored(again(p, kind, rng).convert("RGB")) for p in pictures]))
        assert (hashes != other).sum(dim=1).max() <= 8


def test_it_can_be_stopped_while_photos_are_decoded(own, workspace):
    """What progress raises ends it before the first of them reaches the network."""

    def stop(done, total):
        raise Interrupted

    with pytest.raises(Interrupted):
        photo_images("flowers", workspace, progress=stop, network=(None, FORM))
    told = []
    photo_images("flowers", workspace, progress=lambda *at: told.append(at), network=NETWORK)
    assert told[0] == (0, 60) and told[-1] == (60, 60) and told == sorted(told)


def test_what_is_like_nothing_else_is_told(own, workspace):
    Image.new("RGB", (56, 48), (0, 0, 255)).save(own / "rose" / "sky.png")
    found = looked(workspace).of("outlier")
    assert found[0].path == "rose/sky.png" and len(found) <= 6


def test_a_class_that_no_head_has_learnt_is_not_judged():
    """Of a class with one image, or with one burst, the fold that holds it out leaves none to learn from."""
    torch.manual_seed(0)
    features = torch.cat([torch.randn(40, 2) + 6, torch.randn(40, 2) - 6, torch.tensor([[6.0, -6.0]])])
    labels = torch.tensor([0] * 40 + [1] * 40 + [2])
    assert label_errors(out_of_sample(features, labels, 3).numpy(), labels.numpy()) == []
    burst = [*range(40), *[40] * 40, 80]
    assert label_errors(out_of_sample(features, labels, 3, groups=burst).numpy(), labels.numpy()) == []


def test_probabilities_are_out_of_sample():
    """A head that had seen a copy would know its label: copies are in one fold."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 80, generator=generator).repeat(2, 1)
    labels = torch.randint(0, 2, (60,), generator=generator).repeat(2)
    knows = out_of_sample(features, labels, 2)[torch.arange(120), labels].mean()
    cannot = out_of_sample(features, labels, 2, groups=list(range(60)) * 2)[torch.arange(120), labels].mean()
    assert knows > 0.6 and cannot < 0.53


def test_networks_judge_the_images_that_they_have_not_learnt_from(workspace, monkeypatch):
    """And each time alike. Of a class with one image no other fold has any."""
    monkeypatch.setattr(fold_networks, "STEPS", 90)
    images, labels = (tensor[:1200].clone() for tensor in load_arrays("mnist", workspace)["test"])
    changed = torch.arange(0, 1200, 40)
    labels[changed] = (labels[changed] + 1) % 10
    labels[7] = 10
    probabilities, again = (network_probabilities(images, labels, 11, folds=3) for _ in range(2))
    assert torch.equal(probabilities.nan_to_num(2), again.nan_to_num(2)) and probabilities[7].isnan().all()
    named = {i for i, _, _ in label_errors(probabilities.numpy(), labels.numpy())}
    assert len(named & set(changed.tolist())) >= 0.8 * len(changed) and len(named) < 3 * len(changed)


def test_networks_can_be_stopped(workspace):
    def stop(done, total):
        raise Interrupted

    images, labels = (tensor[:1000] for tensor in load_arrays("mnist", workspace)["test"])
    with pytest.raises(Interrupted):
        network_probabilities(images, labels, 10, progress=stop)


def test_confident_learning_counts_as_the_paper_does():
    """By hand: thresholds .6 and .683; four images reach one, of the first label 2:1, of the second 0:1."""
    import numpy as np

    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6], [0.45, 0.55]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert [(i, c) for i, c, _ in label_errors(p, labels)] == [(2, 1)]
    assert label_errors(p, labels)[0][2] == pytest.approx((1 + 0.8 - 0.2) / 2)
    assert not label_errors(np.eye(2)[labels], labels)  # what everybody agrees on
    p[4] = np.nan
    assert [i for i, _, _ in ranked(p, labels)] == [2, 5, 1, 0, 3]  # all that can be judged, the named ones first


def test_neighbours_are_the_nearest_others():
    features = torch.randn(40, 6, generator=torch.Generator().manual_seed(2))
    cosines, places = neighbours(features, count=3)
    plain = torch.nn.functional.cosine_similarity(features[:, None], features[None], dim=2).fill_diagonal_(-2)
    assert torch.equal(places[:, 0], plain.argmax(dim=1)) and torch.allclose(
        cosines[:, 0], plain.amax(dim=1), atol=1e-6
    )
    assert neighbours(features[:2], count=5)[1].tolist() == [[1], [0]]


def test_what_was_found_right_is_not_said_again(own, workspace):
    shutil.move(own / "rose" / "00.jpg", own / "daisy" / "wrong.jpg")
    shutil.copy(own / "tulip" / "01.jpg", own / "tulip" / "again.jpg")
    made = looked(workspace)
    suspect = made.of("label")[0]
    twin = next(s for s in made.of("duplicate") if s.score == 1.0)
    assert (suspect.path, twin.path, twin.suggested) == ("daisy/wrong.jpg", "tulip/01.jpg", "tulip/again.jpg")
    edits.dismiss("flowers", suspect.path, "label", suspect.label, workspace)
    edits.dismiss("flowers", twin.path, "duplicate", twin.suggested, workspace)
    again = looked(workspace)
    assert suspect not in again.suspects and twin not in again.suspects
    edits.move_to_class("flowers", suspect.path, "tulip", workspace)  # another label is another question
    assert "tulip/wrong.jpg" in {s.path for s in looked(workspace).of("label")}
    (own / ".audit.json").write_text('{"right": [')
    assert twin in looked(workspace).suspects  # a record that cannot be read is none


def photos_of(root):
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*.jpg"))


def test_moving_and_deleting_can_be_undone(own, workspace):
    before = photos_of(own)
    moved = edits.move_to_class("flowers", "rose/00.jpg", "tulip", workspace)
    assert moved.after == "tulip/00-2.jpg" and (own / "tulip" / "00-2.jpg").is_file()
    gone = edits.delete("flowers", "rose/01.jpg", workspace)
    assert gone.deleted and len(divide_photos(said(), workspace).photos.splits["train"]) == 59
    edits.undo("flowers", gone.id, workspace)
    edits.undo("flowers", moved.id, workspace)
    assert photos_of(own) == before and not list((own / ".trash").rglob("*.jpg"))
    with pytest.raises(DatasetError, match="cannot be undone"):
        edits.undo("flowers", moved.id, workspace)


def test_an_image_of_a_part_stays_in_its_part(workspace):
    root = workspace.data / "flowers"
    flowers(root / "train", each=3), flowers(root / "test", each=3)
    change = edits.move_to_class("flowers", "test/rose/00.jpg", "daisy", workspace)
    assert change.after == "test/daisy/00-2.jpg"


def test_letter_case_tells_no_classes_apart_when_an_image_moves(workspace):
    folders = ("train/lily", "train/rose", "val/Lily", "val/Rose")
    empty_photos(workspace.data / "flowers", *(f"{folder}/00.jpg" for folder in folders))
    change = edits.move_to_class("flowers", "val/Rose/00.jpg", "lily", workspace)
    assert change.after == "val/Lily/00-2.jpg"
    with pytest.raises(DatasetError, match="is of class lily already"):
        edits.move_to_class("flowers", change.after, "lily", workspace)


def test_a_folder_that_cannot_be_written_is_named(own, workspace):
    (own / ".audit.lock").mkdir()  # nobody may write over a folder, not even the superuser
    with pytest.raises(StorageError, match="flowers"):
        edits.delete("flowers", "rose/00.jpg", workspace)


NAMES = st.one_of(st.text(max_size=30), st.sampled_from(["../rose/00.jpg", "/etc/passwd", "rose/../../x", ".audit.json",
    ".trash", "rose", "rose/00.jpg/", "rose//00.jpg", "\0", "x" * 100_000]))  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=NAMES, label=NAMES)
def test_only_what_the_set_lists_is_touched(path, label, tmp_path_factory):
    from imgcls.workspace import Workspace

    lab = Workspace(tmp_path_factory.mktemp("lab"))
    own = flowers(lab.data / "flowers", each=2)
    (lab.root / "secret.jpg").write_text("secret")
    before = photos_of(lab.root)
    for act in (
        lambda: edits.move_to_class("flowers", path, "tulip", lab),
        lambda: edits.move_to_class("flowers", "rose/00.jpg", label, lab),  # its own class, at most
        lambda: edits.delete("flowers", path, lab),
        lambda: edits.undo("flowers", path, lab),
        lambda: edits.dismiss("flowers", path, "label", label, lab),
        lambda: edits.delete("../flowers", "rose/00.jpg", lab),
    ):
        with pytest.raises(ImgclsError):
            act()
    assert photos_of(lab.root) == before and not (own / ".trash").exists()


def test_sets_that_ship_are_never_changed(workspace):
    for act in (edits.delete, lambda *a: edits.move_to_class(a[0], a[1], "3", a[2])):
        with pytest.raises(DatasetError, match="mnist came with the lab"):
            act("mnist", "train/0", workspace)


def test_a_forged_record_moves_nothing_outside(own, workspace):
    (workspace.root / "secret.jpg").write_text("secret")
    forged = {"id": "1", "before": "rose/new.jpg", "after": "../../secret.jpg"}
    (own / ".audit.json").write_text(json.dumps({"right": {}, "changes": [forged]}))
    with pytest.raises(DatasetError, match="cannot be undone"):
        edits.undo("flowers", "1", workspace)
    assert (workspace.root / "secret.jpg").is_file()


def test_the_command_says_one_object_a_line(workspace, capsys):
    """With the network that photos begin with."""
    from imgcls.cli.main import main

    flowers(workspace.data / "flowers", each=8)
    shutil.copy(workspace.data / "flowers/rose/01.jpg", workspace.data / "flowers/tulip/same.jpg")
    assert main(["audit", "flowers", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(set(line) == {"path", "label", "suggested", "score", "kind"} for line in lines)
    kinds = [line["kind"] for line in lines]
    assert kinds == sorted(kinds, key=("label", "duplicate", "outlier").index)
    twin = next(line for line in lines if line["kind"] == "duplicate")
    assert {twin["path"], twin["suggested"]} == {"rose/01.jpg", "tulip/same.jpg"} and twin["score"] == 1.0
    assert main(["audit", "flowers", "--flip-labels", "0.2"]) == 0
    assert "labels flipped on purpose" in capsys.readouterr().out
    assert main(["audit", "nothing"]) == 2 and "no data set 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize("images", [20, 100, 200, 300])
def test_a_few_digits_have_components_too(workspace, images):
    """Of fewer images than pixels most eigenvalues are 0: in single precision that failed on some processors."""
    features = known_images("mnist", workspace, train_images=images).features
    assert features.shape == (images, 64) and torch.isfinite(features).all()
    spread = features.std(dim=0)
    assert spread[-1] == spread.max() > 1


def test_flipped_labels_of_a_few_digits_are_found(workspace):
    found = audit("mnist", workspace, flip=0.3, train_images=200)
    assert found.flipped == 60 and found.recall > 0.7 and found.precision > 0.4
