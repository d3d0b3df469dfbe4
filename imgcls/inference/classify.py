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
    def familiarity(self) -> float | None:
        """Of the least familiar digit; None where the checkpoint is not calibrated."""
        known = [part.familiarity for part in self.parts if part.familiarity is not None]
        return min(known) if known else None

    @property
    def confidence(self) -> float:
        """Of the least sure digit."""
        return min(part.confidence for part in self.parts)

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
    parts = [ink, *(cuts if layout.kind == "several" else [])]
    return Prepared(layout.kind, torch.stack([form.store_digit(normalize_ink(part)) for part in parts]))


def read(predictor: Predictor, images: Sequence[Image.Image], *, language: str = "en") -> list[Reading]:
    """Raises InputError where an image cannot be used, e.g. a blank drawing."""
    form = predictor.meta.preprocess
    return read_prepared(predictor, [prepare(form, image) for image in images], language=language)


def read_prepared(
    predictor: Predictor, prepared: Sequence[Prepared], *, language: str = "en", top: int | None = None
) -> list[Reading]:
    import torch

    if not prepared:
        return []
    stored = torch.cat([one.stored for one in prepared])
    answers = iter(predictor.predict_stored(stored, language=language, top=top))
    made = []
    for one in prepared:
        whole = next(answers)
        parts = tuple(next(answers) for _ in one.stored[1:])
        if parts and not (whole.sure and not all(part.sure for part in parts)):
            unsure = not all(part.sure for part in parts)
            label = "".join(part.label for part in parts)
            made.append(Reading(label, parts, "unfamiliar" if unsure else None))
        else:
            made.append(_one(whole, one.kind))
    return made


def _one(prediction: Prediction, kind: str = "digit") -> Reading:
    if kind == "dot" or kind == "scribble":
        return Reading(prediction.label, (prediction,), kind)
    return Reading(prediction.label, (prediction,), None if prediction.sure else "unfamiliar")
