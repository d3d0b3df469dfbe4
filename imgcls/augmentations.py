"""Random changes of training images: one row each, and how several are combined: "crop-flip,erase".

Importing this imports no torch. To add one, add a row to AUGMENTATIONS, or call `imgcls.register_augmentation` from
your own code. Rows are applied stage by stage: to images as they are stored, then one that brings them to the network's
size (or a plain resize), then to the network's input; the last ones mix images of a batch with each other, and their
labels with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from imgcls.errors import SettingsError
from imgcls.filenames import check_option_name
from imgcls.messages import N_, Message, Setting

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from imgcls.imaging.preprocess import Preprocess

Stage = Literal["stored", "resize", "input", "batch"]
STAGES: tuple[Stage, ...] = ("stored", "resize", "input", "batch")
NONE = "none"


@dataclass(frozen=True, kw_only=True)
class AugmentationSpec:
    """All that the lab has to know of a random change of training images.

    apply: (images, aspects, generator, preprocess) -> images, a whole batch (N, C, H, W) at once. Its random numbers
        come from `generator` alone, so that a run can be repeated and resumed. Of stage "batch": (images, shares of
        the classes (N, classes), generator) -> (images, shares).
    stage: "stored": uint8 or float images in [0, 255] -> the same size; "resize": those -> float images in [0, 255]
        of side `preprocess.size`; "input": these -> these; "batch": these, several mixed.
    whole_photo: whether it chooses crops of the original photo, which is then stored as a squeezed square with its true
        width/height in `aspects`.
    """

    name: str
    title: str
    stage: Stage
    apply: Callable[..., Any]
    whole_photo: bool = False


def _mixed(function: str, images: Tensor, shares: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    return getattr(import_module("imgcls.data.mixing"), function)(images, shares, generator)


def _lazy(
    function: str, images: Tensor, aspects: Tensor | None, generator: Generator, preprocess: Preprocess
) -> Tensor:
    return getattr(import_module("imgcls.data.augmentation"), function)(images, aspects, generator, preprocess)


AUGMENTATIONS: dict[str, AugmentationSpec] = {
    spec.name: spec
    for spec in (
        AugmentationSpec(
            name="pen", title=N_("Pen: bend, slant, thicken"), stage="stored", apply=partial(_lazy, "pen")
        ),
        AugmentationSpec(name="flip", title=N_("Mirror"), stage="stored", apply=partial(_lazy, "flip")),
        AugmentationSpec(name="shift", title=N_("Shift"), stage="stored", apply=partial(_lazy, "shift")),
        AugmentationSpec(
            name="crop-flip", title=N_("Shift and mirror"), stage="stored", apply=partial(_lazy, "crop_flip")
        ),
        AugmentationSpec(
            name="resized-crop",
            title=N_("Random crop and mirror"),
            stage="resize",
            apply=partial(_lazy, "resized_crop"),
            whole_photo=True,
        ),
        AugmentationSpec(
            name="photo",
            title=N_("Photo: crop, turn, light"),
            stage="resize",
            apply=partial(_lazy, "photo"),
            whole_photo=True,
        ),
        AugmentationSpec(
            name="trivial",
            title=N_("TrivialAugment: one of 14 changes"),
            stage="input",
            apply=partial(_lazy, "trivial"),
        ),
        AugmentationSpec(name="erase", title=N_("Random erasing"), stage="input", apply=partial(_lazy, "erase")),
        AugmentationSpec(
            name="mixup", title=N_("MixUp: two images in one"), stage="batch", apply=partial(_mixed, "mixup")
        ),
        AugmentationSpec(
            name="cutmix", title=N_("CutMix: a box of another image"), stage="batch", apply=partial(_mixed, "cutmix")
        ),
    )
}
# What the page offers beside each one alone; any other combination can be typed.
COMBINATIONS = (
    "crop-flip,erase", "crop-flip,trivial", "crop-flip,mixup", "resized-crop,erase", "resized-crop,trivial",
    "resized-crop,cutmix",
)  # fmt: skip


REGISTERED: set[str] = set()  # names of the rows that were added from outside


def register(spec: AugmentationSpec) -> AugmentationSpec:
    """Add a row for this process, or replace one that was added. Raises SettingsError where its name cannot be used or
    is a built-in one's."""
    check_option_name(spec.name, {NONE, *AUGMENTATIONS} - REGISTERED)
    AUGMENTATIONS[spec.name] = spec
    REGISTERED.add(spec.name)
    return spec


def names() -> tuple[str, ...]:
    return (NONE, *AUGMENTATIONS)


def parts(text: str) -> tuple[str, ...]:
    """ "crop-flip,erase" -> its rows' names; () where nothing is changed."""
    return () if text == NONE else tuple(part.strip() for part in text.split(","))


def specs(text: str) -> tuple[AugmentationSpec, ...]:
    """The rows of a combination. Raises SettingsError."""
    wrong = fault(text)
    if wrong:
        raise SettingsError(
            "{setting} is {value}, but {limit}.",
            setting=Setting("augment"),
            value=text[:60],
            limit=wrong,
            field="augment",
        )
    return tuple(AUGMENTATIONS[name] for name in parts(text))


def fault(text: str) -> Message | None:
    """What is wrong with a combination, as the rest of a sentence that names the setting."""
    rows = parts(text)
    if any(name not in AUGMENTATIONS for name in rows) or len(set(rows)) != len(rows):
        return Message("must be {limits}", limits=limits())
    stages = [AUGMENTATIONS[name].stage for name in rows]
    if stages.count("resize") > 1:
        several = [name for name in rows if AUGMENTATIONS[name].stage == "resize"]
        return Message(
            "must have one of {names} at most, because each cuts the image out anew", names=", ".join(several)
        )
    return None


def in_order(text: str) -> str:
    """The same combination in the order in which its rows are applied."""
    rows = sorted(parts(text), key=lambda name: STAGES.index(AUGMENTATIONS[name].stage))
    return ",".join(rows) or NONE


def limits() -> Message:
    return Message("one of {names}, or several with commas between", names=", ".join(names()))


def mixes(text: str) -> tuple[AugmentationSpec, ...]:
    """The rows that mix images with each other, and their labels."""
    return tuple(spec for spec in specs(text) if spec.stage == "batch")


def crops_photos(text: str) -> bool:
    """Whether it chooses crops of the original photo (see AugmentationSpec.whole_photo)."""
    return any(spec.whole_photo for spec in specs(text))
