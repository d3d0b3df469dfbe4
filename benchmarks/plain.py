"""The loop that everyone writes, as the course has it: PIL transforms, DataLoader, one image at a time.

The yardstick of the benchmarks; nothing of the lab is used but the data's files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import datasets, models, transforms

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


class LeNet(nn.Module):
    def __init__(self, channels: int, padding: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = x.flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


def mnist(root: Path, *, seed: int = 1) -> tuple[Dataset, Dataset]:
    """(training part of 55,000, validation part of 5,000)."""
    form = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    whole = datasets.MNIST(str(root), train=True, download=True, transform=form)
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed)).tolist()
    return Subset(whole, order[5000:]), Subset(whole, order[:5000])


def folder(root: Path, *, form: Callable) -> Dataset:
    return datasets.ImageFolder(str(root), transform=form)


class Pictures(Dataset):
    """Images in memory, one PIL image at a time: what torchvision's CIFAR10 does."""

    def __init__(self, images, labels, form: Callable) -> None:
        self.images, self.labels, self.form = images, labels.tolist(), form

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return self.form(Image.fromarray(self.images[place])), self.labels[place]


def photo_transform(side: int, *, normalise=IMAGENET) -> Callable:
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(side),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(*normalise),
        ]
    )


def eval_transform(side: int, *, normalise=IMAGENET) -> Callable:
    return transforms.Compose(
        [
            transforms.Resize(round(side * 256 / 224)),
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            transforms.Normalize(*normalise),
        ]
    )


def colour_transform() -> Callable:
    return transforms.Compose([transforms.ToTensor(), transforms.Normalize(*HALF)])


def resnet18(classes: int, *, weights: Path | None = None) -> nn.Module:
    net = models.resnet18()
    if weights:
        state = torch.load(weights, weights_only=True)
        net.fc = nn.Linear(net.fc.in_features, state["fc.weight"].shape[0])
        net.load_state_dict(state)
    net.fc = nn.Linear(net.fc.in_features, classes)
    return net


def efficientnet_lite0(classes: int) -> nn.Module:
    """The lab's own, for torchvision has none: what is compared is how it learns."""
    from imgcls.models.pretrained import load_pretrained, resolve_weights
    from imgcls.workspace import Workspace

    path = resolve_weights("imagenet", model="efficientnet-lite0", folder=Workspace.from_environment().weight)
    return load_pretrained("efficientnet-lite0", path, channels=3, classes=classes, image_size=160)


def steps(
    net: nn.Module, optimizer: torch.optim.Optimizer, data: Dataset, *, batch_size: int, workers: int
) -> Iterator[int]:
    """Train for ever; yields the number of images after each step."""
    loader = DataLoader(data, batch_size=batch_size, shuffle=True, num_workers=workers)
    loss_of = nn.CrossEntropyLoss()
    device = next(net.parameters()).device
    net.train()
    while True:
        for inputs, labels in loader:
            inputs, labels = inputs.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = loss_of(net(inputs), labels)
            loss.backward()
            optimizer.step()
            loss.item()
            yield len(labels)


@torch.no_grad()
def accuracy(net: nn.Module, data: Dataset, *, workers: int) -> float:
    net.eval()
    right = count = 0
    for inputs, labels in DataLoader(data, batch_size=256, num_workers=workers):
        right += (net(inputs).argmax(1) == labels).sum().item()
        count += len(labels)
    net.train()
    return right / count


def rate(made: Iterator[int], seconds: float) -> float:
    """Images/s over about `seconds`, the first two steps (workers starting) not counted."""
    next(made), next(made)
    began, images = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        images += next(made)
    return images / (time.perf_counter() - began)
