"""The learning rate at every step, against torch's own schedulers."""

import pytest
import torch

from imgcls.recipes import with_recipe
from imgcls.training.optim import lr_factor, make_optimizer

EPOCHS, EACH = 6, 10
TOTAL = EPOCHS * EACH
lr = torch.optim.lr_scheduler


def factors(**said):
    settings = with_recipe({"warmup_epochs": 0, "epochs": EPOCHS, **said})
    return [lr_factor(step, total=TOTAL, per_epoch=EACH, settings=settings) for step in range(TOTAL)]


def torchs(make, steps=TOTAL):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_constant():
    assert factors(schedule="constant") == [1.0] * TOTAL


def test_cosine():
    oracle = torchs(lambda optimizer: lr.CosineAnnealingLR(optimizer, T_max=TOTAL - 1))
    assert factors(schedule="cosine") == pytest.approx(oracle, abs=1e-6)


def test_step():
    oracle = torchs(lambda optimizer: lr.StepLR(optimizer, step_size=2 * EACH, gamma=0.3))
    assert factors(schedule="step", step_epochs=2, step_factor=0.3) == pytest.approx(oracle, rel=1e-6)


def test_one_cycle_has_torchs_shape():
    """Whose top lies a step earlier, because it counts the rise from the step before the first."""
    made = factors(schedule="one-cycle")
    oracle = torchs(lambda o: lr.OneCycleLR(o, max_lr=1.0, total_steps=TOTAL, final_div_factor=400), TOTAL - 1)
    assert made[:-1] == pytest.approx(oracle, abs=0.08)
    assert made[0] == pytest.approx(1 / 25) and made[-1] == pytest.approx(1e-4) and max(made) > 0.99


def test_warm_up_is_linear_and_ends_at_the_peak():
    made = factors(schedule="cosine", warmup_epochs=1)
    assert made[:EACH] == pytest.approx([(step + 1) / EACH for step in range(EACH)])
    oracle = torchs(lambda optimizer: lr.CosineAnnealingLR(optimizer, T_max=TOTAL - EACH - 1), TOTAL - EACH)
    assert made[EACH:] == pytest.approx(oracle, abs=1e-6)


@pytest.mark.parametrize("nesterov", [True, False])
def test_momenta_that_begin_at_0_take_torchs_own_first_steps(nesterov):
    settings = with_recipe({"optimizer": "sgd", "nesterov": nesterov})
    ours, torchs_own = (torch.nn.Parameter(torch.arange(12.0).view(3, 4) / 7) for _ in range(2))
    said = {"momentum": settings.momentum, "nesterov": nesterov, "weight_decay": settings.weight_decay, "fused": True}
    made = make_optimizer([{"params": [ours], "lr": settings.lr}], settings)
    plain = torch.optim.SGD([torchs_own], lr=settings.lr, **said)
    for step in range(3):
        for parameter, optimizer in ((ours, made), (torchs_own, plain)):
            parameter.grad = torch.sin(parameter.detach() + step)
            optimizer.step()
        assert torch.equal(ours, torchs_own)
