"""Two processes on the CPU (gloo), started as `accelerate launch` starts them: the run is the one-process run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from photos import flowers
from safetensors.torch import load_file

from imgcls.checkpoints.format import load_checkpoint, read_meta
from imgcls.cli.main import main
from imgcls.data.loader import evaluation_batches
from imgcls.inference.metrics import evaluate
from imgcls.recipes import with_recipe
from imgcls.runs.reader import view
from imgcls.runs.store import Run, find_run
from imgcls.training import events
from imgcls.training.loading import load_run_data

PROJECT = Path(__file__).resolve().parent.parent
FLAGS = "--dataset mnist --model lenet --train-images 1003 --val-split 500 --threads 1 --device cpu".split()
# --multi_gpu is how accelerate says "several processes"; without a GPU they are CPU processes.
LAUNCH = [
    sys.executable,
    "-m",
    "accelerate.commands.launch",
    "--multi_gpu",
    "--num_processes",
    "2",
    "--main_process_port",
    "0",  # a free one, chosen just before it is used
]


def begin(*arguments):
    return subprocess.Popen(
        [*LAUNCH, "-m", "imgcls", *arguments], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def launch(*arguments):
    process = begin(*arguments)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def test_two_processes_learn_what_one_does(workspace):
    assert main(["train", *FLAGS, "--epochs", "3", "--name", "one"]) == 0
    made = launch("train", *FLAGS, "--epochs", "3", "--name", "two")
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip().splitlines()[-1] == str(workspace.checkpoints / "two" / "best.safetensors")
    one, two = (view(find_run(name, workspace)) for name in ("one", "two"))
    assert len(two.epochs) == 3 and two.started.device == "2 × cpu"
    for a, b in zip(one.epochs, two.epochs, strict=True):  # sums in another order, growing apart from step to step
        assert b.train_loss == pytest.approx(a.train_loss, rel=2e-3)
        assert b.val_loss == pytest.approx(a.val_loss, rel=2e-2)
        assert a.step == b.step
    network, meta = load_checkpoint(workspace.checkpoints / "two" / "best.safetensors")
    assert (
        meta.data == read_meta(workspace.checkpoints / "one" / "best.safetensors").data
        and network.fc3.out_features == 10
    )
    lines = (workspace.train_logs / "two" / "events.jsonl").read_text("utf-8").splitlines()
    assert sum(json.loads(line)["event"] == "Started" for line in lines) == 1  # the first process alone tells


@pytest.mark.slow
def test_two_processes_stop_together_and_one_goes_on(workspace):
    process, run = begin("train", *FLAGS, "--epochs", "400", "--name", "long"), Run("long", workspace)
    while process.poll() is None and not view(run).progress:
        time.sleep(0.1)
    run.stop()
    _, said = process.communicate(timeout=300)
    stopped = view(find_run("long", workspace))
    assert isinstance(stopped.ending, events.Stopped), said
    settings = json.loads((workspace.train_logs / "long" / "settings.json").read_text())
    settings["epochs"] = stopped.ending.step // stopped.started.steps_per_epoch + 1
    (workspace.train_logs / "long" / "settings.json").write_text(json.dumps(settings))
    assert main(["resume", "long"]) == 0
    assert view(find_run("long", workspace)).started.first_step == stopped.ending.step


def test_a_wrong_setting_is_told_once(workspace):
    made = launch("train", *FLAGS, "--dataset", "nowhere")
    assert made.returncode != 0 and made.stderr.count("imgcls: There is no data set 'nowhere'") == 1


def test_two_processes_go_on_exactly_and_share_out_the_validation(workspace):
    """Dropout and BatchNorm: each process has its own random state, and the first one's running statistics count."""
    flowers(workspace.data / "flowers", each=27)
    said = {
        "dataset": "flowers", "model": "mobilenet_v3_small", "image_size": 32, "batch_size": 8, "epochs": 2,
        "optimizer": "adamw", "lr": 1e-3, "device": "cpu", "augment": "flip",
        "balance": "sampling", "ema": 0.9, "accumulate": 2,
    }  # fmt: skip
    script = [str(PROJECT / "tests" / "two_processes.py"), str(workspace.root), json.dumps(said)]
    made = subprocess.run(
        [*LAUNCH, *script], cwd=PROJECT, capture_output=True, text=True, timeout=600,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    ended = json.loads(made.stdout.strip().splitlines()[-1])
    assert ended["stopped_at"] == 10 and ended["ended"] == "Finished"  # in the middle of the second epoch
    whole, parts = (load_file(workspace.checkpoints / name / "last.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    network, meta = load_checkpoint(workspace.checkpoints / "whole" / "last.safetensors")
    data = load_run_data(with_recipe(said), workspace)
    batches = evaluation_batches(data.val, data.preprocess, batch_size=64, device=torch.device("cpu"))
    alone = evaluate(network, batches)
    assert ended["epochs"][-1]["val_accuracy"] == pytest.approx(alone.accuracy, abs=1e-6)
    assert ended["epochs"][-1]["val_loss"] == pytest.approx(alone.loss, rel=1e-5)


def test_gradients_in_several_buckets_are_the_whole_batchs():
    made = subprocess.run(
        [*LAUNCH, str(PROJECT / "tests" / "averaging.py")], cwd=PROJECT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout.strip().splitlines()[-1])
    assert said["buckets"] > 1 and said["last"] == 2 and said["gap"] < 1e-6
