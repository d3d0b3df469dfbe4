"""An optimizer is one row: built, timed, resumed and labelled by what the row says."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from imgcls.cli.main import main
from imgcls.errors import SettingsError
from imgcls.optimizers import OPTIMIZERS, OptimizerSpec, register
from imgcls.recipes import recipe, with_recipe
from imgcls.settings import choices
from imgcls.training.estimate import training_bytes
from imgcls.training.optim import make_optimizer
from imgcls.web.i18n.translator import Translator


def made(name, **said):
    torch.manual_seed(0)
    model = nn.Linear(40, 30, bias=False)
    settings = with_recipe({"optimizer": name, **said})
    return model, make_optimizer([{"params": list(model.parameters()), "lr": settings.lr}], settings)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_the_row_says_how_many_copies_it_keeps(name):
    model, optimizer = made(name)
    for _ in range(2):
        model(torch.ones(3, 40)).sum().backward()
        optimizer.step()
    state = optimizer.state[model.weight]
    copies = sum(value.numel() for value in state.values() if torch.is_tensor(value)) // model.weight.numel()
    assert copies == OPTIMIZERS[name].state_copies


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_step_is_torchs_own(name):
    kind = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "nadam": "NAdam", "rmsprop": "RMSprop"}.get(
        name, "Adadelta"
    )
    model, optimizer = made(name, lr=0.01, weight_decay=0.1)
    torch.manual_seed(0)
    plain = nn.Linear(40, 30, bias=False)
    options = {"momentum": 0.9, "nesterov": True} if name == "sgd" else {}
    theirs = getattr(torch.optim, kind)(plain.parameters(), lr=0.01, weight_decay=0.1, foreach=False, **options)
    inputs = torch.randn(8, 40, generator=torch.Generator().manual_seed(1))
    for _ in range(5):
        for net, step in ((model, optimizer), (plain, theirs)):
            step.zero_grad()
            net(inputs).square().mean().backward()
            step.step()
    torch.testing.assert_close(model.weight, plain.weight)


def test_where_another_one_is_chosen_its_own_rates_are_taken():
    for name, spec in OPTIMIZERS.items():
        values = recipe("resnet18", "mnist", optimizer=name)
        if name != "adamw":  # the recipe's own
            assert (values["lr"], values["weight_decay"]) == (spec.lr, spec.weight_decay)


def test_ten_lines_add_one(workspace):
    assert "lion" not in (choices("optimizer") or ())
    with pytest.raises(SettingsError, match="optimizer is lion, but must be one of sgd, adam"):
        with_recipe({"optimizer": "lion"})
    adagrad = OptimizerSpec(
        name="adagrad",
        title="Adagrad",
        build=lambda groups, wanted: torch.optim.Adagrad(groups, lr=wanted.lr, weight_decay=wanted.weight_decay),
        state_copies=1,
        lr=0.01,
    )
    try:
        register(adagrad)
        said = [
            "--optimizer",
            "adagrad",
            "--train-images",
            "200",
            "--epochs",
            "1",
            "--val-split",
            "50",
            "--device",
            "cpu",
        ]
        assert main(["train", *said, "--threads", "1", "--name", "ada"]) == 0
        assert "adagrad" in (choices("optimizer") or ()) and Translator("zh").value("adagrad") == "Adagrad"
        plain = training_bytes(with_recipe({"optimizer": "sgd"}))
        assert training_bytes(with_recipe({"optimizer": "adagrad"})) == plain
        for wrong in (replace(adagrad, name="a,b"), replace(adagrad, name="sgd")):
            with pytest.raises(SettingsError, match="cannot be used"):
                register(wrong)
    finally:
        OPTIMIZERS.pop("adagrad", None)


def test_the_browser_offers_what_its_engine_has_and_no_other_row():
    from imgcls.web.train.page_options import form_choices

    offered = [value for value, _ in form_choices(Translator("en"))["optimizer"]]
    assert offered == ["sgd", "adam", "adamw"]
