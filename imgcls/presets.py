"""Three forms of every recipe: Sprint for a first look, Standard, and Thorough for the best that it can do: longer, or
another recipe where one was measured.

A preset changes what the recipe says, and nothing that was given by hand. Knows names and numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EPOCHS = {"sprint": 0.2, "standard": 1, "thorough": 4}  # as a factor of the recipe's
# A head's time is that of looking once at every view, not that of its epochs.
HEAD: dict[str, dict[str, Any]] = {
    "sprint": {"augment": "none", "augment_views": 1},
    "standard": {},
    "thorough": {"augment_views": 8},
}
# What was tried and measured; everything else goes by the factors above.
TUNED: dict[tuple[str, str, str], dict[str, Any]] = {
    ("sprint", "lenet", "digits"): {"epochs": 1},
    ("thorough", "lenet", "digits"): {"epochs": 120, "augment": "pen"},
    # 128 pixels: what the network's first layers shrink by 4 is then as large as CIFAR-10's images are.
    ("thorough", "resnet18", "tiny"): {
        "optimizer": "sgd",
        "lr": 0.1,
        "weight_decay": 5e-4,
        "batch_size": 256,
        "epochs": 30,
        "image_size": 128,
        "augment": "crop-flip",
        "label_smoothing": 0.1,
    },
}

# Validation accuracy by (preset, network, data set), as docs/speed.md and docs/scaling.md say: medians of ten seeds, of
# five, and one run on a GPU.
MEASURED: dict[tuple[str, str, str], float] = {
    ("sprint", "lenet", "mnist"): 0.984,
    ("thorough", "lenet", "mnist"): 0.9948,
    ("thorough", "resnet18", "cifar10"): 0.932,
}


def with_preset(values: Mapping[str, Any], preset: str, *, model: str, kind: str, transfer: str) -> dict[str, Any]:
    """A recipe's `values` as the preset has them. `model`: its name, of which "lenet-16-32" counts as "lenet"; `kind`:
    of the data."""
    if transfer == "head":
        # Mirrored or not, a photo has no more than two views.
        more = preset == "thorough" and kind == "photos" and values.get("augment") == "flip"
        return {**values, **HEAD[preset], **({"augment": "resized-crop"} if more else {})}
    tuned = TUNED.get((preset, model.split("-")[0], kind), {}) if transfer == "scratch" else {}
    return {**values, "epochs": max(1, round(values["epochs"] * EPOCHS[preset])), **tuned}
