"""A loss that is no longer a number ends the run at once and says why; what was good stays. A run trains longer."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from imgcls.cli.main import main
from imgcls.errors import DivergedError, RunError, SettingsError
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run, prepare_resume
from imgcls.runs.reader import EventLogReader, view
from imgcls.runs.worker import work
from imgcls.training import events
from imgcls.training.device import DeviceContext, choose_device
from imgcls.training.divergence import NotFiniteLossError, diverged
from imgcls.training.estimate import time_step
from imgcls.training.learner import make_learner
from imgcls.training.loading import load_run_data
from imgcls.training.train_step import TrainStep
from imgcls.web.i18n.translator import Translator
from imgcls.web.train.run_card import card

SMALL = {
    "dataset": "few-digits",
    "train_images": 600,
    "val_split": 200,
    "epochs": 2,
    "batch_size": 32,
    "threads": 1,
    "device": "cpu",
}


pytestmark = pytest.mark.usefixtures("few_digits")


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))


def why(network_, inputs, *, loss=float("nan"), step=7, first_loss=0.7, **settings):
    made = with_recipe({"init": "default", **settings})
    return str(diverged(network_, inputs, loss, step=step, settings=made, first_loss=first_loss, classes=2))


def test_step_layer_and_probable_cause_are_named():
    inputs = torch.ones(2, 4)
    broken = network()
    with torch.no_grad():
        broken[3].weight[0, 0] = torch.nan
    said = why(broken, inputs, lr=0.5)
    assert "at step 7: the loss is NaN, first in 3." in said and "lr 0.5 is too high: try 0.05" in said
    large = network()
    with torch.no_grad():
        large[1].weight.fill_(3e38)
    assert "the loss is infinite, first in 1." in why(large, inputs, loss=float("inf"))
    assert "init (too-large) drew weights" in why(large, inputs, step=1, init="too-large")
    assert "init (too-large) drew weights" in why(large, inputs, first_loss=1e9, init="too-large")
    assert "lr" in why(large, inputs, step=1, transfer="head", weights="imagenet", model="resnet18")
    assert "look at the data" in why(network(), torch.full((2, 4), torch.nan))


def test_a_step_whose_loss_is_no_number_changes_nothing():
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    step = TrainStep(model, torch.optim.SGD(model.parameters(), lr=1.0), DeviceContext(torch.device("cpu"), None))
    with pytest.raises(NotFiniteLossError):
        step(torch.full((2, 4), torch.inf), torch.tensor([0, 1]))
    assert all((now == then).all() for now, then in zip(model.parameters(), before, strict=True))


def test_the_first_loss_is_the_plain_one_however_the_classes_are_weighted():
    """What it is compared with is that of guessing."""
    model, (inputs, labels) = network(), (torch.randn(6, 4), torch.tensor([0, 1] * 3))
    plain = nn.functional.cross_entropy(model(inputs), labels).item()
    step = TrainStep(model, torch.optim.SGD(model.parameters(), lr=0.1), DeviceContext(torch.device("cpu"), None),
                     label_smoothing=0.2, class_weights=torch.tensor([0.1, 500.0]))  # fmt: skip
    step(inputs, labels)
    assert step.first_loss == pytest.approx(plain)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_what_is_only_timed_diverges_for_nobody(workspace, optimizer):
    """Neither the choice of threads nor an estimate takes the run's warm-up: their loss is no sign of anything."""
    settings = with_recipe({**SMALL, "model": "lenet", "lr": 100.0, "optimizer": optimizer, "threads": 0})
    learner = make_learner(settings, load_run_data(settings, workspace), workspace, choose_device(settings))
    step = learner.throw_away_step(8)
    for _ in range(30):
        step()


def test_a_network_of_ones_own_that_gives_no_numbers_can_be_timed(monkeypatch):
    monkeypatch.setattr("imgcls.training.estimate.build", lambda *_, **__: Broken())
    assert time_step(with_recipe({**SMALL, "model": "lenet"}))


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.all = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
        self.all(torch.zeros(2, 1, 28, 28))

    def forward(self, images):
        return self.all(images) * torch.nan


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"lr": 100.0}, "Probably lr 100 is too high: try 10"), ({"init": "too-large"}, "init (too-large) drew weights")],
)
def test_a_loss_that_is_a_number_but_far_above_guessing_is_told_once(workspace, settings, said):
    run = create_run(with_recipe({**SMALL, "model": "lenet", "epochs": 2, **settings}), workspace)
    work(run)
    seen = view(run)
    notes = [str(e.message) for e in seen.log if isinstance(e, events.Note) and e.code == "wild_loss"]
    assert len(notes) == 1 and said in notes[0]
    assert "nothing is learnt" in card(seen, Translator("en"))


def test_the_last_good_weights_stay(workspace):
    run = create_run(with_recipe({**SMALL, "epochs": 3, "keep_epochs": False}), workspace)
    seen = []

    def poison(event):
        if isinstance(event, events.Started):
            seen.append(event.model)
        if isinstance(event, events.Progress) and event.epoch > 1:
            with torch.no_grad():
                next(seen[0].parameters())[:] = torch.nan  # as a far too large step would

    last = work(run, loggers=[poison])
    assert isinstance(last, events.Failed) and last.error == "DivergedError"
    said = str(last.message)
    assert "the loss is NaN, first in conv1." in said and "saved before is kept" in said
    assert [epoch.epoch for epoch in view(run).epochs] == [1]
    for kind in ("best", "last", "resume"):
        path = run.checkpoints / f"{kind}.safetensors"
        if path.exists():
            assert all(torch.isfinite(t).all() for t in load_file(path).values() if t.is_floating_point())
    assert run.best.exists()


# Longer.


def test_a_finished_run_trains_longer_and_says_what_becomes_of_the_learning_rate(workspace, capsys):
    run = create_run(with_recipe({**SMALL, "epochs": 1, "name": "r"}), workspace)
    work(run)
    with pytest.raises(RunError, match="nothing to go on"):
        prepare_resume(run)
    with pytest.raises(SettingsError, match="but r has trained 1 epochs already"):
        prepare_resume(run, epochs=1)
    assert main(["resume", "r", "--epochs", "x"]) == 2 and "whole number" in capsys.readouterr().err
    assert main(["resume", "r", "--epochs", "3"]) == 0
    said = capsys.readouterr()
    assert "1 epochs become 3: from step 19 on the learning rate is that of one-cycle over 3 epochs" in said.out
    seen = view(run)
    assert seen.state == "finished" and [epoch.epoch for epoch in seen.epochs] == [1, 2, 3]
    assert run.settings().epochs == 3 and not run.can_resume and run.can_train_longer
    assert seen.exact_until == 19


def test_whoever_watches_a_run_sees_that_it_is_told_to_train_longer(workspace):
    """A page reads on where it was; it does not begin anew."""
    run = create_run(with_recipe({**SMALL, "epochs": 1, "name": "r"}), workspace)
    reader = EventLogReader(run)
    work(run)
    assert reader.read().settings.epochs == 1
    prepare_resume(run, epochs=3)
    assert reader.read().settings.epochs == 3 and not reader.read().finishing


def test_with_a_constant_rate_longer_is_the_same_as_long_from_the_start(workspace):
    plain = {**SMALL, "schedule": "constant", "lr": 0.01, "keep_epochs": False}
    short = create_run(with_recipe({**plain, "epochs": 1, "name": "short"}), workspace)
    work(short)
    prepare_resume(short, epochs=2)
    work(short, resume=True)
    whole = create_run(with_recipe({**plain, "epochs": 2, "name": "whole"}), workspace)
    work(whole)
    one, other = (load_file(run.checkpoints / "last.safetensors") for run in (short, whole))
    assert all((one[name] == other[name]).all() for name in one)


def test_the_library_raises_the_error_itself():
    assert issubclass(DivergedError, RunError)
