"""What the Init lab in a page is given, in its language: words, initialisations and their rules. Knows no Gradio."""

from __future__ import annotations

from typing import Any

from imgcls.messages import N_
from imgcls.settings import choices
from imgcls.web.i18n.translator import Translator
from imgcls.web.init_lab.layer_lessons import RULES
from imgcls.web.train.page_options import default_settings, page_words

DATASET, IMAGES = "mnist", 5_000
SIDE = {
    "side_title": N_("Side by side, in this browser"),
    "side_about": N_("four networks learn at once, each layer live"),
    "side_inits": N_("First weights"),
    "side_most": N_("{most} at a time: take one away first."),
    "side_again": N_("From the start"),
    "side_diverged": N_("It diverged: the loss is no longer a number."),
    "side_sound": N_("The signal keeps its size from layer to layer."),
    "side_dies": N_("The signal dies out on its way."),
    "side_explodes": N_("The signal explodes on its way."),
    "side_still": N_("No gradient reaches the weights: nothing is learnt."),
    "layer": N_("layer"),
    "signal_head": N_("signal"),
    "gradient_head": N_("gradient"),
}


def side_options(translate: Translator, dataset: str = DATASET) -> dict[str, Any]:
    defaults = default_settings(dataset)
    return {
        "words": page_words(translate) | {name: translate(text) for name, text in SIDE.items()},
        "inits": [(name, translate.value(name), translate(RULES[name])) for name in choices("init") or ()],
        "activations": [(name, translate.setting("activation", name)) for name in choices("activation") or ()],
        "dataset": dataset,
        "images": IMAGES,
        "defaults": {**defaults, "batch_size": 64, "augment": "none"},
    }
