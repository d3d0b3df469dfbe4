"""Unequal classes: each counts the same in the loss, or is shown equally often; it is said before the first step."""

import pytest
import torch
from photos import flowers, photo
from torch import nn

from imgcls.data.balance import class_weights, equally_often, notes, way
from imgcls.data.loader import Batches
from imgcls.data.splitting import Split
from imgcls.imaging.preprocess import Preprocess
from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.device import DeviceContext
from imgcls.training.estimate import estimate
from imgcls.training.train_step import TrainStep
from imgcls.training.trainer import train

CPU = torch.device("cpu")
LABELS = torch.tensor([0] * 30 + [1] * 3 + [3] * 7)  # nothing of class 2
FORM = Preprocess(channels=1, resize_mode="digit", storage_size=28, size=28, mean=(0.5,), std=(0.5,))


@pytest.fixture
def garden(workspace):
    """Twelve daisies, two roses."""
    root = flowers(workspace.data / "garden", each=12, classes=("daisy",))
    (root / "rose").mkdir()
    for i in range(3):
        photo("rose", 500 + i).save(root / "rose" / f"{i:02d}.jpg")
    return workspace


def test_shown_equally_often_whatever_their_size():
    chosen = equally_often(LABELS, torch.Generator().manual_seed(1))
    assert LABELS[chosen].bincount().tolist() == [14, 13, 0, 13]
    assert set(chosen[LABELS[chosen] == 1].tolist()) == {30, 31, 32}  # all of the rare ones, several times
    common = chosen[LABELS[chosen] == 0]
    assert len(common.unique()) == 14
    other = equally_often(LABELS, torch.Generator().manual_seed(2))
    assert set(common.tolist()) != set(other[LABELS[other] == 0].tolist())
    assert torch.equal(chosen, equally_often(LABELS, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("world", [1, 2])
def test_an_epoch_by_class_is_taken_up_in_its_middle_and_shared_out(world):
    images = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1).expand(40, 1, 28, 28).contiguous()

    def made(rank, world):
        split = Split(images, LABELS)
        return Batches(
            split, FORM, batch_size=8, augment="none", seed=3, device=CPU, rank=rank, world=world, sampled=True
        )

    whole = list(made(0, 1).epoch(4))
    assert torch.cat([labels for _, labels in whole]).bincount().tolist() == [14, 13, 0, 13]
    for rank in range(world):
        for (x, y), (some, labels) in zip(whole[2:], made(rank, world).epoch(4, 2), strict=True):
            assert torch.equal(x[rank::world], some) and torch.equal(y[rank::world], labels)


def test_every_class_counts_the_same_in_the_loss():
    weights = class_weights(LABELS, 4)
    assert weights[2] == 0
    counted = (weights * LABELS.bincount(minlength=4)).tolist()
    assert counted == pytest.approx([40 / 3, 40 / 3, 0, 40 / 3], rel=1e-5)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_weighted_step_is_the_formulas_in_one_part_or_several(parts):
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(9, 5, generator=generator), torch.randint(3, (9,), generator=generator)
    weights = torch.tensor([0.5, 2.0, 1.0])
    torch.manual_seed(1)
    model = nn.Linear(5, 3)
    wanted = (nn.functional.cross_entropy(model(inputs), labels, reduction="none") * weights[labels]).mean()
    gradient = torch.autograd.grad(wanted, model.weight)[0]
    before = model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    step = TrainStep(model, optimizer, DeviceContext(CPU), class_weights=weights, parts=parts)
    plain = nn.functional.cross_entropy(model(inputs), labels).item()
    step(inputs, labels)
    torch.testing.assert_close(before - model.weight, gradient)
    loss, _, images = step.seen.take(step.context)
    assert loss / images == pytest.approx(plain, rel=1e-5)  # what is shown compares with the validation's


def test_the_recipe_for_photos_decides_by_how_unequal_they_are():
    assert with_recipe({"dataset": "flowers"}).balance == "auto" and with_recipe({}).balance == "none"
    assert [way("auto", torch.tensor([0] * n + [1] * 2)) for n in (2, 6, 7)] == ["none", "none", "weights"]
    assert way("none", LABELS) == "none" and notes("none", LABELS, "abcd") == ()
    said = str(notes("sampling", LABELS, ("ash", "beech", "cedar", "elm"))[0])
    assert "30 images of ash, 3 of beech" in said and "balance: sampling" in said


def test_it_is_said_in_the_plan_and_before_the_first_step(garden):
    said = {"dataset": "garden", "model": "lenet", "epochs": 1, "device": "cpu", "threads": 1}
    wanted = "images of daisy, 2 of rose: mistakes on rare ones count for more (balance: weights)"
    planned = estimate(with_recipe(said), garden, timed=False).notes
    assert any(wanted in str(note) for note in planned)
    made = list(train(with_recipe(said), workspace=garden, run="one"))
    first = next(i for i, event in enumerate(made) if isinstance(event, events.Progress))
    assert any(isinstance(event, events.Note) and wanted in str(event.message) for event in made[:first])
    planned = estimate(with_recipe({**said, "balance": "none"}), garden, timed=False).notes
    assert not any("unequal" in str(note) for note in planned)
