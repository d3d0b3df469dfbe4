"""What is said of a data set before training: counts, sizes, broken and double files, and a sample of images."""

import json
import shutil

import pytest
import torch
from photos import flowers, photo

from imgcls.cli.main import main
from imgcls.data.preview import preview
from imgcls.data.report import available_datasets, report
from imgcls.errors import DatasetError
from imgcls.recipes import preprocess_for, with_recipe


@pytest.fixture
def own(workspace):
    return flowers(workspace.data / "flowers")


def codes(made):
    return [p.code for p in made.problems]


def test_a_sound_folder(own, workspace):
    made = report("flowers", workspace)
    assert made.classes == ("daisy", "rose", "tulip") and made.counts == {"train": (12, 12, 12)}
    assert made.sizes == ((56, 48),) * 3 and not made.problems and not made.broken and not made.doubles


def test_everything_that_is_wrong_is_found(own, workspace):
    (own / "rose" / "broken.jpg").write_bytes((own / "rose" / "00.jpg").read_bytes()[:300])
    shutil.copy(own / "rose" / "01.jpg", own / "daisy" / "same.jpg")
    shutil.copy(own / "tulip" / "01.jpg", own / "tulip" / "again.jpg")
    (own / "tulip" / ".ipynb_checkpoints").mkdir()
    shutil.copy(own / "tulip" / "02.jpg", own / "tulip" / ".ipynb_checkpoints" / "02.jpg")
    for i in range(30):
        photo("daisy", 1000 + i, (90, 60)).save(own / "daisy" / f"more{i}.jpg")
    seen = []
    made = report("flowers", workspace, progress=lambda done, total: seen.append((done, total)))
    assert {"broken", "double-labels", "doubles", "imbalance"} <= set(codes(made))
    assert made.broken[0][0] == "rose/broken.jpg" and "broken.jpg" in str(made.broken[0][1])
    assert sorted(made.doubles) == [("daisy/same.jpg", "rose/01.jpg"), ("tulip/01.jpg", "tulip/again.jpg")]
    assert made.counts["train"] == (43, 12, 13) and seen[-1] == (69, 69)
    assert made.sizes[0] == (56, 48) and made.sizes[2] == (90, 60)


def test_a_photo_in_training_and_test_is_told(workspace):
    own = workspace.data / "divided"
    flowers(own / "train"), flowers(own / "test", each=3)
    assert "leak" in codes(report("divided", workspace))


def test_broken_photos_are_left_out_of_training(own, workspace):
    from imgcls.training.loading import load_run_data

    (own / "rose" / "broken.jpg").write_bytes(b"no image")
    data = load_run_data(with_recipe({"dataset": "flowers", "model": "lenet"}), workspace)
    assert len(data.train) + len(data.val) == 36 and any("broken.jpg" in str(note) for note in data.notes)


@pytest.mark.parametrize("augment", ["none", "crop-flip", "resized-crop", "photo"])
@pytest.mark.parametrize(("model", "size"), [("lenet", 32), ("alexnet", 64), ("resnet18", 48)])
def test_the_sample_is_what_training_gets(own, workspace, model, size, augment):
    settings = with_recipe({"dataset": "flowers", "model": model, "image_size": size, "augment": augment})
    made = preview(settings, workspace, preprocess_for(settings), count=9, seed=1)
    assert made.images.shape == (9, 3, size, size) and made.images.dtype == torch.uint8
    assert set(made.labels) <= {"daisy", "rose", "tulip"} and len(set(made.labels)) > 1
    other = preview(settings, workspace, preprocess_for(settings), count=9, seed=2)
    assert not torch.equal(made.images, other.images)
    assert made.images.float().std() > 20  # pictures, not one colour


def test_the_sample_of_a_known_set(workspace):
    settings = with_recipe({"dataset": "mnist"})
    made = preview(settings, workspace, preprocess_for(settings), count=6)
    assert made.images.shape == (6, 1, 28, 28) and set(made.labels) <= set("0123456789")


def test_known_sets_are_counted(workspace):
    made = report("mnist", workspace)
    assert made.images == 70_000 and sum(made.counts["test"]) == 10_000
    assert dict(available_datasets(workspace)) == {
        "mnist": True, "pen-digits": True, "mnist+pen-digits": True, "fashion-mnist": False, "cifar10": False,
        "kmnist": False, "emnist-letters": False, "svhn": False,
    }  # fmt: skip


def test_a_set_that_is_not_there_says_how_to_get_it(workspace):
    with pytest.raises(DatasetError, match="fetch cifar10"):
        report("cifar10", workspace)
    with pytest.raises(DatasetError, match="no data set 'nothing'"):
        report("nothing", workspace)


def test_the_command(own, workspace, capsys):
    assert main(["datasets", "flowers", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said[0]["counts"]["train"] == {"daisy": 12, "rose": 12, "tulip": 12}
    (workspace.data / "empty").mkdir()
    assert main(["datasets", "flowers"]) == 0 and "36 images, 3 classes" in capsys.readouterr().out


def test_the_command_says_all_that_the_report_says(own, workspace, capsys):
    """A folder with much to know: every sentence of --json stands on the terminal, too."""
    (own / "note.txt").write_text("mine")
    (own / "lily").mkdir()
    photo("rose", 7).save(own / "loose.jpg")
    (own / "rose" / "broken.jpg").write_bytes(b"no image")
    shutil.copy(own / "rose" / "01.jpg", own / "daisy" / "same.jpg")
    shutil.copy(own / "tulip" / "01.jpg", own / "tulip" / "again.jpg")
    assert main(["datasets", "flowers", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)[0]
    assert len({problem["code"] for problem in said["problems"]}) >= 6
    assert main(["datasets", "flowers"]) == 0
    printed = capsys.readouterr().out
    for sentence in [*(problem["text"] for problem in said["problems"]), *(why for _, why in said["broken"])]:
        assert sentence in printed
    assert main(["datasets"]) == 0
    assert f"flowers: 38 images, 3 classes; {len(said['problems'])} to know" in capsys.readouterr().out


def test_fetch_without_a_network_says_what_to_do_and_leaves_nothing(workspace, capsys, monkeypatch):

    monkeypatch.setenv("IMGCLS_DATA_MIRROR", "http://127.0.0.1:9")
    assert main(["fetch", "cifar10"]) == 2
    assert "by hand" in capsys.readouterr().err
    assert not [p for p in workspace.root.rglob("*") if p.is_file()]


def test_the_pair_that_is_named_stands_in_two_classes_and_broken_photos_are_not_counted(own, workspace):
    """A rose that is there twice as a rose and once as a tulip: the rose and the tulip are what contradict."""
    shutil.copy(own / "rose" / "01.jpg", own / "rose" / "again.jpg")
    shutil.copy(own / "rose" / "01.jpg", own / "tulip" / "same.jpg")
    for i in range(7):
        (own / "daisy" / f"broken{i}.jpg").write_bytes(b"no image" + bytes([i]))
    made = report("flowers", workspace)
    said = next(str(p.message) for p in made.problems if p.code == "double-labels")
    assert said == "1 image stands in more than one class, e.g. rose/01.jpg and tulip/same.jpg: only one can be right."
    assert made.images == 38 and made.counts["train"] == (12, 13, 13)


def test_a_file_too_large_to_be_an_image_is_not_read(own, workspace):
    with (own / "rose" / "huge.jpg").open("wb") as file:
        file.truncate(3_000_000_000)  # sparse: reading it whole would take 3 GB of memory
    made = report("flowers", workspace)
    assert made.images == 36 and "3000 MB" in str(made.broken[0][1])


@pytest.mark.parametrize("name", ["pen-digits", "mnist+pen-digits"])
def test_a_sample_of_pen_digits_renders_no_more_than_it_shows(workspace, name):
    settings = with_recipe({"dataset": name})
    made = preview(settings, workspace, preprocess_for(settings), count=6, seed=1)
    assert made.images.shape == (6, 1, 28, 28) and set(made.labels) <= set("0123456789")
    assert not list(workspace.root.rglob("*.npy"))  # the whole set, kept for training, was not made


def test_samples_of_a_large_network_are_small(own, workspace):
    settings = with_recipe({"dataset": "flowers", "model": "resnet18"})
    made = preview(settings, workspace, preprocess_for(settings), count=4)
    assert made.images.shape == (4, 3, 128, 128) and made.preprocess.size == 224
