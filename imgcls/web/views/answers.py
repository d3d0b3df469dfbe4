"""An answer as HTML: the likeliest class, bars for the rest, and the picture that the network really saw."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from imgcls.inference.predictor import Prediction
from imgcls.web.i18n.translator import Translator

SHOWN = 10  # bars


def answer(prediction: Prediction, words: Translator, *, keep_order: tuple[str, ...] | None = None) -> str:
    """`keep_order`: all classes in their own order instead of the likeliest first; bars then stay where they are."""
    chances = dict(prediction.top)
    rows = [(name, chances.get(name, 0.0)) for name in keep_order] if keep_order else list(prediction.top[:SHOWN])
    bars = "".join(_bar(name, share, name == prediction.label) for name, share in rows)
    sure = words("confidence {share}", share=_percent(prediction.confidence))
    short = len(prediction.label) <= 3
    return (
        f'<div class="answer"><div class="answer-head"><div class="answer-label{"" if short else " long"}" '
        f'data-testid="answer">{escape(prediction.label)}</div>'
        f'<div class="answer-sure">{escape(sure)}</div></div>'
        f'<ol class="bars">{bars}</ol>{seen(prediction.model_input, words)}</div>'
    )


def empty(title: str, more: str) -> str:
    return (
        f'<div class="answer nothing" data-testid="nothing"><div class="nothing-mark" aria-hidden="true"></div>'
        f"<strong>{escape(title)}</strong><span>{escape(more)}</span></div>"
    )


def problem(sentence: str) -> str:
    return f'<div class="answer nothing" role="alert"><strong>{escape(sentence)}</strong></div>'


def seen(picture: np.ndarray, words: Translator) -> str:
    """The network's input, every pixel a square."""
    height, width = picture.shape[:2]
    title = words("What the network saw")
    more = pixels(width, height, picture.ndim == 2, words)
    return (
        f'<figure class="seen"><img src="{data_url(picture)}" width="{width}" height="{height}" '
        f'alt="{escape(title)}"><figcaption><strong>{escape(title)}</strong>{escape(more)}'
        "</figcaption></figure>"
    )


def pixels(width: int, height: int, grey: bool, words: Translator) -> str:
    if grey:
        return words("{width} × {height} pixels, grey", width=width, height=height)
    return words("{width} × {height} pixels, colour", width=width, height=height)


def data_url(picture: np.ndarray) -> str:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _bar(name: str, share: float, first: bool) -> str:
    return (
        f'<li class="{"first" if first else ""}"><span class="bar-name">{escape(name)}</span>'
        f'<span class="bar-track"><i style="width:{share * 100:.1f}%"></i></span>'
        f'<span class="bar-share">{_percent(share)}</span></li>'
    )


def _percent(share: float) -> str:
    if share >= 0.9995 or share < 0.0005:
        return ">99.9%" if share > 0.5 else "<0.1%"
    return f"{share:.1%}"
