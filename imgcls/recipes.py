"""Sensible settings for each network on each kind of data, and how images are brought to the network.

A recipe fills whatever was not said; everything in it can be overridden. The kinds of data: "digits" (MNIST, pen
digits), "garments" (Fashion-MNIST), "tiny" (CIFAR-10: 32-pixel colour) and "photos" (a folder). Knows names only, no
files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imgcls.imaging.preprocess import HALF, IMAGENET_MEAN, IMAGENET_STD, Preprocess
from imgcls.settings import TrainSettings

KIND_OF = {
    "mnist": "digits",
    "pen-digits": "digits",
    "mnist+pen-digits": "digits",
    "fashion-mnist": "garments",
    "cifar10": "tiny",
}
STORED = {"digits": 28, "garments": 28, "tiny": 32}  # photos are stored at the network's own size
NATIVE = {"lenet": 32, "alexnet": 224, "resnet18": 224}

ADAMW = {"optimizer": "adamw", "weight_decay": 0.01, "init": "default"}
# TrainSettings' own defaults are lenet on digits; these are what differs.
RECIPES: dict[tuple[str, str], dict[str, Any]] = {
    ("lenet", "digits"): {"image_size": 28},
    ("lenet", "garments"): {"image_size": 28, "epochs": 10, "augment": "flip"},
    ("lenet", "tiny"): {"image_size": 32, "epochs": 15, "lr": 0.05, "augment": "crop-flip"},
    ("lenet", "photos"): {"image_size": 32, "epochs": 20, "batch_size": 32, "lr": 0.02, "augment": "crop-flip"},
    ("alexnet", "digits"): {**ADAMW, "image_size": 64, "epochs": 3, "batch_size": 64, "lr": 5e-4},
    ("alexnet", "garments"): {
        **ADAMW,
        "image_size": 64,
        "epochs": 5,
        "batch_size": 64,
        "lr": 5e-4,
        "augment": "flip",
    },
    ("alexnet", "tiny"): {
        **ADAMW,
        "image_size": 224,
        "epochs": 10,
        "batch_size": 64,
        "lr": 5e-4,
        "augment": "resized-crop",
        "init": "kaiming-normal",
    },
    ("alexnet", "photos"): {
        **ADAMW,
        "image_size": 224,
        "epochs": 20,
        "batch_size": 32,
        "lr": 3e-4,
        "augment": "resized-crop",
        "init": "kaiming-normal",
    },
    ("resnet18", "digits"): {**ADAMW, "image_size": 64, "epochs": 2, "batch_size": 64, "lr": 2e-3},
    ("resnet18", "garments"): {
        **ADAMW,
        "image_size": 64,
        "epochs": 4,
        "batch_size": 64,
        "lr": 2e-3,
        "augment": "flip",
    },
    ("resnet18", "tiny"): {
        **ADAMW,
        "image_size": 224,
        "epochs": 10,
        "batch_size": 64,
        "lr": 2e-3,
        "augment": "resized-crop",
    },
    ("resnet18", "photos"): {
        **ADAMW,
        "image_size": 224,
        "epochs": 15,
        "batch_size": 32,
        "lr": 1e-3,
        "augment": "resized-crop",
    },
}
# Where another optimizer than the recipe's is chosen, the recipe's learning rate means nothing.
USUAL: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.02, "weight_decay": 5e-4},
    "adam": {"lr": 1e-3, "weight_decay": 0.0},
    "adamw": {"lr": 1e-3, "weight_decay": 0.01},
}
TRANSFER: dict[str, dict[str, Any]] = {
    "scratch": {},
    "head": {**ADAMW, "epochs": 10, "lr": 3e-3},
    "finetune": {**ADAMW, "epochs": 5, "lr": 1e-3, "warmup_epochs": 0.5, "schedule": "cosine"},
}


def kind_of(dataset: str) -> str:
    return KIND_OF.get(dataset, "photos")


def recipe(model: str, dataset: str, transfer: str = "scratch", optimizer: str = "") -> dict[str, Any]:
    """The whole of the recipe: every setting whose value depends on network, data, transfer or optimizer."""
    kind = kind_of(dataset)
    values = dict(RECIPES.get((model, kind), {}))
    if kind == "photos":
        values["val_split"] = 0.2
    values |= TRANSFER.get(transfer, {})
    if optimizer and optimizer != values.get("optimizer", TrainSettings.model_fields["optimizer"].default):
        values |= {"optimizer": optimizer, **USUAL.get(optimizer, {})}
    return values


def with_recipe(given: Mapping[str, Any]) -> TrainSettings:
    """Settings from what was said, the rest from the recipe. Raises SettingsError."""
    fields = TrainSettings.model_fields
    named = [given.get(name, fields[name].default) for name in ("model", "dataset", "transfer")]
    named.append(given.get("optimizer", ""))
    plain = recipe(*named) if all(isinstance(n, str) for n in named) else {}
    if given.get("image_size") == 0:
        given = {k: v for k, v in given.items() if k != "image_size"}
    return TrainSettings.checked({**plain, **given})


def preprocess_for(settings: TrainSettings) -> Preprocess:
    """How images reach the network that `settings` describe."""
    kind = kind_of(settings.dataset)
    size = settings.image_size or recipe(settings.model, settings.dataset).get("image_size", NATIVE[settings.model])
    channels = 1 if kind in ("digits", "garments") else 3
    resnet = settings.model == "resnet18"
    plain = {"digits": "digit", "garments": "garment", "tiny": "square"}
    photos = {"lenet": "square", "alexnet": "stretch", "resnet18": "crop"}
    imagenet = channels == 3 and resnet
    return Preprocess(
        channels=channels,
        resize_mode=plain.get(kind) or photos[settings.model],
        storage_size=STORED.get(kind, size),
        size=size,
        upscale="crop" if resnet and kind == "tiny" else "whole",
        mean=IMAGENET_MEAN if imagenet else HALF * channels,
        std=IMAGENET_STD if imagenet else HALF * channels,
    )
