"""One image read: what it shows, whether that counts, and several digits side by side as the number they make.

How ink lies is asked before the network (imaging/layout.py): a dot or a scribble over everything is answered, but not
surely. The page reads drawings in the same way (components/js/live.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from imgcls.inference.predictor import Prediction, Predictor

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Reading:
    """`label`: the class, or the digits from left to right; `parts`: a prediction for each of them, or just one.

    `doubt`: why it does not count: "dot", "scribble" or "unfamiliar"; None where it does.
    """

    label: str
    parts: tuple[Prediction, ...]
    doubt: Literal["dot", "scribble", "unfamiliar"] | None

    @property
    def sure(self) -> bool:
        return self.doubt is None

    @property
    def confidence(self) -> float:
        """Of the least sure digit."""
        return min(part.confidence for part in self.parts)


def read(predictor: Predictor, images: Sequence[Image.Image], *, language: str = "en") -> list[Reading]:
    """Raises InputError where an image cannot be used, e.g. a blank drawing."""
    import torch

    form = predictor.meta.preprocess
    if form.resize_mode != "digit":
        return [_one(p) for p in predictor(images, language=language)]
    from imgcls.imaging.digits import find_ink, is_mnist, normalize_ink
    from imgcls.imaging.layout import Layout, layout_of

    layouts, stored = [], []
    for image in images:
        if is_mnist(image):
            layouts.append(Layout("digit", ((0, 0, 1, 1),)))
            stored.append(form.to_stored(image))
            continue
        ink = find_ink(image)
        layout = layout_of(ink)
        layouts.append(layout)
        cuts = [ink[top:bottom, left:right] for left, top, right, bottom in layout.boxes]
        for part in [ink, *(cuts if layout.kind == "several" else [])]:
            stored.append(form.store_digit(normalize_ink(part)))
    answers = iter(predictor.predict_stored(torch.stack(stored), language=language))
    made = []
    for layout in layouts:
        whole = next(answers)
        parts = tuple(next(answers) for _ in layout.boxes) if layout.kind == "several" else ()
        if parts and not (whole.sure and not all(part.sure for part in parts)):
            unsure = not all(part.sure for part in parts)
            label = "".join(part.label for part in parts)
            made.append(Reading(label, parts, "unfamiliar" if unsure else None))
        else:
            made.append(_one(whole, layout.kind))
    return made


def _one(prediction: Prediction, kind: str = "digit") -> Reading:
    unfamiliar = None if prediction.sure else "unfamiliar"
    return Reading(prediction.label, (prediction,), {"dot": "dot", "scribble": "scribble"}.get(kind, unfamiliar))
