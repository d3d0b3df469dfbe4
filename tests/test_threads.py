"""Threads are measured once, before the first step or before much goes forward. The clock is simulated."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
import torchvision
from photos import flowers

from imgcls import processes
from imgcls.audit.audit import audit
from imgcls.cli.main import main
from imgcls.imaging.preprocess import Preprocess
from imgcls.models import threads
from imgcls.models.threads import candidates, fastest_threads, measure
from imgcls.recipes import with_recipe
from imgcls.training import events, trainer
from imgcls.training.device import choose_device
from imgcls.training.learner import make_learner
from imgcls.training.loading import load_run_data
from imgcls.training.threads import choose_threads
from imgcls.training.train_state import TrainState

pytestmark = pytest.mark.usefixtures("few_digits")


class Machine:
    """Steps whose length depends on the number of threads, as a busy or a quiet machine makes it."""

    def __init__(self, seconds_a_step):
        self.now, self.threads, self.steps, self.seconds = 0.0, 0, 0, seconds_a_step

    def set_threads(self, count):
        self.threads = count

    def clock(self):
        return self.now

    def step(self):
        self.now += self.seconds[self.threads]
        self.steps += 1

    def rates(self):
        return measure(self.step, sorted(self.seconds), set_threads=self.set_threads, clock=self.clock)


def test_candidates_are_few_and_bounded():
    assert candidates(1) == [1]
    assert candidates(2) == [1, 2]
    assert candidates(6) == [1, 2, 4, 6]
    assert candidates(128) == [1, 2, 4, 8, 16]


def test_every_number_is_measured():
    rates = Machine({1: 0.010, 2: 0.005}).rates()
    assert round(rates[1]) == 100 and round(rates[2]) == 200


def test_measuring_takes_a_moment_however_slow_a_number_is():
    machine = Machine({1: 0.002, 2: 0.09, 4: 3.0})
    rates = machine.rates()
    assert max(rates, key=rates.get) == 1
    assert machine.now < 2 * 3.0 + 4 * 0.09 + 0.1


def test_a_neighbour_that_is_busy_for_a_moment_decides_nothing():
    machine = Machine({1: 0.010, 2: 0.005})
    slow, step = 0.2, machine.step

    def disturbed():
        step()
        machine.now += slow if machine.threads == 2 and machine.now < 0.5 else 0

    machine.step = disturbed
    rates = machine.rates()
    assert max(rates, key=rates.get) == 2


@pytest.fixture
def two_cores(monkeypatch):
    """Torch's threads are afterwards what they were."""
    before = torch.get_num_threads()
    monkeypatch.setattr("imgcls.training.threads.available_cores", lambda: 2)
    monkeypatch.setattr("imgcls.models.threads.available_cores", lambda: 2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def learner(workspace, two_cores):
    settings = with_recipe({"train_images": 64, "val_split": 16, "batch_size": 16, "device": "cpu"})
    return make_learner(settings, load_run_data(settings, workspace), workspace, choose_device(settings))


def chosen(learner, state, rates):
    """The event of a run's choice on a machine of those rates; measuring is a KeyError where there are none."""
    (event,) = choose_threads(learner, state, measure=lambda _, counts: {n: rates[n] for n in counts})
    assert event.threads == state.threads == torch.get_num_threads()
    return event


@pytest.mark.parametrize("rates", [{1: 90.0, 2: 30.0}, {1: 90.0, 2: 160.0}])
def test_a_run_takes_what_is_fastest_when_it_begins(learner, rates):
    event = chosen(learner, TrainState(), rates)
    assert event.threads == max(rates, key=rates.get) and event.exact_until is None
    assert event.rates == {"1": 90.0 * 16, "2": rates[2] * 16}


def test_on_a_gpu_too_it_is_told_how_far_a_run_can_be_repeated(learner):
    learner.context = replace(learner.context, device=torch.device("cuda"))
    (event,) = choose_threads(learner, TrainState(step=500, exact_until=500))
    assert (event.threads, event.rates, event.exact_until) == (1, {}, 500)


def test_threads_that_the_settings_fix_stay(learner):
    learner.settings = learner.settings.model_copy(update={"threads": 1})
    assert chosen(learner, TrainState(), {}).threads == 1


def test_a_resumed_run_takes_the_threads_it_began_with(learner):
    event = chosen(learner, TrainState(threads=2, step=500), {})
    assert (event.threads, event.rates, event.exact_until) == (2, {}, None)


def test_a_run_that_is_resumed_with_other_threads_says_so(learner):
    learner.settings = learner.settings.model_copy(update={"threads": 1})
    assert chosen(learner, TrainState(threads=2, step=500), {}).exact_until == 500


@pytest.mark.parametrize("transfer", ["scratch", "head"])
def test_threads_are_measured_once_a_run(workspace, monkeypatch, two_cores, transfer):
    said = {"model": "resnet18", "image_size": 32, "epochs": 2, "batch_size": 8, "device": "cpu", "transfer": transfer}
    if transfer == "head":
        workspace.weight.mkdir()
        torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), workspace.weight / "own.pth")
        said["weights"] = "own.pth"
    settings = with_recipe({"dataset": "few-digits", "train_images": 64, "val_split": 16, **said})
    machine = iter([{1: 90.0, 2: 30.0}])
    monkeypatch.setattr(trainer, "choose_threads", partial(choose_threads, measure=lambda _, counts: next(machine)))
    stop = []
    made = []
    for event in trainer.train(settings, workspace=workspace, run="r", should_stop=lambda: bool(stop)):
        made.append(event)
        if isinstance(event, events.EpochEnded):
            stop.append(True)
    made += trainer.train(settings, workspace=workspace, run="r", resume=True)
    assert [e.threads for e in made if isinstance(e, events.ThreadsChosen)] == [1, 1]
    assert all(e.exact_until is None for e in made if isinstance(e, events.ThreadsChosen))


@pytest.mark.parametrize(
    ("rates", "seconds", "threads_inside"),
    [
        ({1: 3.0, 2: 7.0}, 0.3, 2),  # a quiet machine
        ({1: 3.0, 2: 0.1}, 0.3, 1),  # a busy one
        ({1: 3.0, 2: 7.0}, 0.001, 1),  # soon done: not worth the trials
    ],
)
def test_going_forward_takes_what_is_fastest_and_leaves_what_was(
    two_cores, monkeypatch, rates, seconds, threads_inside
):
    monkeypatch.setattr(threads, "measure", lambda step, counts: {n: rates[n] for n in counts})
    torch.set_num_threads(2)
    machine = Machine({0: seconds})
    with fastest_threads(machine.step, 100, clock=machine.clock):
        assert torch.get_num_threads() == threads_inside
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("best", [1, 2])
@pytest.mark.parametrize("what", ["predict", "evaluate", "audit"])
def test_whatever_goes_forward_asks_how_many_threads(workspace, monkeypatch, two_cores, what, best):
    root = flowers(workspace.data / "flowers", each=12)
    if what != "audit":
        said = {"dataset": "flowers", "model": "lenet", "epochs": 1, "batch_size": 8, "device": "cpu", "threads": 1}
        list(trainer.train(with_recipe(said), workspace=workspace, run="r"))
    monkeypatch.setattr(threads, "measure", lambda step, counts: {n: 9.0 if n == best else 3.0 for n in counts})
    monkeypatch.setattr(threads, "WORTH_MEASURING_S", 0.0)
    torch.set_num_threads(2)
    used = []

    def look(*_):
        used.append(torch.get_num_threads())

    if what == "audit":
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 8))
        network.register_forward_hook(look)
        half = (0.5,) * 3
        form = Preprocess(channels=3, resize_mode="crop", storage_size=64, size=64, mean=half, std=half)
        monkeypatch.setattr("imgcls.audit.features.pretrained", lambda *_: (network, form))
        audit("flowers", workspace)
    else:
        asked = ["--checkpoint", "r", *([str(root)] if what == "predict" else [])]
        with torch.nn.modules.module.register_module_forward_hook(look):
            assert main([what, *asked]) == 0
    assert used[-1] == best and torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("said", "expected"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None")],
)
def test_threads_that_wait_sleep_soon(said, expected):
    """Read by OpenMP when torch is imported, so it is set before; what a person says stays."""
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")} | said
    code = "import imgcls, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == expected


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, 16),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 16),
        ({}, 16),
    ],
)
def test_a_container_has_the_cores_it_was_given(tmp_path, monkeypatch, files, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(processes, "CGROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)))
    processes._quota.cache_clear()
    try:
        assert processes.available_cores() == cores
    finally:
        processes._quota.cache_clear()
