"""A data set at a glance: how many images of each class, what to know before training, and a few of them.

Knows reports and samples, not how they are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from imgcls.data.report import Report
from imgcls.web.classify.answer_view import data_url, pixels
from imgcls.web.i18n.labels import PARTS
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render

if TYPE_CHECKING:
    from imgcls.data.preview import Preview

CLASSES = 60  # shown; the rest are counted


def card(report: Report, translate: Translator) -> Markup:
    totals = [sum(counts) for counts in zip(*report.counts.values(), strict=True)]
    return render(
        "report_card",
        translate,
        name=translate.value(report.name),
        tiles=_figures(report, translate),
        findings=[translate.message(problem.message) for problem in report.problems],
        classes=list(zip(report.classes, totals, strict=True))[:CLASSES],
        most=max(totals, default=0) or 1,
        hidden=len(report.classes) - CLASSES,
        broken=[(file, translate.message(why)) for file, why in report.broken],
        doubles=report.doubles,
    )


def waiting(done: int, total: int, translate: Translator) -> Markup:
    return render("report_wait", translate, problem=None, done=done, total=total)


def problem(sentence: str, translate: Translator) -> Markup:
    return render("report_wait", translate, problem=sentence)


def grid(sample: Preview, translate: Translator) -> Markup:
    """Every image as the network gets it, its class beneath."""
    form = sample.preprocess
    images = sample.images.permute(0, 2, 3, 1).numpy()
    urls = [data_url(image.squeeze(-1) if image.shape[-1] == 1 else image) for image in images]
    return render(
        "samples",
        translate,
        size=form.size,
        pixels=pixels(form.size, form.size, form.channels == 1, translate),
        images=list(zip(urls, sample.labels, strict=True)),
    )


def _figures(report: Report, translate: Translator) -> list[tuple[str, str, str]]:
    """(name, value, what it is of) of each."""
    images_of_split = {split: sum(counts) for split, counts in report.counts.items()}
    divided = " · ".join(f"{translate(PARTS[split])} {count:,}" for split, count in images_of_split.items())
    tiles = [
        (translate("Images"), f"{report.images:,}", divided if len(images_of_split) > 1 else ""),
        (translate("Classes"), f"{len(report.classes)}", ""),
    ]
    if report.sizes:
        small, middle, large = (f"{width}×{height}" for width, height in report.sizes)
        more = (
            translate("median; {small} to {large}", small=small, large=large)
            if small != large
            else translate("every image")
        )
        tiles.append((translate("Size"), middle, more))
    return tiles
