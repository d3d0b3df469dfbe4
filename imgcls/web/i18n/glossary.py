"""What the field's words mean, a sentence each, in the words of somebody who meets them for the first time.

A word is explained wherever the page shows it as a label: see `web/shared/glossary.js`.
"""

from __future__ import annotations

from imgcls.messages import N_
from imgcls.web.i18n.translator import Translator

LOSS = N_("How far the answers are from the right ones, as one number: the more confident a wrong answer, the larger.")
TRAINING = N_("On the images that the network learns from.")
VALIDATION = N_(
    "On images that the network never learns from: they show while it trains whether it understands or only memorises."
)
# {label: sentence}, the label as the page has it.
GLOSSARY = {
    N_("Loss"): LOSS,
    N_("Training loss"): LOSS,
    N_("Accuracy"): N_("How many of a hundred images are answered rightly."),
    N_("Training accuracy"): N_("How many of a hundred images that it learns from are answered rightly."),
    N_("Validation accuracy"): N_(
        "How many of a hundred images are answered rightly that were held out: the network never learns from them."
    ),
    N_("Test accuracy"): N_("The last exam: images that had no part in training, nor in choosing the best epoch."),
    N_("training"): TRAINING,
    N_("validation"): VALIDATION,
    N_("Epochs"): N_("One epoch is over when the network has seen every training image once."),
    N_("Learning rate"): N_(
        "How big a step the weights take after each batch: too small learns for ever, too large learns nothing."
    ),
    N_("Batch size"): N_("How many images the network looks at before it takes one step."),
    N_("Optimizer"): N_("The rule that turns the slope of the loss into a step of the weights."),
    N_("Transfer"): N_("Starting from a network that has learnt something else, instead of from nothing."),
    N_("Augmentation"): N_("Small random changes to each training image, so that none is seen twice in the same way."),
    N_("Initialisation"): N_("The random numbers that the weights begin with."),
    N_("Weight decay"): N_("Makes all weights a little smaller at each step, so that none grows too important."),
    N_("Held out for validation"): VALIDATION,
    N_("Calibration error"): N_(
        "How far confidence and truth lie apart: at 0, answers of 90% confidence are right nine times of ten."
    ),
    N_("Not sure"): N_("Images unlike everything that the network has learnt from: it says so instead of guessing."),
    N_("What gets mistaken for what"): N_(
        "A confusion matrix: a row for each true class, a column for each answer; mistakes lie off the diagonal."
    ),
    N_("Speed"): N_("How many images the network learns from in a second."),
}


def glossary(translate: Translator) -> dict[str, str]:
    return {translate(label): translate(sentence) for label, sentence in GLOSSARY.items()}
