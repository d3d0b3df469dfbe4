"""An answer: the likeliest class, bars for the rest, and the picture that the network really saw."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from markupsafe import Markup
from PIL import Image

from imgcls.inference.predictor import Prediction
from imgcls.web.i18n.translator import Translator
from imgcls.web.views.render import render

SHOWN = 10  # bars


def answer(prediction: Prediction, words: Translator, *, keep_order: tuple[str, ...] | None = None) -> Markup:
    """`keep_order`: all classes in their own order instead of the likeliest first; bars then stay where they are."""
    chances = dict(prediction.top)
    rows = [(name, chances.get(name, 0.0)) for name in keep_order] if keep_order else list(prediction.top[:SHOWN])
    picture = prediction.model_input
    height, width = picture.shape[:2]
    return render(
        "answer",
        words,
        label=prediction.label,
        confidence=percent(prediction.confidence),
        rows=[(name, share, percent(share)) for name, share in rows],
        picture=data_url(picture),
        width=width,
        height=height,
        pixels=pixels(width, height, picture.ndim == 2, words),
    )


def empty(title: str, more: str, words: Translator) -> Markup:
    return render("no_answer", words, problem=None, title=title, more=more)


def problem(sentence: str, words: Translator) -> Markup:
    return render("no_answer", words, problem=sentence)


def pixels(width: int, height: int, grey: bool, words: Translator) -> str:
    if grey:
        return words("{width} × {height} pixels, grey", width=width, height=height)
    return words("{width} × {height} pixels, colour", width=width, height=height)


def data_url(picture: np.ndarray) -> str:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def percent(share: float) -> str:
    if share >= 0.9995 or share < 0.0005:
        return ">99.9%" if share > 0.5 else "<0.1%"
    return f"{share:.1%}"
