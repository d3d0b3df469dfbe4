"""What the panel that trains in a page is given, in its language: words, choices, defaults.

Knows no Gradio: a page without a server has the same panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imgcls.data.registry import kind_of
from imgcls.messages import N_
from imgcls.recipes import with_recipe
from imgcls.settings import choices
from imgcls.web.engine.dataset_file import MODEL, SIZES, USUAL_IMAGES
from imgcls.web.i18n.script_sentences import SENTENCES, in_language
from imgcls.web.i18n.translator import Translator

AUGMENTS = ("none", "pen", "flip", "crop-flip")
OPTIMIZERS = ("sgd", "adam", "adamw")  # that the engine has
SCHEDULES = ("one-cycle", "cosine", "constant")
FIELDS = ("lr", "momentum", "batch_size", "epochs", "optimizer", "schedule", "augment", "init", "weight_decay", "seed")
NETWORK = ("activation", "pool")  # what else a LeNet may have
# Epochs for a first look: 98 % of MNIST in seconds.
EPOCHS = {5_000: 8, USUAL_IMAGES: 3, 0: 1}
# A batch of 128 makes too few steps of 5,000 images, and they are learnt by heart: 96.7 % of MNIST instead of 97.7. Of
# 20,000 with a rate of 0.1, one of 20 seeds diverges (its units die) and one ends below 98 %; with these none of 24.
FEW_DIGITS = {
    5_000: {"batch_size": 32, "lr": 0.05, "augment": "pen"},
    USUAL_IMAGES: {"batch_size": 64, "lr": 0.05},
}
LATER = {5_000: 12, USUAL_IMAGES: 5, 0: 3}  # other images take longer to learn

TRAINING = {
    "in_browser": N_("In this browser"),
    "on_server": N_("On the server"),
    "on_computer": N_("On this computer"),
    "place": N_("Where to train"),
    "set_images": N_("Learn from"),
    "images_some": N_("{count} images"),
    "images_all": N_("All images"),
    "settings": N_("Settings"),
    "run": N_("Run"),
    "more_settings": N_("More settings"),
    "start": N_("Start"),
    "pause": N_("Pause"),
    "go_on": N_("Go on"),
    "again": N_("Start again"),
    "wait": N_("One moment …"),
    "one_step": N_("One step"),
    "one_epoch": N_("One epoch"),
    "new_run": N_("New run"),
    "accuracy": N_("Accuracy"),
    "epoch_now": N_("Epoch"),
    "rate": N_("Images a second"),
    "seconds": N_("Time"),
    "seconds_value": N_("{seconds} s"),
    "curve": N_("Accuracy over the epochs"),
    "curve_learnt": N_("on what it learns from"),
    "curve_held": N_("on images it has never seen"),
    "epochs_axis": N_("epochs"),
    "go_back": N_("Back through the epochs"),
    "now": N_("now"),
    "network_now": N_("The network as it is now"),
    "kernels_size": N_("{count} kernels, {side} × {side}"),
    "signal": N_("signal {value}"),
    "gradient": N_("gradient {value}"),
    "start_from": N_("Learn on from"),
    "from_nothing": N_("a fresh network"),
    "draw_title": N_("Draw while it learns"),
    "draw_more": N_("The answer is that of the network as it is at this moment."),
    "draw_first": N_("Press Start, then draw"),
    "this_network": N_("This network"),
    "fetching": N_("Fetching the images: once, then they stay in this browser."),
    "restored": N_("Your run is still here: it was kept in this browser."),
    "not_kept": N_("This browser keeps nothing for this page: the run is lost when you close or reload it."),
    "diverged": N_(
        "Training diverged: the loss is no longer a number. The learning rate {lr} is too high: choose a smaller one."
    ),
    "failed": N_("It did not work: {reason}"),
    "no_lab": N_("The lab does not answer: is it still open? Try again."),
    "no_engine": N_("This browser cannot train: it is too old. Update it, or train on the server."),
    "keep": N_("Keep in the lab"),
    "kept_as": N_("Kept as {name}: choose it on Classify. The lab measures and calibrates it now."),
    "name": N_("Name"),
    "name_hint": N_("name (or none)"),
    "download": N_("Download"),
    "board_title": N_("Class board"),
    "board_more": N_("what everybody who wanted to has sent"),
    "board_send": N_("Send to the class board"),
    "board_sent": N_("Sent: your nickname, the accuracy, the time and the settings. Nothing else."),
    "board_axis": N_("training time"),
    "board_hint": N_("Point at somebody's run to see its settings."),
    "board_empty": N_("Nobody has sent anything yet: train in this browser, then send it."),
    "board_clear": N_("Clear the board"),
    "board_sure": N_("Clear the board for everybody?"),
    "board_hide": N_("Hide this one"),
    "board_show": N_("Show this one again"),
}


def page_words(translate: Translator) -> dict[str, str]:
    labels = {f"set_{name}": translate.setting(name) for name in (*FIELDS, *NETWORK, "dataset")}
    return in_language(SENTENCES | TRAINING, translate) | labels | {"set_network": translate.setting("model")}


def form_choices(translate: Translator) -> dict[str, list[tuple[str, str]]]:
    """What the panel's fields offer beside numbers: {field: [(value, label)]}."""

    def labelled(name: str, values: Sequence[str]) -> list[tuple[str, str]]:
        return [(value, translate.setting(name, value)) for value in values]

    networks = [("lenet", "LeNet 6/16"), ("lenet-16-32", "LeNet 16/32")]
    return {
        "network": networks,
        **{name: labelled(name, choices(name) or ()) for name in NETWORK},
        "optimizer": labelled("optimizer", OPTIMIZERS),
        "schedule": labelled("schedule", SCHEDULES),
        "augment": labelled("augment", AUGMENTS),
        "init": labelled("init", choices("init") or ()),
    }


def default_settings(dataset: str) -> dict[str, Any]:
    """The recipe's values that the engine knows, with epochs that suit how many images there are."""
    said = with_recipe({"dataset": dataset, "model": MODEL, "transfer": "scratch"})
    names = (*FIELDS, *NETWORK, "nesterov", "label_smoothing", "warmup_epochs", "step_epochs", "step_factor")
    values = {name: getattr(said, name) for name in names}
    if values["augment"] not in AUGMENTS:
        values["augment"] = "none"
    digits = kind_of(dataset) == "digits"
    few = FEW_DIGITS if digits else {}
    by_images = {
        str(images): {"epochs": count} | few.get(images, {}) for images, count in (EPOCHS if digits else LATER).items()
    }
    return values | {"widths": [6, 16], "by_images": by_images}


def size_choices(translate: Translator, sizes: Sequence[int] = SIZES) -> list[tuple[int, str]]:
    """[(images, title)], the usual number first."""
    named = [
        (n, translate(TRAINING["images_some"], count=f"{n:,}") if n else translate(TRAINING["images_all"]))
        for n in sizes
    ]
    return [*(size for size in named if size[0] == USUAL_IMAGES), *(size for size in named if size[0] != USUAL_IMAGES)]
