"""One optimizer step in half precision: what would underflow to 0 reaches the weights, and going on keeps the scale."""

import pytest
import torch
from torch import nn

from imgcls.optimizers import OPTIMIZERS
from imgcls.recipes import with_recipe
from imgcls.training.device import DeviceContext
from imgcls.training.optim import make_optimizer, set_lr
from imgcls.training.resume_state import load_resume_state, save_resume_state
from imgcls.training.train_state import TrainState
from imgcls.training.train_step import TrainStep
from imgcls.training.weight_average import WeightAverage


def made(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        model[1].weight.mul_(1e-7)  # the gradient of the first layer is then smaller than fp16 can hold
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return model, TrainStep(model, optimizer, DeviceContext(torch.device("cpu"), dtype))


def moved(dtype):
    """How far one step moves the first layer."""
    model, step = made(dtype)
    before = model[0].weight.detach().clone()
    step(torch.ones(8, 4), torch.zeros(8, dtype=torch.int64))
    return float((model[0].weight.detach() - before).abs().max())


def test_small_gradients_do_not_underflow_in_fp16():
    exact = moved(None)
    assert exact > 0 and 0.3 < moved(torch.float16) / exact < 3


def test_the_scale_goes_on_where_it_was(tmp_path):
    model, step = made(torch.float16)
    step(torch.full((8, 4), torch.inf), torch.zeros(8, dtype=torch.int64))  # no numbers: the scale is halved
    scale = step.scaler.get_scale()
    assert scale == made(torch.float16)[1].scaler.get_scale() / 2
    path = tmp_path / "resume.safetensors"
    save_resume_state(path, model=model, step=step, random_states={}, state=TrainState())
    other, again = made(torch.float16)
    load_resume_state(path, model=other, step=again, rank=0)
    assert again.scaler.get_scale() == scale


DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]  # on a GPU steps are played back
IMAGES = (8, 8, 8, 8, 5, 8, 8, 5, 8)  # of each batch
RATES = (1.0, 0.9, 0.5, 1.0, 0.7, 0.1, 0.3, 0.2, 0.6)


def learner(device, optimizer):
    torch.manual_seed(1)
    layers = nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4)
    model = nn.Sequential(*layers).to(device)
    settings = with_recipe({"optimizer": optimizer, "lr": 0.05})
    made = make_optimizer([{"params": list(model.parameters()), "lr": settings.lr}], settings)
    torch.manual_seed(2)
    return model, made


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("device", DEVICES)
def test_many_steps_are_what_a_plain_loop_does(device, optimizer):
    """Batches of two sizes, a learning rate that changes, dropout and BatchNorm."""
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(count, 16, generator=generator).to(device) for count in IMAGES]
    labels = [torch.randint(4, (count,), generator=generator).to(device) for count in IMAGES]

    model, ours = learner(device, optimizer)
    step = TrainStep(model, ours, DeviceContext(torch.device(device)))
    for given, wanted, rate in zip(inputs, labels, RATES, strict=True):
        set_lr(ours, rate)
        step(given, wanted)
    loss, correct, images = step.seen.take(step.context)

    plain, theirs = learner(device, optimizer)
    losses, right = 0.0, 0
    for given, wanted, rate in zip(inputs, labels, RATES, strict=True):
        set_lr(theirs, rate)
        theirs.zero_grad()
        logits = plain(given)
        one = nn.functional.cross_entropy(logits, wanted)
        one.backward()
        theirs.step()
        losses += one.item() * len(wanted)
        right += int((logits.argmax(1) == wanted).sum())
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), plain.state_dict().values(), strict=True))
    assert (correct, images) == (right, sum(IMAGES)) and loss == pytest.approx(losses, rel=1e-5)
    assert step.seen.take(step.context)[2] == 0


class Waits(nn.Linear):
    """Looks at a number in the middle of a step: a GPU is waited for, so that the step cannot be recorded."""

    def forward(self, inputs):
        return super().forward(inputs) * (1.0 if inputs.sum().item() else 2.0)


@pytest.mark.parametrize("device", DEVICES)
def test_a_step_that_cannot_be_recorded_learns_all_the_same(device):
    def network():
        torch.manual_seed(3)
        return Waits(16, 4).to(device)

    inputs = torch.randn(6, 8, 16, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.arange(8, device=device) % 4
    model, plain = network(), network()
    step = TrainStep(model, torch.optim.SGD(model.parameters(), lr=0.1), DeviceContext(torch.device(device)))
    theirs = torch.optim.SGD(plain.parameters(), lr=0.1)
    for batch in inputs:
        step(batch, labels)
        theirs.zero_grad()
        nn.functional.cross_entropy(plain(batch), labels).backward()
        theirs.step()
    assert torch.equal(model.weight, plain.weight)
    assert step.seen.take(step.context)[2] == 48


def small(**options):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    return model, TrainStep(model, optimizer, DeviceContext(torch.device("cpu")), **options)


def batches(*sizes):
    generator = torch.Generator().manual_seed(0)
    for count in sizes:
        yield torch.randn(count, 16, generator=generator), torch.randint(4, (count,), generator=generator)


def test_gradients_are_cut_to_their_largest_norm():
    ((inputs, labels),) = batches(8)
    free, step = small()
    before = [parameter.detach().clone() for parameter in free.parameters()]
    step(inputs, labels)
    moved = [b - p.detach() for b, p in zip(before, free.parameters(), strict=True)]
    norm = torch.cat([m.flatten() for m in moved]).norm() / 0.5
    for most in (norm / 3, norm * 3):
        model, step = small(clip_norm=float(most))
        step(inputs, labels)
        share = min(1.0, float(most / norm))
        for b, p, m in zip(before, model.parameters(), moved, strict=True):
            torch.testing.assert_close(b - p.detach(), m * share, rtol=1e-4, atol=1e-6)


def test_the_average_is_the_formulas_and_the_network_is_untouched_by_it():
    model, step = small()
    for inputs, labels in batches(8, 8, 8):
        step(inputs, labels)
    averaged, other = small()
    other.average = WeightAverage(averaged, 0.3)
    wanted = {name: tensor.clone() for name, tensor in averaged.state_dict().items()}
    for number, (inputs, labels) in enumerate(batches(8, 8, 8), 1):
        other(inputs, labels)
        decay = min(0.3, (1 + number) / (10 + number))
        for name, tensor in averaged.state_dict().items():
            wanted[name] = decay * wanted[name] + (1 - decay) * tensor if tensor.is_floating_point() else tensor.clone()
    for name, tensor in other.average.module.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name])
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), averaged.state_dict().values(), strict=True)
    )


def test_what_does_not_learn_is_not_averaged():
    model, _ = small()
    model[0].requires_grad_(False)
    average = WeightAverage(model, 0.9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    average.update()
    frozen, learnt = average.module[0].weight, average.module[2].weight
    assert not torch.equal(learnt, model[2].weight) and torch.equal(frozen + 1, model[0].weight)


@pytest.mark.parametrize("images", [8, 10, 7])
def test_no_part_of_a_batch_is_a_single_image(images):
    """BatchNorm has nothing to normalise by there."""
    model, step = small(parts=4, fewest=2)
    seen = []
    model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    step(*next(batches(images)))
    assert min(seen) >= 2 and sum(seen) == images
