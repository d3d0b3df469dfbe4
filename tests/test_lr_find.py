"""The learning-rate range test: where the loss falls is found, no run is made, and what never falls is said."""

import json
import os
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch
import torchvision
from lenets import lenet
from photos import flowers

import imgcls
from imgcls.cli.main import main
from imgcls.library.learning_rate import RangeTest
from imgcls.models.lenet import LeNet
from imgcls.recipes import with_recipe
from imgcls.runs import background_jobs, rate_tests
from imgcls.settings import TrainSettings
from imgcls.training.lr_finder import suggestion
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.web.train.rate_finder import RateFinder

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


@pytest.fixture
def finder(workspace, monkeypatch):
    """What the page's button does, without a page; the tests that it begins go on until the file is written."""
    monkeypatch.setattr(background_jobs, "launch", lambda *_, **__: os.getpid())
    return finder_of(workspace, ALONE)


def finder_of(workspace, limits):
    form = SimpleNamespace(fields=dict.fromkeys(TrainSettings.model_fields))
    context = SimpleNamespace(translate=Translator("en"), limits=limits, run_cache=SimpleNamespace(workspace=workspace))
    return RateFinder(context, form)


def values(**said):
    return list(with_recipe({"batch_size": 32, **said}).model_dump().values())


def finish(workspace, key, content='{"suggestion": 0.02}'):
    path = workspace.data / ".imgcls-cache" / rate_tests.KIND / f"{key}.json"
    path.write_text(content)
    return path


def test_a_shared_lab_refuses_the_test_and_not_only_its_button(workspace):
    request, _, html, _, timer = finder_of(workspace, SHARED).begin(None, *values())
    assert request is None and "imgcls lr-find" in html and not timer.active
    assert not background_jobs.jobs_folder(rate_tests.KIND, workspace).exists()


def test_the_answer_to_what_was_asked_appears_whatever_the_form_says_by_then(finder, workspace):
    request, rate, _, stop, timer = finder.begin(None, *values(lr=0.1))
    assert request and rate == gr.skip() and stop["visible"] and timer.active
    finish(workspace, request.key)
    assert finder.progress(request, *values(lr=0.3))[:2] == [None, 0.02]
    for changed in (values(batch_size=64), ["?"] * len(values())):
        answered, rate, html, stop, timer = finder.progress(request, *changed)
        assert answered is None and rate == gr.skip() and "0.02 for the settings before" in html
        assert not timer.active and not stop["visible"]
    assert finder.progress(None, *values())[:2] == [gr.skip(), gr.skip()]  # tested before, and not asked about


def test_a_test_is_stopped_by_its_button_and_by_another_question(finder, workspace):
    first, *_ = finder.begin(None, *values())
    second, *_ = finder.begin(first, *values(batch_size=64))
    jobs = background_jobs.jobs_folder(rate_tests.KIND, workspace)
    assert (jobs / first.key / "stop").exists() and not (jobs / second.key / "stop").exists()
    refused, _, html, stop, _ = finder.begin(second, *values(batch_size=96))
    assert "stop one" in html and refused == second and stop["visible"]
    stopped, _, html, stop, timer = finder.stop(second, *values(batch_size=64))
    assert "Stopping" in html and not stop["visible"] and timer.active
    (jobs / second.key / "process.json").unlink()
    assert "Stopped." in finder.progress(stopped, *values())[2]


def test_photos_are_looked_through_once_and_not_at_each_look(finder, workspace, monkeypatch):
    flowers(workspace.data / "flowers", each=8)
    scans, folder_state = [], rate_tests.folder_state
    monkeypatch.setattr(rate_tests, "folder_state", lambda root: scans.append(root) or folder_state(root))
    given = values(dataset="flowers", model="lenet")
    request, *_ = finder.begin(None, *given)
    for _ in range(3):
        finder.progress(request, *given)
    assert request and len(scans) == 1


def test_other_photos_weights_or_corrections_are_another_test(workspace):
    flowers(workspace.data / "flowers", each=1)
    flowers(workspace.data / "wrong", each=1)
    workspace.weight.mkdir()
    own, checkpoint = workspace.weight / "own.pth", lenet(workspace, "net")
    own.write_bytes(b"1")
    for said, path in (
        ({"dataset": "flowers"}, workspace.data / "flowers" / "rose" / "00.jpg"),
        ({"corrections": "wrong"}, workspace.data / "wrong" / "rose" / "00.jpg"),
        ({"model": "resnet18", "transfer": "finetune", "weights": "own.pth"}, own),
        ({"start_from": "net"}, checkpoint),
    ):
        settings = with_recipe(said)
        before = rate_tests.key_of(settings, workspace)
        assert rate_tests.key_of(settings.model_copy(update={"lr": 0.7}), workspace) == before
        os.utime(path, ns=(1, 1))
        assert rate_tests.key_of(settings, workspace) != before, said


@pytest.mark.parametrize("content", ['{"sugg', "[]", '{"suggestion": "much"}'])
def test_a_cut_off_answer_is_none_and_asked_for_again(finder, workspace, content):
    request, *_ = finder.begin(None, *values())
    path = finish(workspace, request.key, content)
    assert rate_tests.status(request.key, workspace).state == "running"
    path.write_text('{"suggestion": null}')
    assert rate_tests.status(request.key, workspace).state == "finished"


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
