"""Which photo is in which part: a share of each class, copies and bursts on one side, and the same again next time."""

import json
import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photos import flowers, photo

from imgcls.cli.main import main
from imgcls.data.evaluation_sets import load_for_evaluation
from imgcls.data.folder_split import divide_photos
from imgcls.data.grouping import group_ids
from imgcls.data.image_folders import scan
from imgcls.data.splitting import stratified_subset, stratify
from imgcls.errors import DatasetError
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.runs.reader import view
from imgcls.runs.store import find_run
from imgcls.runs.summary import summary
from imgcls.training.estimate import estimate
from imgcls.training.loading import load_run_data
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import ALONE
from imgcls.web.train import plan_card, run_card


@pytest.fixture
def own(workspace):
    return flowers(workspace.data / "flowers")


def said(**values):
    return with_recipe({"dataset": "flowers", "model": "lenet", "device": "cpu", **values})


def names(files, part):
    return {path.relative_to(files.folder).as_posix() for path, _ in files.splits[part]}


@settings(max_examples=200, deadline=None)
@given(st.data(), st.lists(st.integers(1, 30), min_size=2, max_size=12), st.floats(0.05, 0.5), st.integers(0, 9))
def test_each_class_gives_its_share_and_keeps_an_image(data, counts, share, seed):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    total = len(labels)
    size = max(1, round(total * share))
    groups = list(range(total))
    for _ in range(data.draw(st.integers(0, 5))):  # some photos are there twice
        a, b = data.draw(st.integers(0, total - 1)), data.draw(st.integers(0, total - 1))
        groups[max(a, b)] = groups[min(a, b)]
    try:
        held = stratify(labels, groups, size, seed, "flowers")
    except DatasetError:
        assert size > total - len(counts) or len(set(groups)) < total
        return
    left = set(range(total)) - set(held)
    assert {labels[i] for i in left} == set(range(len(counts)))
    assert not {groups[i] for i in held} & {groups[i] for i in left}
    assert held == stratify(labels, groups, size, seed, "flowers")
    if len(set(groups)) == total:
        assert len(held) == size
        # What a small class cannot give, since it keeps an image, the others give.
        short = sum(max(0, count * size / total - (count - 1)) for count in counts)
        for label, count in enumerate(counts):
            of_it, share = sum(labels[i] == label for i in held), count * size / total
            assert share - 1 < of_it < share + 1 + short


def test_ten_classes_of_three_photos_lose_none_whatever_the_seed():
    labels = [i // 3 for i in range(30)]
    for seed in range(300):
        held = stratify(labels, list(range(30)), 6, seed, "few")
        assert len(held) == 6 and len({labels[i] for i in held}) == 6
    assert len({tuple(stratify(labels, list(range(30)), 6, seed, "few")) for seed in range(50)}) > 40


def test_where_a_class_would_be_left_without_images_a_sentence_says_so():
    with pytest.raises(DatasetError, match="4 training images in 2 classes, and val_split takes 3 of them"):
        stratify([0, 0, 1, 1], [0, 1, 2, 3], 3, 1, "few")
    with pytest.raises(DatasetError, match="all photos of a class are the same or of one burst"):
        stratify([0, 0, 1, 1], [0, 0, 2, 2], 1, 1, "few")


def test_copies_and_bursts_stay_on_one_side(own, workspace):
    for i in range(4):
        shutil.copy(own / "rose" / "03.jpg", own / "rose" / f"copy{i}.jpg")
    for i in (13, 14, 15):
        photo("tulip", 700 + i).save(own / "tulip" / f"{i:04}-b0012.jpg")
    photo("tulip", 712).save(own / "tulip" / "0012.jpg")
    for i in range(3):
        photo("daisy", 800 + i).save(own / "daisy" / f"IMG_20260501_101530_BURST00{i}.jpg")
    for seed in range(20):
        files = divide_photos(said(seed=seed), workspace)
        train, val = names(files, "train"), names(files, "val")
        assert not train & val and len(train | val) == 47
        for group in (
            {"rose/03.jpg", *(f"rose/copy{i}.jpg" for i in range(4))},
            {"tulip/0012.jpg", *(f"tulip/{i:04}-b0012.jpg" for i in (13, 14, 15))},
            {f"daisy/IMG_20260501_101530_BURST00{i}.jpg" for i in range(3)},
        ):
            assert group <= train or group <= val


def test_what_only_looks_alike_is_not_joined(tmp_path):
    paths = [tmp_path / name for name in ("0001.jpg", "0002.jpg", "a.jpg", "b.jpg", "c.jpg", "empty", "none")]
    for path, data in zip(paths, [b"x" * 9000, b"y" + b"x" * 8999, b"1", b"2", b"1", b""], strict=False):
        path.write_bytes(data)  # the first two end alike and differ
    (tmp_path / "none2").touch()
    assert group_ids([*paths, tmp_path / "none2"]) == [0, 1, 2, 3, 2, 5, 6, 7]


def test_a_limit_on_images_keeps_every_class():
    labels = [i // 20 for i in range(200)]
    for seed in range(30):
        chosen = stratified_subset(labels, 12, seed)
        assert len(chosen) == len(set(chosen)) == 12 and {labels[i] for i in chosen} == set(range(10))


def test_the_fingerprint_tells_one_division_from_another(own, workspace):
    first = load_run_data(said(), workspace)
    assert first.fingerprint == load_run_data(said(), workspace).fingerprint != ""
    os.utime(own / "rose" / "01.jpg", (1, 1))  # a copy on another machine has other times
    assert load_run_data(said(model="alexnet", image_size=64), workspace).fingerprint == first.fingerprint
    seen = {first.fingerprint, load_run_data(said(seed=5), workspace).fingerprint}
    photo("rose", 999).save(own / "rose" / "one more.jpg")
    seen.add(load_run_data(said(), workspace).fingerprint)
    (own / "rose" / "01.jpg").write_bytes((own / "rose" / "01.jpg").read_bytes() + b"\0")
    seen.add(load_run_data(said(), workspace).fingerprint)
    assert len(seen) == 4
    known = [
        load_run_data(with_recipe({"dataset": "mnist", **s}), workspace).fingerprint for s in ({}, {}, {"seed": 2})
    ]
    assert known[0] == known[1] != known[2]


def evaluated(dataset, workspace, *, trained="flowers", **options):
    settings = said(dataset=trained)
    return load_for_evaluation(
        dataset, workspace, trained=settings, preprocess=preprocess_for(settings),
        classes=options.pop("classes", ("daisy", "rose", "tulip")), **options,
    )  # fmt: skip


def test_all_images_of_a_fresh_folder_and_the_held_out_ones_of_its_own(own, workspace):
    flowers(workspace.data / "fresh", each=5)
    split, part = evaluated("fresh", workspace)
    assert (len(split), part) == (15, "all")
    split, part = evaluated("flowers", workspace)
    assert part == "val" and set(split.paths) == set(load_run_data(said(), workspace).val.paths)
    assert evaluated(str(own), workspace)[1] == "val"  # its own, by another name
    assert len(evaluated("flowers", workspace, part="all")[0]) == 36
    flowers(workspace.data / "parts" / "train", each=4), flowers(workspace.data / "parts" / "test", each=2)
    assert len(evaluated("parts", workspace)[0]) == 18
    split, part = evaluated("parts", workspace, trained="parts")
    assert (len(split), part) == (6, "test")
    with pytest.raises(DatasetError, match="has the classes daisy, rose, tulip, but the checkpoint knows a, b"):
        evaluated("fresh", workspace, classes=("a", "b"))
    with pytest.raises(DatasetError, match="no readable image to use for test"):
        evaluated("fresh", workspace, part="test")


def test_a_fresh_folder_is_not_divided_as_the_checkpoints_own_set_was(workspace):
    for digit in range(10):
        (workspace.data / "fresh" / str(digit)).mkdir(parents=True)
        photo("rose", digit).save(workspace.data / "fresh" / str(digit) / "a.jpg")
    trained = with_recipe({"dataset": "mnist", "model": "lenet"})  # holds 5,000 out
    split, part = load_for_evaluation(
        "fresh",
        workspace,
        trained=trained,
        preprocess=preprocess_for(said()),
        classes=tuple(map(str, range(10))),
    )
    assert (len(split), part) == (10, "all")


def test_only_what_is_evaluated_is_decoded(own, workspace):
    evaluated("flowers", workspace)
    (kept,) = (own / ".imgcls-cache").glob("*.photos")
    assert kept.stat().st_size < 10 * 3 * 32 * 32  # seven photos, not thirty-six


def test_a_class_whose_photos_are_all_broken_is_told(own, workspace):
    for path in (own / "rose").iterdir():
        path.write_bytes(b"no image" + path.name.encode())
    with pytest.raises(DatasetError, match="no readable training image of rose"):
        load_run_data(said(), workspace)


def test_many_broken_photos_are_counted_and_ten_are_named(own, workspace):
    for i in range(30):
        (own / "rose" / f"broken{i}.jpg").write_bytes(b"no image" + bytes([i]))
    notes = list(map(str, load_run_data(said(), workspace).notes))
    assert len(notes) == 11 and notes[-1] == "20 more photos cannot be read and are left out."


def bursts(root, counts):
    """A class a name: so many photos, each list entry a burst as the Collect tab numbers them."""
    for seed, (name, sizes) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        number = 0
        for size in sizes:
            first = number + 1
            for i in range(size):
                number += 1
                end = "" if i == 0 else f"-b{first:04}"
                photo("rose", 1000 * seed + number).save(root / name / f"{number:04}{end}.jpg")
    return root


@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_one_burst_is_cut_in_time(workspace, seed):
    root = bursts(workspace.data / "bursts", {"a": [15, 15], "b": [30], "c": [30]})
    files = divide_photos(said(dataset="bursts", seed=seed), workspace)
    val = names(files, "val")
    for name in "bc":
        order = sorted(path.name for path in (root / name).iterdir())
        assert {path for path in val if path.startswith(name)} == {f"{name}/{last}" for last in order[-6:]}
    assert {"b", "c"} <= {path[0] for path in val} and not val & names(files, "train")
    (note,) = files.notes
    assert str(note).startswith("All photos of each of b, c are one burst")


def test_copies_are_not_parted_where_a_burst_is_cut(workspace):
    root = bursts(workspace.data / "bursts", {"a": [1] * 30, "b": [30]})
    shutil.copy(root / "b" / "0030-b0001.jpg", root / "b" / "0002-b0001.jpg")  # the last and an early one are the same
    shutil.copy(root / "b" / "0029-b0001.jpg", root / "a" / "0031.jpg")  # stands in another class, too
    files = divide_photos(said(dataset="bursts"), workspace)
    held = {path for path in names(files, "val") if path.startswith("b/")}
    assert {"b/0030-b0001.jpg", "b/0002-b0001.jpg"} <= held and "b/0029-b0001.jpg" not in held and len(held) <= 6


def test_a_class_without_a_validation_image_is_told(workspace, capsys):
    """All of its photos are one photo, or stand in another class as well."""
    root = bursts(workspace.data / "some", {"a": [1] * 20, "b": [1], "c": [1] * 6})
    for i in range(8):
        shutil.copy(root / "b" / "0001.jpg", root / "b" / f"copy{i}.jpg")
    for path in (root / "c").iterdir():
        shutil.copy(path, root / "a" / f"c{path.name}")
    sentence = "There is no validation image of b, c: the accuracy says nothing of these classes."
    chosen = said(dataset="some", epochs=1, threads=1)
    data = load_run_data(chosen, workspace)
    assert data.manifest.lacking == {"val": ("b", "c")} and sentence in map(str, data.notes)
    # Before the run, where its form is filled in and in the terminal; then on its card, beside its accuracy, in JSON.
    assert sentence in map(str, estimate(chosen, workspace, timed=False).notes)
    html, _ = plan_card.card(chosen.model_dump(), workspace, ALONE, Translator("en"))
    assert sentence in html
    assert (
        main(["train", "--dataset", "some", "--model", "lenet", "--epochs", "1", "--threads", "1", "--name", "r"]) == 0
    )
    told = capsys.readouterr()
    log = (told.err + told.out).splitlines()
    noted = [i for i, line in enumerate(log) if sentence in line]
    first = next(i for i, line in enumerate(log) if "epoch 1 done" in line)
    last = next(i for i, line in enumerate(log) if "best epoch" in line)
    assert len(noted) == 2 and noted[0] < first and noted[1] == last + 1
    seen = view(find_run("r", workspace))
    assert sentence in run_card.card(seen, Translator("en"))
    assert "b, c" in run_card.card(seen, Translator("zh"))
    assert summary(seen)["classes_without_validation"] == ["b", "c"]
    assert main(["evaluate", "--checkpoint", "r", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes_without_images"] == ["b", "c"]


def test_fewer_training_images_than_classes_are_refused_before_the_run(own, workspace):
    with pytest.raises(DatasetError, match="train_images is 2, but flowers has 3 classes: choose at least 3"):
        create_run(said(train_images=2), workspace)
    assert not list(workspace.train_logs.glob("*"))


def test_a_link_back_into_the_data_set_is_left_out_and_told(own, workspace):
    (own / "rose" / "loop").symlink_to(own)
    (own / "rose" / "beside").symlink_to(own / "daisy")
    elsewhere = flowers(workspace.root / "elsewhere", each=2)
    (own / "tulip" / "more").symlink_to(elsewhere / "tulip")
    found = scan(own)
    counts = [sum(label == i for _, label in found.splits["train"]) for i in range(3)]
    assert counts == [12, 12, 14]
    assert any("leads back into the data set (rose/beside)" in str(note) for note in found.notes)
