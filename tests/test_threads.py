"""Threads are measured before the first step; a lasting collapse of the speed asks for fewer, cores that are free again
for more. The clock is simulated."""

from functools import partial

import pytest
import torch
import torchvision

from imgcls.recipes import with_recipe
from imgcls.training import events, threads, trainer
from imgcls.training.device import choose_device
from imgcls.training.learner import make_learner
from imgcls.training.loading import load_run_data
from imgcls.training.threads import LASTING, LOOK_FOR_MORE, CollapseWatch, ThreadChoice, candidates, measure
from imgcls.training.train_state import TrainState


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


def watched(seconds, *, rate=100.0, step=0.1, images=1):
    """Steps of `images` that take `step` seconds each, for so long: how often the watch called it a collapse."""
    now = 0.0
    watch = CollapseWatch(rate, clock=lambda: now)
    called = []
    while now < seconds:
        now += step
        if watch.step(images):
            called.append(now)
    return called


def test_a_busy_machine_alone_is_no_collapse():
    assert watched(600, images=3) == []  # 30 images/s of 100


def test_a_lasting_collapse_is_called_and_ever_more_seldom():
    called = watched(100, images=1)  # 10 images/s of 100
    assert LASTING <= called[0] < LASTING + 3
    assert 2 * LASTING <= called[1] - called[0] < 2 * LASTING + 4


def test_a_short_collapse_is_not():
    now = 0.0
    watch = CollapseWatch(100.0, clock=lambda: now)
    for second in range(600):
        for _ in range(10):
            now += 0.1
            assert not watch.step(1 if second % 10 < 7 else 10)


def test_steps_of_many_seconds_can_collapse_too():
    assert watched(200, step=12.0, images=1)


def test_what_passes_between_epochs_does_not_count():
    now = 0.0
    watch = CollapseWatch(100.0, clock=lambda: now)
    for _ in range(200):
        now += 60  # validation, saving
        watch.pause()
        for _ in range(12):
            now += 0.1
            assert not watch.step(10)


@pytest.fixture
def choice(workspace, monkeypatch):
    """(a run's choice of threads on a machine that tests make quick or slow, its state, that machine's rates)."""
    settings = with_recipe({"train_images": 64, "val_split": 16, "batch_size": 16, "device": "cpu"})
    learner = make_learner(settings, load_run_data(settings, workspace), workspace, choose_device(settings))
    state, rates = TrainState(), {}
    before = torch.get_num_threads()
    state.threads, state.step = 2, 500
    monkeypatch.setattr("imgcls.training.threads.available_cores", lambda: 2)
    made = ThreadChoice(
        learner, state, measure=lambda _, counts: {n: rates[n] for n in counts}, clock=lambda: rates.get("now", 0.0)
    )
    yield made, state, rates
    torch.set_num_threads(before)


def test_a_collapse_that_fewer_threads_cure_lowers_them_and_marks_the_run(choice):
    chooser, state, rates = choice
    list(chooser.choose())
    rates |= {1: 90.0, 2: 3.0}
    (event,) = chooser.again()
    assert event.threads == state.threads == torch.get_num_threads() == 1
    assert event.exact_until == state.exact_until == 500


def test_a_slowness_that_fewer_threads_do_not_cure_changes_nothing(choice):
    chooser, state, rates = choice
    list(chooser.choose())
    rates |= {1: 90.0, 2: 100.0}  # the disk is slow, or the computer slept
    assert list(chooser.again()) == [] and state.threads == torch.get_num_threads() == 2
    assert state.exact_until is None


def test_cores_that_were_taken_at_first_are_used_once_they_are_free(choice):
    chooser, state, rates = choice
    state.threads, state.step = 0, 0
    rates |= {1: 90.0, 2: 30.0}
    list(chooser.choose())
    assert state.threads == 1 and not chooser.due(16)
    rates["now"] = 2 * LOOK_FOR_MORE
    assert chooser.due(16) and list(chooser.again()) == []  # the neighbour is still there
    assert not chooser.due(16) and state.threads == torch.get_num_threads() == 1 and state.exact_until is None
    rates |= {2: 160.0, "now": 10 * LOOK_FOR_MORE}
    state.step = 700
    assert chooser.due(16)
    (event,) = chooser.again()
    assert event.threads == state.threads == torch.get_num_threads() == 2
    assert event.exact_until == state.exact_until == 700
    rates["now"] = 1e6
    assert not chooser.due(16)  # all cores are in use


def test_threads_that_the_settings_fix_stay(choice):
    chooser, state, rates = choice
    chooser._learner.settings = chooser._learner.settings.model_copy(update={"threads": 1})
    state.threads, state.step = 0, 0
    list(chooser.choose())
    rates["now"] = 1e6
    assert state.threads == 1 and not chooser.due(16)


def test_a_resumed_run_takes_the_threads_it_began_with(choice):
    chooser, state, rates = choice
    (event,) = chooser.choose()  # measuring would be a KeyError
    assert event.threads == torch.get_num_threads() == 2 and event.rates == {} and event.exact_until is None


@pytest.mark.parametrize("transfer", ["scratch", "head"])
def test_a_run_says_where_it_took_cores_that_came_free_and_a_resumed_one_still_does(workspace, monkeypatch, transfer):
    said = {"model": "resnet18", "image_size": 32, "epochs": 2, "batch_size": 8, "device": "cpu", "transfer": transfer}
    if transfer == "head":
        workspace.weight.mkdir()
        torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), workspace.weight / "own.pth")
        said["weights"] = "own.pth"
    settings = with_recipe({"dataset": "mnist", "train_images": 64, "val_split": 16, **said})
    machine = iter([{1: 90.0, 2: 30.0}, {1: 90.0, 2: 160.0}])  # a busy neighbour, then none
    monkeypatch.setattr(threads, "LOOK_FOR_MORE", 0.0)
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    monkeypatch.setattr(trainer, "ThreadChoice", partial(ThreadChoice, measure=lambda _, counts: next(machine)))
    before = torch.get_num_threads()
    stop = []
    try:
        made = []
        for event in trainer.train(settings, workspace=workspace, run="r", should_stop=lambda: bool(stop)):
            made.append(event)
            if isinstance(event, events.EpochEnded):
                stop.append(True)
        first, second = (event for event in made if isinstance(event, events.ThreadsChosen))
        assert (first.threads, first.exact_until) == (1, None)
        assert (second.threads, second.exact_until) == (2, 1 if transfer == "scratch" else 0)
        assert isinstance(made[-1], events.Stopped)
        again = list(trainer.train(settings, workspace=workspace, run="r", resume=True))
        (chosen,) = (event for event in again if isinstance(event, events.ThreadsChosen))
        assert (chosen.threads, chosen.exact_until) == (2, second.exact_until)
    finally:
        torch.set_num_threads(before)
