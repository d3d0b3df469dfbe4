"""One image read: what it shows, whether that counts, and several digits side by side as the number they make.

How ink lies is asked before the network (imaging/layout.py): a dot or a scribble over everything is answered, but not
surely. The page reads drawings in the same way (web/classify/js/live.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from imgcls.inference.predictor import Prediction, Predictor

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from imgcls.imaging.preprocess import Preprocess


@dataclass(frozen=True)
class Classification:
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
    def familiarity(self) -> float | None:
        """Of the least familiar digit; None where the checkpoint is not calibrated."""
        scores = [digit.familiarity for digit in self.parts if digit.familiarity is not None]
        return min(scores) if scores else None

    @property
    def confidence(self) -> float:
        """Of the least sure digit."""
        return min(digit.confidence for digit in self.parts)

    @property
    def top(self) -> tuple[tuple[str, float], ...]:
        """(class, probability), likeliest first; of several digits the number that they make."""
        return self.parts[0].top if len(self.parts) == 1 else ((self.label, self.confidence),)


@dataclass(frozen=True)
class Prepared:
    """An image as a network will get it. `stored`: the whole, and where several digits lie side by side each of them
    after it; uint8 (1 + parts, C, S, S)."""

    kind: Literal["digit", "several", "dot", "scribble"]
    stored: Tensor


def prepare(form: Preprocess, image: Image.Image) -> Prepared:
    """Everything that needs no network. Raises InputError where an image cannot be used, e.g. a blank drawing."""
    if form.resize_mode != "digit":
        return Prepared("digit", form.to_stored(image)[None])
    import torch

    from imgcls.imaging.digits import is_mnist, normalize_ink
    from imgcls.imaging.ink import find_ink
    from imgcls.imaging.layout import layout_of

    if is_mnist(image):
        return Prepared("digit", form.to_stored(image)[None])
    ink = find_ink(image)
    layout = layout_of(ink)
    cuts = [ink[top:bottom, left:right] for left, top, right, bottom in layout.boxes]
    images = [ink, *(cuts if layout.kind == "several" else [])]
    return Prepared(layout.kind, torch.stack([form.store_digit(normalize_ink(digit)) for digit in images]))


def classify(predictor: Predictor, images: Sequence[Image.Image], *, language: str = "en") -> list[Classification]:
    """Raises InputError where an image cannot be used, e.g. a blank drawing."""
    form = predictor.meta.preprocess
    return classify_prepared(predictor, [prepare(form, image) for image in images], language=language)


def classify_prepared(
    predictor: Predictor, prepared: Sequence[Prepared], *, language: str = "en", top: int | None = None
) -> list[Classification]:
    import torch

    if not prepared:
        return []
    stored = torch.cat([item.stored for item in prepared])
    answers = iter(predictor.predict_stored(stored, language=language, top=top))
    readings = []
    for item in prepared:
        whole = next(answers)
        digits = tuple(next(answers) for _ in item.stored[1:])
        if digits and not (whole.sure and not all(digit.sure for digit in digits)):
            unsure = not all(digit.sure for digit in digits)
            label = "".join(digit.label for digit in digits)
            readings.append(Classification(label, digits, "unfamiliar" if unsure else None))
        else:
            readings.append(_one(whole, item.kind))
    return readings


def _one(prediction: Prediction, kind: str = "digit") -> Classification:
    if kind == "dot" or kind == "scribble":
        return Classification(prediction.label, (prediction,), kind)
    return Classification(prediction.label, (prediction,), None if prediction.sure else "unfamiliar")
