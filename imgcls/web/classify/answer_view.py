"""An answer: the likeliest class, bars for the rest, and the picture that the network really saw."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from markupsafe import Markup
from PIL import Image

from imgcls.inference.classify import Classification
from imgcls.web.i18n.script_sentences import SENTENCES
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render

MAX_BARS = 10  # bars
BESIDE = 3  # of each of several answers
NAMED = 12  # classes; of more than these the first few
CLOSE = 0.25  # probability of the second class from which on it is named beside the first


def answer(
    reading: Classification, translate: Translator, *, keep_order: tuple[str, ...] | None = None, knows: str = ""
) -> Markup:
    """`keep_order`: all classes in their own order instead of the likeliest first; bars then stay where they are.
    Of several digits each has one bar. `knows`: what the network can answer at all."""
    first, several = reading.parts[0], len(reading.parts) > 1
    chances = dict(first.top)
    if several:
        rows = [(digit.label, digit.confidence, True) for digit in reading.parts]
    elif keep_order:
        rows = [(name, chances.get(name, 0.0), name == first.label) for name in keep_order]
    else:
        rows = [(name, share, name == first.label) for name, share in first.top[:MAX_BARS]]
    height, width = first.model_input.shape[:2]
    return render(
        "answer",
        translate,
        label=reading.label,
        confidence=percent(reading.confidence),
        unsure=not reading.sure,
        note=remark(reading, translate),
        knows=knows,
        rows=[(name, share, percent(share), best) for name, share, best in rows],
        pictures=[data_url(digit.model_input) for digit in reading.parts],
        width=width,
        height=height,
        pixels=pixels(width, height, first.model_input.ndim == 2, translate),
    )


def compared(reading: Classification, title: str, facts: str, translate: Translator) -> Markup:
    """One of several checkpoints' answers to the same picture."""
    first = reading.parts[0]
    several = len(reading.parts) > 1
    rows = [(p.label, p.confidence, True) for p in reading.parts] if several else [
        (name, share, name == first.label) for name, share in first.top[:BESIDE]
    ]  # fmt: skip
    height, width = first.model_input.shape[:2]
    return render(
        "compared",
        translate,
        title=title,
        label=reading.label,
        note=doubt(reading, translate),
        rows=[(name, share, percent(share), best) for name, share, best in rows],
        pictures=[data_url(digit.model_input) for digit in reading.parts],
        pixels=pixels(width, height, first.model_input.ndim == 2, translate),
        facts=facts,
    )


def doubt(reading: Classification, translate: Translator) -> str:
    """Why an answer does not count, for a line of its own; '' where it does."""
    return translate("Not sure: {reason}", reason=remark(reading, translate)) if reading.doubt else ""


def remark(reading: Classification, translate: Translator) -> str:
    """One sentence below the answer: why it does not count, or which class is nearly as likely; '' otherwise."""
    if reading.doubt is not None:
        share = percent(reading.confidence)
        return translate(SENTENCES[f"doubt_{reading.doubt}"], share=share, label=reading.label)
    close = reading.top[1:2] if len(reading.parts) == 1 else ()
    if close and close[0][1] >= CLOSE:
        return translate(SENTENCES["close"], first=reading.label, second=close[0][0])
    return ""


def are_digits(classes: Sequence[str]) -> bool:
    """Whether the bars say by themselves what the network knows."""
    return "".join(classes) == "0123456789"


def knowledge(checkpoint: str, classes: Sequence[str], translate: Translator) -> str:
    """What a network can answer at all: it has to choose one of these whatever it is shown."""
    if are_digits(classes):
        text, named = SENTENCES["knows_digits"], ""
    else:
        text, comma = SENTENCES["knows_some" if len(classes) > NAMED else "knows"], SENTENCES["listed"]
        named = translate(comma).join(classes[:NAMED])
    return translate(text, checkpoint=checkpoint, count=f"{len(classes):,}", classes=named)


def empty(title: str, more: str, translate: Translator) -> Markup:
    return render("no_answer", translate, problem=None, title=title, more=more)


def problem(sentence: str, translate: Translator) -> Markup:
    return render("no_answer", translate, problem=sentence)


def pixels(width: int, height: int, grey: bool, translate: Translator) -> str:
    if grey:
        return translate("{width} × {height} pixels, grey", width=width, height=height)
    return translate("{width} × {height} pixels, colour", width=width, height=height)


def data_url(picture: np.ndarray) -> str:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def percent(share: float) -> str:
    if share >= 0.9995 or share < 0.0005:
        return ">99.9%" if share > 0.5 else "<0.1%"
    return f"{share:.1%}"
