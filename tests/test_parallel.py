"""Two processes on the CPU (gloo), started as `accelerate launch` starts them: the run is the one-process run."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from imgcls.checkpoints.format import load_checkpoint, read_meta
from imgcls.cli.main import main
from imgcls.runs.reader import view
from imgcls.runs.store import find_run
from imgcls.training import events

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
]


def launch(port, *arguments, timeout=120):
    return subprocess.run(
        [*LAUNCH, str(port), "-m", "imgcls", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=timeout
    )


@pytest.fixture
def port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_two_processes_learn_what_one_does(workspace, port):
    assert main(["train", *FLAGS, "--epochs", "3", "--name", "one"]) == 0
    made = launch(port, "train", *FLAGS, "--epochs", "3", "--name", "two")
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


def test_two_processes_stop_together_and_one_goes_on(workspace, port):
    def stop_once_it_runs():
        for _ in range(600):
            if (workspace.train_logs / "long" / "settings.json").exists():
                run = find_run("long", workspace)
                if view(run).progress:
                    return run.stop()
            time.sleep(0.1)

    threading.Thread(target=stop_once_it_runs, daemon=True).start()
    made = launch(port, "train", *FLAGS, "--epochs", "400", "--name", "long")
    stopped = view(find_run("long", workspace))
    assert isinstance(stopped.ending, events.Stopped), made.stderr
    settings = json.loads((workspace.train_logs / "long" / "settings.json").read_text())
    settings["epochs"] = stopped.ending.step // stopped.started.steps_per_epoch + 1
    (workspace.train_logs / "long" / "settings.json").write_text(json.dumps(settings))
    assert main(["resume", "long"]) == 0
    assert view(find_run("long", workspace)).started.first_step == stopped.ending.step


def test_a_wrong_setting_is_told_once(workspace, port):
    made = launch(port, "train", *FLAGS, "--dataset", "nowhere")
    assert made.returncode != 0 and made.stderr.count("imgcls: There is no data set 'nowhere'") == 1
