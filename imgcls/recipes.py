"""Sensible settings for each network on each kind of data, and how images are brought to the network.

A recipe fills whatever was not said; everything in it can be overridden. The kinds of data are those of
`data/registry.py`: "digits" (MNIST, pen digits), "characters" (KMNIST, letters), "garments" (Fashion-MNIST), "tiny"
(CIFAR-10, SVHN: 32-pixel colour) and "photos" (a folder). Reads no data; of files only that of the chosen weights,
which may say what size of images it learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imgcls.augmentations import NONE
from imgcls.data.registry import DATASETS, IMAGE_KINDS, kind_of
from imgcls.imaging.preprocess import HALF, Preprocess
from imgcls.models.registry import model_spec
from imgcls.models.weight_header import size_of_weights
from imgcls.optimizers import OPTIMIZERS
from imgcls.presets import with_preset
from imgcls.settings import TrainSettings

PHOTO_NETWORK = "efficientnet-lite0-joined"
# Others see photos at the size that their weights learnt from.
PHOTO_SIZES = {"lenet": 32, "lenet-16-32": 32, "efficientnet-lite0": 160}

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


@dataclass(frozen=True)
class Family:
    """Networks that are trained alike. names: what theirs begin with; like: whose RECIPES they begin from; scratch,
    finetune, head: what differs from those, and from TRANSFER."""

    names: tuple[str, ...]
    like: str
    scratch: Mapping[str, Any] = field(default_factory=dict)
    finetune: Mapping[str, Any] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)


# Rates are for AdamW at batches of 32 to 64; where the source has one for a batch of 1,024, the square root of the
# ratio of the sizes brings it here. Residual networks with BatchNorm take ten times a transformer's rate.
TRANSFORMER = {"lr": 2e-4, "weight_decay": 0.05, "schedule": "cosine", "warmup_epochs": 0.5, "label_smoothing": 0.1}
RESNETS = Family((), "resnet18")
FAMILIES = (
    Family(("lenet",), "lenet"),
    Family(("alexnet",), "alexnet"),
    # No BatchNorm: a tenth of the residual networks' rate. Source: torchvision, references/classification, "AlexNet and
    # VGG", which also draws VGG as AlexNet is drawn here (He's normal, fan_out; linear layers N(0, 0.01)).
    Family(("vgg", "squeezenet"), "alexnet", {"lr": 2e-4, "init": "kaiming-normal"}),
    # Layers between two ReLUs are narrow, and depthwise ones have 9 weights: little decay. Sources: torchvision,
    # references/classification (MobileNetV2 4e-5, V3 1e-5, EfficientNet 2e-5 for SGD and RMSprop); Tan & Le 2019.
    Family(("mobilenet", "mnasnet", "shufflenet", "efficientnet_b"), "resnet18", {"weight_decay": 1e-3}),
    # Its head's features are of one length, and it has few of them to learn from: plain SGD in small batches, which
    # ends nearer to the shortest solution than AdamW: 10 photos a class .80 for .78. Mirrored views gain as much as
    # cropped ones here, and cost half of them.
    Family(
        ("efficientnet-lite0-joined",),
        "resnet18",
        head={
            "optimizer": "sgd",
            "lr": 0.005,
            "weight_decay": 0.03,
            "batch_size": 8,
            "epochs": 30,
            "augment": "flip",
            "augment_views": 2,
        },
    ),
    Family(("efficientnet_v2",), "resnet18", {"weight_decay": 1e-3, "label_smoothing": 0.1}),
    # Sources: torchvision, references/classification (AdamW, 1e-3 at 1,024 images, decay 0.05, cosine, warm-up, label
    # smoothing 0.1); Liu et al. 2022, tables 5 and 6: fine-tuned at 5e-5 with next to no decay.
    Family(("convnext",), "resnet18", TRANSFORMER, {"lr": 5e-4, "weight_decay": 1e-4, "label_smoothing": 0.1}),
    # Sources: Liu et al. 2021, appendix A2: fine-tuned at 1e-5 to 5e-5; torchvision as above.
    Family(("swin", "maxvit"), "resnet18", TRANSFORMER, {"lr": 5e-4, "weight_decay": 1e-4, "label_smoothing": 0.1}),
    # Sources: Touvron et al. 2021, table 9 (5e-4 at 512 images, decay 0.05); torchvision (decay 0.3, warm-up).
    Family(("vit",), "resnet18", {**TRANSFORMER, "lr": 1e-4}, {"lr": 3e-4, "weight_decay": 1e-4}),
)
# Instead of a recipe's, where a mirrored image is no longer one of its class; a digit cut in half is none, either.
UNMIRRORED = {"flip": "none", "crop-flip": "shift", "resized-crop": "shift"}
TRANSFER: dict[str, dict[str, Any]] = {
    "scratch": {},
    "head": {**ADAMW, "weights": "imagenet", "epochs": 10, "lr": 3e-3},
    "finetune": {**ADAMW, "weights": "imagenet", "epochs": 5, "lr": 1e-3, "warmup_epochs": 0.5, "schedule": "cosine"},
}


def family_of(model: str) -> Family:
    return next((family for family in FAMILIES if model.startswith(family.names)), RESNETS)


def usual_network(dataset: str) -> str:
    """The network that data of this kind begin with."""
    return PHOTO_NETWORK if kind_of(dataset) == "photos" else TrainSettings.model_fields["model"].default


def usual_transfer(model: str, dataset: str) -> str:
    """Photos are few: there the pre-trained networks that ship learn their head only."""
    return "head" if model.startswith("efficientnet-lite0") and kind_of(dataset) == "photos" else "scratch"


def recipe(
    model: str, dataset: str, transfer: str = "scratch", optimizer: str = "", preset: str = "standard"
) -> dict[str, Any]:
    """The whole of the recipe: every setting whose value depends on network, data, transfer, optimizer or preset.

    Raises SettingsError where there is no such network.
    """
    kind, spec = kind_of(dataset), model_spec(model)
    family = family_of(model)
    values = dict(RECIPES[family.like, "garments" if kind == "characters" else kind])  # both grey, of 28 pixels
    values |= family.scratch if transfer == "scratch" else {}
    if kind == "photos":
        values |= {"val_split": 0.2, "balance": "auto", "image_size": PHOTO_SIZES.get(model, spec.default_size)}
    values["image_size"] = spec.fitting_size(values["image_size"])
    values |= TRANSFER.get(transfer, {})
    values |= {"finetune": family.finetune, "head": family.head}.get(transfer, {})
    values.setdefault("epochs", TrainSettings.model_fields["epochs"].default)
    values = with_preset(values, preset, model=model, kind=kind, transfer=transfer)
    if dataset in DATASETS and not DATASETS[dataset].mirrors:
        values["augment"] = UNMIRRORED.get(values.get("augment", NONE), values.get("augment", NONE))
    if optimizer and optimizer != values.get("optimizer", TrainSettings.model_fields["optimizer"].default):
        values |= {"optimizer": optimizer}
        if usual := OPTIMIZERS.get(optimizer):  # the recipe's learning rate means nothing to another optimizer
            values |= {"lr": usual.lr, "weight_decay": usual.weight_decay}
    return values


def with_recipe(given: Mapping[str, Any]) -> TrainSettings:
    """Settings from what was said, the rest from the recipe. Raises SettingsError."""
    given = {k: v for k, v in given.items() if k != "image_size" or v not in (0, "0")}
    named = {name: given.get(name, TrainSettings.model_fields[name].default) for name in ("model", "dataset")}
    if not all(isinstance(value, str) for value in named.values()):
        return TrainSettings.checked(given)
    if "model" not in given:
        named["model"] = usual_network(named["dataset"])
    transfer = given.get("transfer", usual_transfer(**named))
    preset = TrainSettings.checked({"preset": given["preset"]}).preset if "preset" in given else "standard"
    plain = recipe(**named, transfer=str(transfer), optimizer=str(given.get("optimizer", "")), preset=preset)
    plain |= for_weights(named["model"], given.get("weights", ""))
    return TrainSettings.checked({**plain, **named, "transfer": transfer, **given})


def for_weights(model: str, weights: object) -> dict[str, Any]:
    """What the chosen weights change in a recipe: images of the size that they learnt from."""
    size = size_of_weights(weights)
    return {"image_size": model_spec(model).fitting_size(size)} if size else {}


def needed(settings: TrainSettings) -> dict[str, Any]:
    """The least that has to be said: `with_recipe` makes the same settings of it, but for the name."""
    said: dict[str, Any] = {"dataset": settings.dataset, "model": settings.model}
    for name in ("preset", "transfer", "optimizer", "weights"):  # what the recipe's other values hang on
        if getattr(settings, name) != getattr(with_recipe(said), name):
            said[name] = getattr(settings, name)
    usual = with_recipe(said)
    names = (name for name in TrainSettings.model_fields if name != "name")
    return said | {name: getattr(settings, name) for name in names if getattr(settings, name) != getattr(usual, name)}


def preprocess_for(settings: TrainSettings) -> Preprocess:
    """How images reach the network that `settings` describe."""
    spec, kind = model_spec(settings.model), IMAGE_KINDS.get(kind_of(settings.dataset))
    size = settings.image_size or recipe(settings.model, settings.dataset)["image_size"]
    channels = kind.channels if kind else 3
    return Preprocess(
        channels=channels,
        resize_mode=kind.resize_mode if kind else spec.resize_mode,
        storage_size=DATASETS[settings.dataset].storage_side if kind else size,
        size=size,
        upscale=spec.upscale if kind and channels == 3 else "whole",
        interpolation=spec.interpolation,
        crop=spec.crop,
        mean=spec.mean if channels == 3 else HALF,
        std=spec.std if channels == 3 else HALF,
    )
