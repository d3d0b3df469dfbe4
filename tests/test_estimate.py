"""What a run would be before it is started, measured without touching the process that asks."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch
from photos import flowers

from imgcls.augmentations import COMBINATIONS, names
from imgcls.errors import SettingsError
from imgcls.models import build, meta_model
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.training import estimate as estimates
from imgcls.training.background_estimate import BackgroundEstimates, Waiting
from imgcls.training.estimate import Timing, estimate, time_step, training_bytes, with_seconds
from imgcls.training.step_timer import StepTimer
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import settings_form
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.web.train import plan_card

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


@pytest.mark.parametrize("model, size", [("lenet", 28), ("resnet18", 32), ("mobilenet_v3_small", 64)])
def test_a_small_network_in_memory_is_outlined_as_one_without(model, size, workspace, monkeypatch):
    settings = with_recipe({"dataset": "cifar10", "model": model, "image_size": size})

    def outlined():
        estimates._outline.cache_clear(), estimates._network_bytes.cache_clear()
        made = estimate(settings, workspace, timed=False)
        return made.layers, made.parameters, made.memory, training_bytes(settings)

    torch.manual_seed(3)
    before, in_memory = torch.get_rng_state(), outlined()
    assert torch.equal(torch.get_rng_state(), before)
    monkeypatch.setattr(meta_model, "SMALL", 0)
    assert in_memory == outlined()


@pytest.mark.parametrize("said", [{}, {"model": "resnet18", "image_size": 32, "augment": "resized-crop"}])
def test_timing_leaves_threads_and_random_numbers_as_they_were(said):
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    made = time_step(with_recipe({"batch_size": 8, "device": "cpu", **said}))
    assert made.image > 0 and made.step > 0
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads


@pytest.mark.parametrize("augment", [*names(), *COMBINATIONS])
def test_a_run_with_any_augmentation_can_be_timed(augment, monkeypatch):
    monkeypatch.setattr(estimates, "measure", lambda step, counts: {1: 1.0} if step() is None else {})
    dataset = "mnist" if augment == "pen" else "cifar10"
    made = time_step(with_recipe({"dataset": dataset, "model": "lenet", "batch_size": 8, "device": "cpu",
                                  "augment": augment, "accumulate": 3}))  # fmt: skip
    assert made == Timing(step=1.0, image=0.0)


def test_memory_is_that_of_the_whole_batch_where_it_goes_through_in_parts(workspace):
    """Its images and what augmentation makes of them lie there at once; EMA keeps the weights once more."""
    said = {"model": "lenet", "dataset": "cifar10", "batch_size": 4096}
    whole, parts = with_recipe(said), with_recipe({**said, "accumulate": 1024})
    image_bytes = 4096 * 3 * preprocess_for(whole).size ** 2 * 4
    for needed in (training_bytes, lambda settings: estimate(settings, workspace, timed=False).memory):
        assert needed(whole) > needed(parts) > 3 * image_bytes
        assert needed(parts.model_copy(update={"ema": 0.9})) - needed(parts) > 4 * 60_000  # LeNet's


def test_a_shared_lab_counts_the_images_of_a_batch_in_parts():
    large = {"dataset": "cifar10", "model": "resnet18", "image_size": 224, "batch_size": 8192, "accumulate": 1024}
    with pytest.raises(SettingsError, match="GB of memory"):
        SHARED.check_settings(with_recipe(large))


def test_seconds_are_steps_and_images(workspace):
    settings = with_recipe({"train_images": 1000, "val_split": 300, "batch_size": 64, "epochs": 3})
    made = with_seconds(settings, workspace, Timing(step=0.5, image=0.01))
    assert made.seconds == pytest.approx(3 * (16 * 0.5 + 0.01 * (1000 + 300 / 3)))


def test_what_would_not_fit_is_not_tried(monkeypatch):
    free = psutil.virtual_memory()._replace(available=10_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert time_step(with_recipe({"model": "alexnet", "dataset": "mnist"})) is None


def test_a_server_answers_at_once_and_measures_elsewhere(workspace):
    ask = BackgroundEstimates(workspace)
    made = ask(with_recipe({}))
    assert made.pending and made.seconds is None and made.parameters == 61_706
    ask.pause()


@pytest.mark.parametrize(("load", "again"), [(0.1, False), (50.0, True)])
def test_what_was_timed_beside_others_work_is_timed_again_soon(workspace, monkeypatch, load, again):
    monkeypatch.setattr("psutil.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(StepTimer, "start", lambda self: None)
    monkeypatch.setattr(StepTimer, "time", lambda self, settings: Timing(step=0.001, image=0.001))
    monkeypatch.setattr("imgcls.training.background_estimate.BUSY_TTL_S", 0.0)
    ask, settings, end = BackgroundEstimates(workspace), with_recipe({}), time.monotonic() + 20
    ask(settings)
    while ask.known(settings) is None and time.monotonic() < end:
        time.sleep(0.01)
    seen = ask(settings)
    assert seen.seconds and seen.pending is again
    ask.pause()


def test_what_is_chosen_is_timed_before_what_stands_beside_it():
    """The form asks every few seconds for the chosen mode, then for the others and the presets."""
    line = Waiting()
    for _ in range(2):
        for name in ("chosen", "head", "sprint", "thorough"):
            line.ask((name,), with_recipe({}), beside=name != "chosen")
    line.ask(("another form",), with_recipe({}))
    assert [line.take()[0][0] for _ in range(len(line))] == ["another form", "chosen", "head", "sprint", "thorough"]
    for i in range(20):
        line.ask((i,), with_recipe({}))
        line.ask((-i,), with_recipe({}), beside=True)
    assert [line.take()[0][0] for _ in range(len(line))] == list(range(19, 11, -1))


def test_a_run_that_begins_has_the_machine_to_itself(workspace):
    ask, settings = BackgroundEstimates(workspace), with_recipe({"device": "cpu"})
    before, begun, end = set(psutil.Process().children()), set(), time.monotonic() + 20
    ask(settings)
    while not begun and time.monotonic() < end:
        begun = set(psutil.Process().children()) - before
        time.sleep(0.01)
    ask.pause()
    ask(settings)
    assert begun and not psutil.wait_procs(begun, timeout=10)[1]
    assert not set(psutil.Process().children()) - before
    assert ask.known(settings) is None


def test_each_mode_of_transfer_says_what_learns(workspace):
    flowers(workspace.data / "garden", each=4)
    values = settings_form.defaults({"dataset": "garden", "model": "efficientnet-lite0", "transfer": "head"})
    values |= {"dataset": "garden", "model": "efficientnet-lite0", "image_size": 32}
    _, pending = plan_card.modes(values, workspace, ALONE, Translator("en"), measure=False)
    _, pending_plan = plan_card.card(values, workspace, ALONE, Translator("en"), measure=False)
    assert not pending and not pending_plan and not plan_card._estimates(workspace)._waiting  # nobody looks at Train
    choices, pending = plan_card.modes(values, workspace, ALONE, Translator("en"))
    assert pending and [label.partition("\n")[2] for label, _ in choices] == [
        "3.4 M weights", "3,843 weights", "3.4 M weights"
    ]  # fmt: skip
    plan_card.run_begins(workspace)
    plain, pending = plan_card.modes({**values, "dataset": "mnist"}, workspace, ALONE, Translator("zh"))
    assert not pending and [label for label, _ in plain] == ["从头训练", "只训练最后一层", "微调所有层"]
    # What cannot be has no figures, and its sentence stands below the form.
    wrong = values | {"model": "maxvit_t", "transfer": "scratch", "weights": "", "image_size": 32}
    said, _ = plan_card.card(wrong, workspace, ALONE, Translator("en"))
    assert "maxvit_t needs at least 224" in said


def test_one_process_times_what_is_asked_and_ends_with_its_input():
    """Starting torch is most of what timing a step costs."""
    timer, cheap = StepTimer(), with_recipe({"batch_size": 16, "threads": 1, "device": "cpu"})
    assert timer.time(cheap) is None  # not started
    timer.start()
    process = timer._process
    timings = [timer.time(cheap.model_copy(update={"batch_size": size})) for size in (16, 8)]
    timer.start()
    assert process is timer._process and all(timing.image > 0 for timing in timings)
    process.stdin.close()
    assert process.wait(60) == 0


def test_a_process_that_is_gone_is_told_and_made_anew(workspace):
    timer, cheap = StepTimer(), with_recipe({"batch_size": 16, "threads": 1, "device": "cpu"})
    timer.start()
    threading.Thread(target=lambda: psutil.Process(timer._process.pid).kill()).start()
    assert timer.time(cheap) is None
    timer.start()
    assert timer.time(cheap).image > 0
    timer.stop()
    assert timer._process is None


def test_those_who_come_first_at_once_share_one_measurement(workspace, monkeypatch):
    """Three pages that were opened together had the same step timed by three processes."""
    begun, both = [], threading.Barrier(2)

    class Slow(BackgroundEstimates):
        def __init__(self, workspace):
            begun.append(self)
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(1)  # for a second one, which must not come
            super().__init__(workspace)

        def known(self, settings):
            return 1.0

    monkeypatch.setattr("imgcls.training.background_estimate.BackgroundEstimates", Slow)
    settings = with_recipe({"dataset": "mnist", "model": "lenet"})
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: plan_card.expected(settings, workspace), range(8))) == [1.0] * 8
    assert len(begun) == 1
