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


def card(report: Report, words: Translator) -> Markup:
    totals = [sum(counts) for counts in zip(*report.counts.values(), strict=True)]
    return render(
        "report_card",
        words,
        name=words.value(report.name),
        tiles=_figures(report, words),
        findings=[words.message(problem.message) for problem in report.problems],
        classes=list(zip(report.classes, totals, strict=True))[:CLASSES],
        most=max(totals, default=0) or 1,
        hidden=len(report.classes) - CLASSES,
        broken=[(file, words.message(why)) for file, why in report.broken],
        doubles=report.doubles,
    )


def waiting(done: int, total: int, words: Translator) -> Markup:
    return render("report_wait", words, problem=None, done=done, total=total)


def problem(sentence: str, words: Translator) -> Markup:
    return render("report_wait", words, problem=sentence)


def grid(sample: Preview, words: Translator) -> Markup:
    """Every image as the network gets it, its class beneath."""
    form = sample.preprocess
    images = sample.images.permute(0, 2, 3, 1).numpy()
    urls = [data_url(image.squeeze(-1) if image.shape[-1] == 1 else image) for image in images]
    return render(
        "samples",
        words,
        size=form.size,
        pixels=pixels(form.size, form.size, form.channels == 1, words),
        images=list(zip(urls, sample.labels, strict=True)),
    )


def _figures(report: Report, words: Translator) -> list[tuple[str, str, str]]:
    """(name, value, what it is of) of each."""
    parts = {part: sum(counts) for part, counts in report.counts.items()}
    divided = " · ".join(f"{words(PARTS[part])} {count:,}" for part, count in parts.items())
    tiles = [
        (words("Images"), f"{report.images:,}", divided if len(parts) > 1 else ""),
        (words("Classes"), f"{len(report.classes)}", ""),
    ]
    if report.sizes:
        small, middle, large = (f"{width}×{height}" for width, height in report.sizes)
        more = words("median; {small} to {large}", small=small, large=large) if small != large else words("every image")
        tiles.append((words("Size"), middle, more))
    return tiles
