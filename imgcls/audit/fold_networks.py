"""Out-of-sample probabilities of a large built-in set by small networks: one a fold, which learns from the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcls.audit.confident_learning import FOLDS, folds_of
from imgcls.models import build
from imgcls.optimizers import torch_optimizer
from imgcls.progress import Progress

ENOUGH_IMAGES = 10_000  # of fewer a linear head on pixels knows more than a network of so few steps
STEPS, BATCH = 1200, 128  # a LeNet then reads 98.9 % of MNIST's digits that it has not learnt from
EVALUATED = 128  # images at once: glibc gives the memory of 1,000 back after each
PEAK_RATE, MOMENTUM, DECAY = 0.1, 0.9, 5e-4  # as the recipe of LeNet on digits has them
REPORT_STEPS = 50
RISE = 0.25  # of the steps, in which the rate grows
SHIFT_PX = 2  # at most, to each side


def network_probabilities(
    images: Tensor, labels: Tensor, classes: int, *, folds: int = FOLDS, progress: Progress | None = None
) -> Tensor:
    """float (N, classes): each image's probabilities by a LeNet that learnt from the other folds, as many at a time
    as torch has threads, a thread each: on two cores that is faster than one with two.

    images: uint8 (N, C, H, W); labels: int64 (N,). progress: called with the images that this share of the work stands
    for, and their number; what it raises ends the work. An image whose class no other fold has cannot be judged: its
    row is NaN. The same every time: order and start come from the fold's number.
    """
    fold = folds_of(labels, None, folds)
    probabilities = torch.full((len(labels), classes), torch.nan)
    threads = torch.get_num_threads()
    steps = [0] * folds

    def stepped(number: int) -> None:
        steps[number] += 1
        if progress and steps[number] % REPORT_STEPS == 0:
            progress(len(labels) * sum(steps) // (folds * STEPS), len(labels))

    def learn(number: int) -> None:
        torch.set_num_threads(1)  # of this thread alone
        held = (fold == number).nonzero()[:, 0]
        others = (fold != number).nonzero()[:, 0]
        network = _trained(images, labels, others, classes, seed=number, stepped=lambda: stepped(number))
        answers = torch.cat([_answers(network, images[places]) for places in held.split(EVALUATED)])
        learnt = torch.bincount(labels[others], minlength=classes) > 0
        answers[~learnt[labels[held]]] = torch.nan
        probabilities[held] = answers

    try:
        with ThreadPoolExecutor(max(1, threads)) as pool:
            list(pool.map(learn, range(folds)))
    finally:
        torch.set_num_threads(threads)
    return probabilities


def _trained(
    images: Tensor, labels: Tensor, places: Tensor, classes: int, *, seed: int, stepped: Callable[[], None]
) -> nn.Module:
    """A LeNet that has learnt from the images at `places`. stepped: called after each step."""
    generator = torch.Generator().manual_seed(seed)
    network = _initial(images.shape[1], classes, images.shape[-1], generator)
    optimizer = torch_optimizer("SGD")(
        network.parameters(), lr=PEAK_RATE, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY
    )
    order = torch.cat([places[torch.randperm(len(places), generator=generator)] for _ in range(_epochs(len(places)))])
    for step, chosen in enumerate(order[: STEPS * BATCH].split(BATCH)):
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * _rate(step / STEPS)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(_shifted(_inputs(images[chosen]), generator)), labels[chosen]).backward()
        optimizer.step()
        stepped()
    return network.eval()


def _initial(channels: int, classes: int, side: int, generator: torch.Generator) -> nn.Module:
    """Its weights come from `generator` alone: networks that begin in several threads share torch's own."""
    network = build("lenet", channels=channels, classes=classes, image_size=side, init="default")
    for name, weight in network.named_parameters():
        if name.endswith("weight"):
            bound = math.sqrt(6 / weight[0].numel())
            with torch.no_grad():
                weight.uniform_(-bound, bound, generator=generator)
        else:
            nn.init.zeros_(weight)
    return network


def _epochs(images: int) -> int:
    return math.ceil(STEPS * BATCH / images)


def _rate(done: float) -> float:
    """One cycle: up in a straight line, down to 0 along half a cosine."""
    return done / RISE if done < RISE else (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))) / 2


def _inputs(images: Tensor) -> Tensor:
    return images.float().div_(127.5).sub_(1)


def _shifted(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """The whole batch by a few pixels: what flows in is the paper, whose value is -1."""
    down, right = torch.randint(-SHIFT_PX, SHIFT_PX + 1, (2,), generator=generator).tolist()
    side = inputs.shape[-1]
    padded = F.pad(inputs, (SHIFT_PX,) * 4, value=-1.0)
    return padded[..., SHIFT_PX + down : SHIFT_PX + down + side, SHIFT_PX + right : SHIFT_PX + right + side]


@torch.inference_mode()
def _answers(network: nn.Module, images: Tensor) -> Tensor:
    return network(_inputs(images)).softmax(dim=1)
