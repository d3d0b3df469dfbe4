"""An accuracy as it may honestly be said: with its count, and with no more digits than the count carries."""

from __future__ import annotations

from collections.abc import Sequence

from imgcls.data.folder_problems import listed
from imgcls.inference.significance import wilson_interval
from imgcls.web.i18n.translator import Translator

FEW = 50  # images below which a figure is a guess, and is called one


def share(value: float, images: int) -> str:
    """ "61%", "98.4%" from 1,000 images on, "99.13%" from 10,000 on."""
    digits = 0 if images < 1000 else 1 if images < 10_000 else 2
    return f"{value:.{digits}%}"


def counted(value: float, images: int, translate: Translator) -> str:
    """ "11 of 18 images", "of 5,000 images" where nobody counts them one by one."""
    if images < 1000:
        return translate.plural(
            "{right} of {count} image", "{right} of {count} images", right=round(value * images), count=images
        )
    return translate.plural("of {count:,} image", "of {count:,} images", count=images)


def lacking(classes: Sequence[str], translate: Translator) -> str:
    """Of classes that there is no image of."""
    return translate.plural(
        "There is no image of {classes}: the figures say nothing of this class.",
        "There is no image of {classes}: the figures say nothing of these classes.",
        count=len(classes),
        classes=listed(classes),
    )


def doubt(value: float, images: int, translate: Translator) -> str | None:
    """How far off a figure from few images may be; None where there are enough."""
    if not 0 < images < FEW:
        return None
    low, high = wilson_interval(round(value * images), images)
    return translate.plural(
        "Measured on {count} image only: on other images it could just as well be {low:.0%} or {high:.0%}.",
        "Measured on {count} images only: on other images it could just as well be {low:.0%} or {high:.0%}.",
        count=images,
        low=low,
        high=high,
    )
