"""What is timed: rows of network, data and settings, each with the loop that everyone would write for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import plain
from imgcls.data.catalog import folder_of
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

PROJECT = Path(__file__).resolve().parent.parent
STAND_IN = "resnet18-cifar10-48px.pth"


@dataclass(frozen=True)
class Row:
    """`plain`: (workspace, settings) -> (network, data) as the course would write them; `longer`: factor on the
    seconds, where a step takes a third of one; `gpu`: of use there only; `normalise`: (mean, std) of the plain loop;
    `plain_epochs`: head only, how many of its epochs are timed."""

    key: str
    settings: dict[str, Any]
    plain: Callable[[Workspace, TrainSettings], tuple[torch.nn.Module, Any]]
    longer: float = 1.0
    gpu: bool = False
    normalise: tuple = plain.IMAGENET
    plain_epochs: int = 10


def _mnist(workspace: Workspace, settings: TrainSettings) -> tuple[torch.nn.Module, Any]:
    return plain.LeNet(1, 2), plain.mnist(PROJECT / "data")[0]


def _cifar(network: Callable[[], torch.nn.Module], form: Callable[[int], Callable]) -> Callable:
    def made(workspace: Workspace, settings: TrainSettings) -> tuple[torch.nn.Module, Any]:
        from imgcls.data.download import load_arrays

        images, labels = load_arrays("cifar10", workspace)["train"]
        return network(), plain.Pictures(images.permute(0, 2, 3, 1).numpy(), labels, form(settings.image_size))

    return made


def _flowers(network: Callable[[int, Workspace], torch.nn.Module], normalise: tuple = plain.IMAGENET) -> Callable:
    def made(workspace: Workspace, settings: TrainSettings) -> tuple[torch.nn.Module, Any]:
        folder = folder_of(settings.dataset, workspace)
        folder = folder / "train" if (folder / "train").is_dir() else folder
        data = plain.folder(folder, form=plain.photo_transform(settings.image_size, normalise=normalise))
        return network(len(data.classes), workspace), data

    return made


def _alexnet() -> torch.nn.Module:
    from torchvision import models

    return models.alexnet(num_classes=10)


def _resnet18(classes: int, workspace: Workspace) -> torch.nn.Module:
    return plain.resnet18(classes, weights=workspace.weight / STAND_IN)


FLOWERS = {"dataset": "flowers5", "augment": "resized-crop"}
RESNET_FLOWERS = {**FLOWERS, "model": "resnet18", "image_size": 64, "weights": STAND_IN, "batch_size": 32}
CIFAR = {"dataset": "cifar10", "augment": "resized-crop"}
RESNET_CIFAR = _cifar(lambda: plain.resnet18(10), plain.photo_transform)
ROWS = (
    Row("lenet-mnist", {"dataset": "mnist", "model": "lenet", "batch_size": 64}, _mnist),
    Row(
        "lenet-cifar10",
        {"dataset": "cifar10", "model": "lenet", "batch_size": 64, "augment": "none"},
        _cifar(lambda: plain.LeNet(3, 0), lambda _: plain.colour_transform()),
    ),
    Row(
        "alexnet-cifar10-64px",
        {**CIFAR, "model": "alexnet", "batch_size": 64, "image_size": 64},
        _cifar(_alexnet, plain.photo_transform),
        longer=4,
    ),
    Row(
        "resnet18-cifar10-64px",
        {**CIFAR, "model": "resnet18", "batch_size": 64, "image_size": 64},
        RESNET_CIFAR,
        longer=4,
    ),
    Row("resnet18-flowers-finetune-64px", {**RESNET_FLOWERS, "transfer": "finetune"}, _flowers(_resnet18), longer=4),
    Row("resnet18-flowers-head-64px", {**RESNET_FLOWERS, "transfer": "head", "epochs": 10}, _flowers(_resnet18)),
    Row(
        "lite0-flowers-head-160px",
        {**FLOWERS, "model": "efficientnet-lite0", "image_size": 160, "transfer": "head", "weights": "imagenet",
         "augment": "photo", "epochs": 10},
        _flowers(lambda classes, _: plain.efficientnet_lite0(classes), plain.HALF),
        normalise=plain.HALF,
        plain_epochs=1,
    ),
    Row("lenet-mnist-128", {"dataset": "mnist", "model": "lenet", "batch_size": 128}, _mnist, gpu=True),
    *(
        Row(
            f"resnet18-cifar10-{size}px-256{'-compiled' * compiled}",
            {**CIFAR, "augment": "crop-flip", "model": "resnet18", "batch_size": 256, "image_size": size,
             "compile": compiled},
            RESNET_CIFAR,
            gpu=True,
        )
        for size in (32, 128, 224)
        for compiled in (False, True)
    ),
)  # fmt: skip
