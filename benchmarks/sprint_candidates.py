"""What could make one epoch of LeNet on MNIST end higher or sooner: each candidate alone, against the Sprint recipe.

    python -m benchmarks.sprint_candidates [--seeds 5] [--only NAME ...]

base:          --preset sprint, with the trainer's own step, batches and learning rates
batchnorm:     BatchNorm after the second convolution
whitening:     the first convolution's filters are the whitened principal components of 5,000 digits' patches, frozen
average:       the mean of the weights over the last fifth of the steps (running statistics: none)
growing:       batches of 128 for the first half of the images, of 512 after it
fewer:         48,000 of the 55,000 images

Accuracy on the 5,000 validation images, and seconds of the loop alone, with the threads that torch takes.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcls.data.datasets import DataSet
from imgcls.data.loader import Batches
from imgcls.recipes import with_recipe
from imgcls.training.device import choose_device
from imgcls.training.learner import Learner, make_learner
from imgcls.training.loading import load_run_data
from imgcls.training.optim import lr_factor, make_optimizer, set_lr
from imgcls.workspace import Workspace

NAMES = ("base", "batchnorm", "whitening", "average", "growing", "fewer")
LARGE = 512


def measured(name: str, seed: int, data: DataSet, workspace: Workspace) -> tuple[float, float]:
    """(accuracy, seconds)."""
    settings = with_recipe({"preset": "sprint", "seed": seed, "device": "cpu"})
    learner = make_learner(settings, data, workspace, choose_device(settings))
    _change(name, learner)
    steps, kept, done = _steps(name, learner), [], 0
    seen = learner.batches.images if name != "fewer" else 48_000
    learner.begin_epoch(0)
    began = time.perf_counter()
    for batches, first, last in steps:
        for number, (inputs, labels) in enumerate(batches.epoch(0, first), first):
            if number >= last or done >= seen:
                break
            factor = lr_factor(int(done / seen * 1000), total=1000, per_epoch=1000, settings=settings)
            set_lr(learner.optimizer, factor)
            learner.step(inputs, labels)
            done += len(labels)
            if name == "average" and done > 0.8 * seen:
                kept.append([p.detach().clone() for p in learner.model.parameters()])
    seconds = time.perf_counter() - began
    if kept:
        with torch.no_grad():
            for place, parameter in enumerate(learner.model.parameters()):
                parameter.copy_(torch.stack([one[place] for one in kept]).mean(0))
    return learner.validate()[0], seconds


def _steps(name: str, learner: Learner) -> list[tuple[Batches, int, int]]:
    """(batches, from step, to step), one after the other."""
    small = learner.batches
    if name != "growing":
        return [(small, 0, small.steps)]
    large = Batches(
        small.split,
        small.preprocess,
        batch_size=LARGE,
        augment="none",
        seed=small.seed,
        device=small.device,
    )
    half = large.steps // 2
    return [(small, 0, half * LARGE // small.batch_size), (large, half, large.steps)]


def _change(name: str, learner: Learner) -> None:
    model, settings = learner.model, learner.settings
    if name == "batchnorm":
        model.conv2 = nn.Sequential(model.conv2, nn.BatchNorm2d(16)).to(memory_format=torch.channels_last)
    elif name == "whitening":
        with torch.no_grad():
            model.conv1.weight.copy_(_principal(learner))
            model.conv1.bias.zero_()
        model.conv1.requires_grad_(False)
    learns = [p for p in model.parameters() if p.requires_grad]
    learner.step.optimizer = make_optimizer([{"params": learns, "lr": settings.lr}], settings)


def _principal(learner: Learner) -> Tensor:
    """(6, 1, 5, 5): the patches' first principal components, each scaled to unit variance of its answers."""
    inputs = learner.data.preprocess.to_input(learner.data.train.images[:5000])
    patches = F.unfold(inputs, 5).transpose(1, 2).reshape(-1, 25)[::7]
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    top = vectors[:, -6:] / (values[-6:] + 1e-2).sqrt()
    return top.T.reshape(6, 1, 5, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    arguments = parser.parse_args()
    workspace = Workspace.from_environment()
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in arguments.only}
    for seed in range(1, arguments.seeds + 1):
        data = load_run_data(with_recipe({"preset": "sprint", "seed": seed}), workspace)
        for name in arguments.only:
            rows[name].append(measured(name, seed, data, workspace))
    print("| candidate | accuracy, median | lowest to highest | at 98 % | seconds, median |")
    print("| --- " * 5 + "|")
    for name, made in rows.items():
        accuracies, seconds = [a for a, _ in made], [s for _, s in made]
        print(
            f"| {name} | {statistics.median(accuracies):.2%} | {min(accuracies):.2%} to {max(accuracies):.2%} | "
            f"{sum(a >= 0.98 for a in accuracies)} of {len(made)} | {statistics.median(seconds):.1f} |"
        )


if __name__ == "__main__":
    main()
