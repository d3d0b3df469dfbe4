"""What a run would be before it is started, measured without touching the process that asks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from imgcls.models import build
from imgcls.recipes import with_recipe
from imgcls.training.background_estimate import BackgroundEstimates
from imgcls.training.estimate import Timing, estimate, time_step, with_seconds

PROJECT = Path(__file__).resolve().parent.parent


def test_parameters_are_the_network_s_own(workspace):
    settings = with_recipe({"model": "resnet18", "dataset": "mnist", "image_size": 32})
    made = estimate(settings, workspace, timed=False)
    wanted = sum(p.numel() for p in build("resnet18", channels=1, classes=10, image_size=32).parameters())
    assert made.parameters == made.trainable == wanted and made.images == 55_000 and made.seconds is None


def test_memory_grows_with_the_batch_and_is_that_of_weights_at_least(workspace):
    small, large = (
        estimate(with_recipe({"batch_size": n}), workspace, timed=False).memory for n in (64, 128)
    )  # LeNet: what its layers hand on is most of it
    assert small > 4 * 3 * 61_706 and 1.5 < large / small <= 2


@pytest.mark.parametrize("said", [{}, {"model": "resnet18", "image_size": 32, "augment": "resized-crop"}])
def test_timing_leaves_threads_and_random_numbers_as_they_were(said):
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    made = time_step(with_recipe({"batch_size": 8, "device": "cpu", **said}))
    assert made.image > 0 and made.step > 0
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads


def test_seconds_are_steps_and_images(workspace):
    settings = with_recipe({"train_images": 1000, "val_split": 300, "batch_size": 64, "epochs": 3})
    made = with_seconds(settings, workspace, Timing(step=0.5, image=0.01))
    assert made.seconds == pytest.approx(3 * (16 * 0.5 + 0.01 * (1000 + 300 / 3)))


def test_what_would_not_fit_is_not_tried(monkeypatch):
    import psutil

    free = psutil.virtual_memory()._replace(available=10_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert time_step(with_recipe({"model": "alexnet", "dataset": "mnist"})) is None


def test_a_server_answers_at_once_and_measures_elsewhere(workspace):
    ask = BackgroundEstimates(workspace)
    made = ask(with_recipe({}))
    assert made.pending and made.seconds is None and made.parameters == 61_706


def test_the_other_process_says_what_it_measured():
    made = subprocess.run(
        [sys.executable, "-m", "imgcls.training.background_estimate"],
        input=with_recipe({"batch_size": 16, "threads": 1, "device": "cpu"}).model_dump_json(),
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    assert made.returncode == 0, made.stderr
    assert Timing(**json.loads(made.stdout)).image > 0
