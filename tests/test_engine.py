"""The engine that learns in the browser, the very files that the page loads, against PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from imgcls.data import pen_augmentation
from imgcls.models.init import INITS
from imgcls.models.lenet import ACTIVATIONS, LeNet
from imgcls.settings import TrainSettings
from imgcls.training.optim import make_optimizer
from imgcls.web.engine import build
from tests.engine import BUILDS, WASM, call

POOLS = ("max", "avg")
BATCH, BATCHES = 37, 3  # 37: the last vector is not full
SHAPES = [
    {"channels": channels, "side": side, "classes": classes, "widths": widths, "activation": activation, "pool": pool}
    for (channels, side, classes, widths), activation, pool in itertools.product(
        [(1, 28, 10, [6, 16]), (3, 32, 7, [16, 32])], ACTIVATIONS, POOLS
    )
]


def network(shape: dict) -> LeNet:
    torch.manual_seed(3)
    return LeNet(
        shape["channels"],
        shape["classes"],
        image_size=shape["side"],
        init="kaiming-uniform" if shape["activation"] == "relu" else "xavier-uniform",
        widths=tuple(shape["widths"]),
        activation=shape["activation"],
        pool=shape["pool"],
    )


def images_of(shape: dict, count: int = BATCH * BATCHES) -> tuple[torch.Tensor, torch.Tensor]:
    """Images on which the network has no close call: where two numbers under a pool are equal but for their rounding,
    or one that ReLU sees is 0 but for it, the gradient of one image goes another way."""
    generator = torch.Generator().manual_seed(5)
    noise = torch.rand(4 * count, shape["channels"], 12, 12, generator=generator)
    blots = F.interpolate(noise, (shape["side"],) * 2, mode="bicubic").mul(230).add(20).clamp(0, 255).to(torch.uint8)
    clear = blots[~close_call(network(shape), shape, blots)][:count]
    assert len(clear) == count
    return clear, torch.randint(shape["classes"], (count,), generator=generator)


def close_call(net: LeNet, shape: dict, images: torch.Tensor) -> torch.Tensor:
    close = torch.zeros(len(images), dtype=torch.bool)
    x = images.float() / 127.5 - 1
    with torch.no_grad():
        for convolution in (net.conv1, net.conv2):
            raw = convolution(x)
            if net.pool == "avg":
                least = raw.abs().flatten(1).amin(1)
            else:
                first, second = F.unfold(raw.flatten(0, 1)[:, None], 2, stride=2).topk(2, dim=1).values.unbind(1)
                least = torch.minimum(first - second, first.abs()).view(len(images), -1).amin(1)
            close |= least < 2e-6 * raw.std()
            x = net._pooled(raw)
    return close


def flat(tensors) -> np.ndarray:
    return np.concatenate([t.detach().numpy().astype(np.float32).ravel() for t in tensors])


def given(images: torch.Tensor, labels: torch.Tensor, net: LeNet, **settings) -> list[list]:
    return [
        ["give", images.numpy(), labels.numpy().astype(np.uint8), len(images)],
        ["put", "weights", flat(net.parameters())],
        ["use", {"augment": "none", **settings}],
    ]


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """Of the longest tensor's length: how far from the reference."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def by_tensor(net: LeNet, numbers: np.ndarray) -> list[np.ndarray]:
    return np.split(numbers, np.cumsum([p.numel() for p in net.parameters()])[:-1])


@pytest.mark.parametrize("build_name", BUILDS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s['side']}px-{s['activation']}-{s['pool']}")
def test_loss_and_gradients_are_those_of_torch(shape: dict, build_name: str) -> None:
    net = network(shape)
    images, labels = images_of(shape)
    calls = given(images, labels, net)
    for batch in range(BATCHES):
        calls += [["gradients", batch * BATCH, BATCH], ["numbers", "gradients"]]
    answers = call(build_name, shape, calls)[3:]
    for batch in range(BATCHES):
        part = slice(batch * BATCH, (batch + 1) * BATCH)
        loss = F.cross_entropy(net(images[part].float() / 127.5 - 1), labels[part])
        expected = torch.autograd.grad(loss, list(net.parameters()))
        assert answers[2 * batch] == pytest.approx(loss.item(), rel=1e-4)
        for name, ours, theirs in zip(
            dict(net.named_parameters()), by_tensor(net, answers[2 * batch + 1]), expected, strict=True
        ):
            assert distance(ours, theirs.numpy().ravel()) < 1e-4, name


OPTIMIZERS = [
    {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4},
    {"optimizer": "sgd", "lr": 0.05, "momentum": 0.5, "nesterov": False, "weight_decay": 0.0, "label_smoothing": 0.1},
    {"optimizer": "sgd", "lr": 0.05, "momentum": 0.0, "nesterov": False, "weight_decay": 0.01},
    {"optimizer": "adam", "lr": 1e-3, "weight_decay": 0.01},
    {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.1},
]


@pytest.mark.parametrize("build_name", BUILDS)
@pytest.mark.parametrize("values", OPTIMIZERS, ids=lambda v: f"{v['optimizer']}-{v.get('momentum', '')}")
def test_twenty_steps_end_where_those_of_torch_end(values: dict, build_name: str) -> None:
    shape = SHAPES[0]
    settings = TrainSettings.checked(values)
    net = network(shape)
    images, labels = images_of(shape)
    steps = [((step % BATCHES) * BATCH, BATCH) for step in range(20)]
    options = settings.model_dump(include={"optimizer", "momentum", "nesterov", "weight_decay", "label_smoothing"})
    calls = [*given(images, labels, net, **options), *(["step", *step, settings.lr] for step in steps)]
    *losses, ours = call(build_name, shape, [*calls, ["numbers", "weights"]])[3:]
    optimizer = make_optimizer([{"params": list(net.parameters()), "lr": settings.lr}], settings)
    for (start, count), found in zip(steps, losses, strict=True):
        part = slice(start, start + count)
        scores = net(images[part].float() / 127.5 - 1)
        loss = F.cross_entropy(scores, labels[part], label_smoothing=settings.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert found["loss"] == pytest.approx(F.cross_entropy(scores, labels[part]).item(), rel=1e-3)
        first, second = scores.topk(2).values.unbind(1)
        correct = int((scores.argmax(1) == labels[part]).sum())
        assert abs(found["correct"] - correct) <= int((first - second < 0.01).sum())  # either may be ahead
    assert distance(ours, flat(net.parameters())) < 1e-3


@pytest.mark.parametrize("build_name", BUILDS)
def test_a_seed_decides_every_bit_and_a_state_goes_on_from_there(build_name: str) -> None:
    shape = SHAPES[0]
    images, labels = images_of(shape)
    begin = [
        ["give", images.numpy(), labels.numpy().astype(np.uint8), 100],
        ["use", {"augment": "pen", "optimizer": "adam", "weight_decay": 5e-4}],
        ["initialise", "kaiming-uniform", 7],
    ]

    def steps(first: int, last: int) -> list[list]:
        calls = [["shuffle", 7, 0]]
        for step in range(first, last):
            calls += [["beginStep", 7, 0, step], ["step", step * 20, 20, 1e-3]]
        return calls

    whole = call(build_name, shape, [*begin, *steps(0, 5), ["numbers", "weights"]])[-1]
    again = call(build_name, shape, [*begin, *steps(0, 5), ["numbers", "weights"]])[-1]
    half = [["numbers", kind] for kind in ("weights", "first", "second")]
    weights, first, second = call(build_name, shape, [*begin, *steps(0, 2), *half])[-3:]
    put = [["put", "weights", weights], ["put", "first", first], ["put", "second", second]]
    resumed = call(build_name, shape, [*begin, *put, ["countSteps", 2], *steps(2, 5), ["numbers", "weights"]])[-1]
    assert np.array_equal(whole, again)
    assert np.array_equal(whole, resumed)


def test_an_order_holds_every_training_image_once_and_depends_on_seed_and_epoch() -> None:
    shape = SHAPES[0]
    images, labels = images_of(shape)
    begin = ["give", images.numpy(), labels.numpy().astype(np.uint8), 100]
    orders = [
        call("lenet-simd", shape, [begin, ["shuffle", *which], ["order"]])[-1].tolist()
        for which in ((1, 0), (1, 1), (2, 0))
    ]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len(set(map(tuple, orders))) == 3


def test_accuracy_is_that_of_torch() -> None:
    shape = SHAPES[0]
    net = network(shape)
    images, labels = images_of(shape)
    evaluated, predicted = call(
        "lenet-simd", shape, [*given(images, labels, net), ["evaluate", 5, 70], ["predicted", 5, 70]]
    )[3:]
    with torch.no_grad():
        scores = net(images[5:75].float() / 127.5 - 1)
    assert evaluated["loss"] == pytest.approx(F.cross_entropy(scores, labels[5:75]).item(), rel=1e-5)
    assert predicted.tolist() == scores.argmax(1).tolist()
    assert evaluated["correct"] == int((scores.argmax(1) == labels[5:75]).sum())


@pytest.mark.parametrize("init", INITS)
def test_weights_are_drawn_as_the_labs(init: str) -> None:
    """Spread and kind of every layer's weights and biases; a uniform draw ends at its bound."""
    shape = SHAPES[-1]
    ours = call("lenet-simd", shape, [["initialise", init, 11], ["numbers", "weights"]])[-1]
    torch.manual_seed(1)
    net = LeNet(3, 7, image_size=32, widths=(16, 32))
    net.apply(INITS[init])
    for (name, expected), found in zip(net.named_parameters(), by_tensor(net, ours), strict=True):
        theirs = expected.detach().numpy().ravel()
        if len(theirs) > 500:
            assert found.std() == pytest.approx(theirs.std(), rel=0.1), name
            assert abs(found.mean()) <= 5 * theirs.std() / len(theirs) ** 0.5, name
            assert np.abs(found).max() == pytest.approx(np.abs(theirs).max(), rel=0.5), name
            if "uniform" in init:
                assert np.abs(found).max() <= np.abs(theirs).max() * 1.02, name
        else:
            assert bool(found.any()) == bool(theirs.any()), name


def test_the_pen_bends_as_the_labs() -> None:
    shape = SHAPES[0]
    images, labels = images_of(shape, 8)
    drawn = torch.Generator().manual_seed(4)
    expected = pen_augmentation.pen(images.float() / 255, generator=drawn) * 255
    generator = torch.Generator().manual_seed(4)

    def between(n: int, low: float, high: float) -> torch.Tensor:
        return torch.rand(n, generator=generator).mul_(high - low).add_(low)

    p, n = pen_augmentation, len(images)
    angle, slant = between(n, -p.TURN, p.TURN), between(n, -p.SLANT, p.SLANT)
    scale, aspect = between(n, *p.SCALE), between(n, 1 - p.ASPECT, 1 + p.ASPECT)
    shift = between(2 * n, -p.SHIFT, p.SHIFT).view(2, n)
    knots = torch.rand(n, 2, p.KNOTS, p.KNOTS, generator=generator).mul_(2 * p.BEND).sub_(p.BEND)
    amount = between(n, -1, 1)
    factors = torch.cat([torch.stack([angle, slant, scale, aspect, *shift, amount], 1), knots.flatten(1)], 1)
    give = ["give", images.numpy(), labels.numpy().astype(np.uint8), n]
    answers = call("lenet-simd", shape, [give, *(["pen", i, factors[i].numpy()] for i in range(n))])[1:]
    for found, theirs in zip(answers, expected, strict=True):
        assert np.abs(found - theirs.numpy().ravel()).max() < 0.1  # of 255


@pytest.mark.parametrize("augment", ["pen", "flip", "crop-flip"])
def test_augmented_steps_learn_from_changed_images(augment: str) -> None:
    shape = SHAPES[0]
    images, labels = images_of(shape)
    net = network(shape)
    plain = call("lenet-simd", shape, [*given(images, labels, net), ["step", 0, 37, 0.1]])[-1]
    changed = call("lenet-simd", shape, [*given(images, labels, net, augment=augment), ["step", 0, 37, 0.1]])[-1]
    assert changed["loss"] != plain["loss"]


def test_statistics_are_those_of_the_init_lab() -> None:
    """The same figures as training/layer_statistics.py, which the lab's own way reads with hooks."""
    from imgcls.training.layer_statistics import _figures

    shape = SHAPES[0]
    net = network(shape)
    images, labels = images_of(shape, 48)
    answers = call(
        "lenet-simd", shape, [*given(images, labels, net), ["watch", True], ["step", 0, 48, 0.1], ["statistics"]]
    )
    layers = {"conv1": net.conv1, "conv2": net.conv2, "fc1": net.fc1, "fc2": net.fc2, "fc3": net.fc3}
    seen: dict[str, dict] = {}
    for name, module in layers.items():
        module.register_forward_hook(
            lambda _, inputs, output, name=name: seen.update({name: _figures(output.detach(), inputs[0].detach())})
        )
    F.cross_entropy(net(images.float() / 127.5 - 1), labels).backward()
    for found in answers[-1]:
        expected, weight = seen[found["layer"]], layers[found["layer"]].weight
        for name in ("mean", "std", "given"):
            assert found[name] == pytest.approx(expected[name], rel=1e-3, abs=1e-6)
        assert found["gradient"] == pytest.approx(weight.grad.norm().item(), rel=1e-3)
        if found["dead"] is not None:
            assert found["dead"] == pytest.approx(expected["dead"], abs=1e-6)
        assert (
            np.abs(np.subtract(found["histogram"], expected["histogram"])).sum() <= 0.002 * sum(found["histogram"]) + 2
        )
        assert 0 < found["update"] < 1


def test_a_network_that_diverged_says_so_in_its_loss() -> None:
    shape = SHAPES[0]
    images, labels = images_of(shape)
    calls = given(images, labels, network(shape))
    losses = [answer["loss"] for answer in call("lenet-simd", shape, [*calls, *[["step", 0, 37, 1e4]] * 6])[3:]]
    assert losses[-1] is None  # JSON has no NaN


@pytest.mark.parametrize("name", build.FLAGS)
def test_the_files_that_ship_are_built_from_the_source(name: str, tmp_path) -> None:
    assert build.compiled(name, tmp_path) == (WASM / f"{name}.wasm").read_bytes()


def test_both_builds_are_small() -> None:
    assert sum((WASM / f"{name}.wasm").stat().st_size for name in BUILDS) <= 100_000
