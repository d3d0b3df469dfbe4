"""The terminal's contract, in real processes: what scripts will call."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

PROJECT = Path(__file__).resolve().parent.parent
SMALL = ["--train-images", "2000", "--val-split", "300", "--epochs", "1", "--batch-size", "32",
         "--lr", "0.05", "--threads", "1", "--device", "cpu"]  # fmt: skip


def imgcls(*arguments, timeout=120, **options):
    return subprocess.run(
        [sys.executable, "-m", "imgcls", *map(str, arguments)],
        cwd=PROJECT, capture_output=True, text=True, timeout=timeout, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run made by the terminal, and the environment it was made in."""
    root = tmp_path_factory.mktemp("lab")
    environment = os.environ | {"IMGCLS_HOME": str(root)}
    said = imgcls("train", "--dataset", "mnist", "--model", "lenet", "--name", "first", *SMALL, env=environment)
    assert said.returncode == 0, said.stderr
    return said, environment, root


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Ten of MNIST's test images as PNG files, named by their label."""
    from imgcls.data.download import load_arrays
    from imgcls.workspace import Workspace

    folder = tmp_path_factory.mktemp("digits")
    images, labels = load_arrays("mnist", Workspace())["test"]
    for i in range(10):
        Image.fromarray(images[i, 0].numpy()).save(folder / f"{i}-{int(labels[i])}.png")
    return folder


def test_train_ends_with_the_checkpoint_on_stdout(trained):
    said, _, root = trained
    last = said.stdout.strip().splitlines()[-1]
    assert Path(last) == root / "checkpoints" / "first" / "best.safetensors" and Path(last).is_file()
    assert "\r" not in said.stdout and "\x1b" not in said.stdout
    assert "epoch 1 done" in said.stdout and "images/s" in said.stdout


def test_tensorboard_can_read_the_run(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = EventAccumulator(str(trained[2] / "train_logs" / "first"))
    made.Reload()
    tags = made.Tags()
    assert {"loss/train", "loss/val", "accuracy/train", "accuracy/val", "learning rate", "images per second"} <= set(
        tags["scalars"]
    )
    assert tags["images"] and tags["graph"]
    # After each epoch: how every layer's weights lie, how long they and their gradient are, and memory.
    assert {"weights/conv1.weight", "weights/fc3.bias"} <= set(tags["histograms"])
    for name in ("weight norm/conv1.weight", "gradient norm/conv1.weight", "memory/process, MB"):
        assert made.Scalars(name)[0].value > 0
    assert any("hparams" in tag for tag in made.summary_metadata)


def test_predict_json(trained, digits):
    _, environment, root = trained
    said = imgcls(
        "predict", "--checkpoint", root / "checkpoints/first/best.safetensors", "--json", "--top", 2, digits,
        env=environment,
    )  # fmt: skip
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert said.returncode == 0 and len(rows) == 10
    said_of_each = {"path", "label", "confidence", "top", "sure", "familiarity"}
    assert all(set(row) == said_of_each and len(row["top"]) == 2 for row in rows)
    assert all(row["top"][0] == [row["label"], row["confidence"]] for row in rows)
    right = sum(Path(row["path"]).stem.endswith(row["label"]) for row in rows)
    assert right >= 7


def test_what_is_no_image_does_not_stop_the_rest(trained, digits, tmp_path):
    _, environment, root = trained
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.png").write_bytes(next(digits.iterdir()).read_bytes()[:60])
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    good = sorted(digits.iterdir())[0]
    paths = [tmp_path / "notes.txt", tmp_path / "broken.png", tmp_path / "blank.png", tmp_path / "gone.png", good]
    said = imgcls("predict", "--checkpoint", "first", "--json", *paths, env=environment)
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert said.returncode == 1 and [row["path"] for row in rows] == [str(path) for path in paths]
    assert all(set(row) == {"path", "error"} for row in rows[:4]) and "label" in rows[4]
    assert "Traceback" not in said.stderr


def test_evaluate_json(trained):
    _, environment, root = trained
    said = imgcls("evaluate", "--checkpoint", root / "checkpoints/first/best.safetensors", "--json", env=environment)
    made = json.loads(said.stdout)
    runs = json.loads(imgcls("runs", "--json", env=environment).stdout)
    assert made["accuracy"] == pytest.approx(runs[0]["test_accuracy"], abs=1e-6)
    assert made["images"] == sum(map(sum, made["confusion"])) == 10000
    assert {"precision", "recall", "f1"} <= set(made["classes"][0])
    assert made["part"] == "test" and made["interval"][0] < made["accuracy"] < made["interval"][1] and made["ece"] < 0.5
    assert "recall" in imgcls("evaluate", "--checkpoint", "first", env=environment).stdout


def test_runs(trained):
    _, environment, root = trained
    (row,) = [r for r in json.loads(imgcls("runs", "--json", env=environment).stdout) if r["name"] == "first"]
    assert row["state"] == "finished" and row["settings"]["model"] == "lenet" and row["val_accuracy"] > 0.5
    assert "first" in imgcls("runs", env=environment).stdout


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--lr", "0"], "lr is 0"),
        (["--lr", "nan"], "lr is"),
        (["--model", "vgg"], "no network 'vgg': choose vgg1"),
        (["--epochs", "1000000000"], "from 1 to 1000"),
        (["--epochs", ""], "epochs is empty"),
        (["--name", "../x"], "name is ../x"),
        (["--name", "first"], "choose another name"),
        (["--dataset", "nothing-here"], "nothing-here"),
        (["--device", "mps"], "device is mps"),
        (["--colour", "red"], "--colour"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_bad_setting_is_exit_code_2_and_makes_nothing(trained, flags, says):
    _, environment, root = trained
    before = sorted(root.rglob("*"))
    said = imgcls("train", "--dataset", "mnist", *flags, env=environment)
    assert said.returncode == 2 and says in said.stderr and "Traceback" not in said.stderr
    assert sorted(root.rglob("*")) == before


def test_a_bad_checkpoint_is_exit_code_2(trained, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"0" * 100)
    said = imgcls("predict", "--checkpoint", tmp_path / "x.safetensors", tmp_path, env=trained[1])
    assert said.returncode == 2 and "x.safetensors" in said.stderr and "Traceback" not in said.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a whole console")
def test_ctrl_c_saves_and_says_how_to_go_on(trained):
    _, environment, root = trained
    process = subprocess.Popen(
        [sys.executable, "-m", "imgcls", "train", "--name", "cut", *SMALL, "--epochs", "500", "--batch-size", "8"],
        cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("epoch 1 done"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "python -m imgcls resume cut" in err and "Traceback" not in err
    assert out.strip().splitlines()[-1] == str(root / "checkpoints/cut/best.safetensors")
    again = subprocess.Popen(
        [sys.executable, "-m", "imgcls", "resume", "cut"],
        cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "going on at step" in next(again.stdout)
    said = imgcls("stop", "cut", env=environment)
    assert said.returncode == 0
    again.communicate(timeout=60)
    assert again.returncode == 130


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no folder that is in use")
def test_a_run_whose_workspace_is_removed_ends(tmp_path):
    root = tmp_path / "gone"
    process = subprocess.Popen(
        [sys.executable, "-m", "imgcls", "train", "--name", "lost", *SMALL, "--epochs", "500", "--batch-size", "8"],
        cwd=PROJECT, env=os.environ | {"IMGCLS_HOME": str(root)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("epoch 1 done"):
            break
    root.rename(tmp_path / "elsewhere")
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_help_lists_every_setting():
    from imgcls.settings import TrainSettings

    said = imgcls("train", "--help").stdout
    for name in TrainSettings.model_fields:
        assert "--" + name.replace("_", "-") in said
