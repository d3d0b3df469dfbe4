"""The learning-rate range test: where the loss falls is found, no run is made, and what never falls is said."""

import json

import numpy as np
import pytest
import torch
import torchvision
from photos import flowers

import imgcls
from imgcls.cli.main import main
from imgcls.library.learning_rate import RangeTest
from imgcls.models.lenet import LeNet
from imgcls.training.lr_finder import suggestion

SMALL = "--train-images 600 --val-split 200 --batch-size 32 --threads 1 --device cpu --steps 60".split()
RATES = np.geomspace(1e-5, 10, 60)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_suggestion_lies_where_the_loss_falls(noise):
    """Flat up to 1e-3, falling to 1e-1, then away."""
    place = np.log10(RATES)
    losses = 2.3 - 2 * np.clip((place + 3) / 2, 0, 1) + 4 * np.clip(place + 0.5, 0, None)
    losses += noise * np.random.default_rng(0).standard_normal(60)
    found = suggestion(tuple(RATES), tuple(losses))
    assert 2e-2 < found < 0.12


def test_a_loss_that_never_falls_has_no_suggestion():
    assert suggestion(tuple(RATES), tuple(np.linspace(2.3, 4, 60))) is None
    assert suggestion((), ()) is None


def test_a_test_takes_a_batch_in_as_many_parts_as_its_run_would(few_digits, workspace, monkeypatch):
    sizes, forward = [], LeNet.forward
    monkeypatch.setattr(LeNet, "forward", lambda net, inputs: sizes.append(len(inputs)) or forward(net, inputs))
    imgcls.find_lr("few-digits", train_images=200, val_split=50, batch_size=32, accumulate=4, threads=1, device="cpu",
                   steps=2)  # fmt: skip
    assert set(sizes) == {8}


def test_a_loss_that_is_no_number_from_the_start_is_said_in_a_notebook():
    nothing = RangeTest(rates=(), losses=(), suggestion=None, used=0.1)
    assert "no number at the first step" in nothing._repr_html_()


def test_a_sound_rate_is_found_for_digits_and_no_run_is_made(workspace, capsys):
    assert main(["lr-find", *SMALL, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert 5e-3 < said["suggestion"] < 0.3 and said["used"] == 0.1
    assert len(said["rates"]) == len(said["losses"]) <= 60 and said["rates"] == sorted(said["rates"])
    assert not list(workspace.train_logs.glob("*")) and not list(workspace.checkpoints.glob("*"))
    assert main(["lr-find", *SMALL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"Suggestion: --lr {said['suggestion']:g} (the settings have 0.1)"
    assert sum("*" in line for line in lines) > 5 and any("|" in line for line in lines)


def test_weights_that_are_zero_learn_at_no_rate(workspace, capsys):
    assert main(["lr-find", *SMALL, "--init", "all-zeros", "--steps", "6"]) == 1
    assert "at no learning rate: look at --init" in capsys.readouterr().out


def test_a_head_is_tested_on_its_features(workspace):
    flowers(workspace.data / "flowers", each=8)
    workspace.weight.mkdir()
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), workspace.weight / "own.pth")
    found = imgcls.find_lr(
        "flowers", model="resnet18", transfer="head", weights="own.pth", image_size=32, batch_size=8, threads=1,
        device="cpu",
    )  # fmt: skip
    assert found.suggestion is not None and len(found.rates) > 20
    assert "try" in found._repr_html_() and "<svg" in found._repr_html_()
    assert not list(workspace.checkpoints.glob("*/features.f32"))
