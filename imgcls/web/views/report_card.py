"""A data set at a glance as HTML: how many images of each class, what to know before training, and a few of them.

Knows reports and samples, not how they are made.
"""

from __future__ import annotations

from html import escape

from imgcls.data.preview import Preview
from imgcls.data.report import Report
from imgcls.web.i18n.labels import PARTS
from imgcls.web.i18n.translator import Translator
from imgcls.web.views import answers
from imgcls.web.views.answers import data_url

CLASSES = 60  # shown; the rest are counted


def card(report: Report, words: Translator) -> str:
    name = words.value(report.name)
    return (
        f'<section class="report" data-testid="report"><header><h3>{escape(name)}</h3></header>'
        f"{_figures(report, words)}{_findings(report, words)}{_classes(report, words)}{_files(report, words)}</section>"
    )


def waiting(done: int, total: int, words: Translator) -> str:
    share = done / total if total else 0.0
    said = (
        words("Looking at every image: {done:,} of {total:,}", done=done, total=total)
        if total
        else words("Looking through it …")
    )
    return (
        f'<section class="report"><p class="curves-wait">{escape(said)}</p>'
        f'<div class="progress{"" if total else " waiting"}"><i style="width:{share:.1%}"></i></div></section>'
    )


def problem(text: str) -> str:
    return f'<section class="report"><p class="failure" role="alert">{escape(text)}</p></section>'


def grid(sample: Preview, words: Translator) -> str:
    """Every image as the network gets it, its class beneath."""
    form = sample.preprocess
    cells = "".join(
        f'<li><img src="{data_url(image.squeeze(-1) if image.shape[-1] == 1 else image)}" alt="{escape(label)}">'
        f"<span>{escape(label)}</span></li>"
        for image, label in zip(sample.images.permute(0, 2, 3, 1).numpy(), sample.labels, strict=True)
    )
    title = words("As the network gets them")
    pixelated = " pixelated" if form.size <= 64 else ""
    return (
        f'<figure class="samples{pixelated}" data-testid="samples"><figcaption><strong>{escape(title)}'
        f"</strong>{escape(answers.pixels(form.size, form.size, form.channels == 1, words))}</figcaption>"
        f"<ul>{cells}</ul></figure>"
    )


def _figures(report: Report, words: Translator) -> str:
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
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><small>{escape(more)}</small></div>"
        for name, value, more in tiles
    )
    return f'<dl class="figures">{cells}</dl>'


def _findings(report: Report, words: Translator) -> str:
    if not report.problems:
        return f'<p class="sound">{escape(words("No problems found: ready to train."))}</p>'
    rows = "".join(f"<li>{escape(words.message(p.message))}</li>" for p in report.problems)
    return f'<ul class="findings" aria-label="{escape(words("To know before training"))}">{rows}</ul>'


def _classes(report: Report, words: Translator) -> str:
    totals = [sum(counts) for counts in zip(*report.counts.values(), strict=True)]
    most = max(totals, default=0) or 1
    rows = "".join(
        f'<li><span class="bar-name" title="{escape(name)}">{escape(name)}</span><span class="bar-track">'
        f'<i style="width:{total / most:.1%}"></i></span><span class="bar-share">{total:,}</span></li>'
        for name, total in list(zip(report.classes, totals, strict=True))[:CLASSES]
    )
    rest = len(report.classes) - CLASSES
    hidden = words.plural("and {count} class more", "and {count} classes more", count=rest)
    more = f'<p class="more-classes">{escape(hidden)}</p>' if rest > 0 else ""
    return f'<ol class="bars counts" aria-label="{escape(words("Images per class"))}">{rows}</ol>{more}'


def _files(report: Report, words: Translator) -> str:
    """Which files are broken or there twice, folded away."""
    made = ""
    if report.broken:
        rows = "".join(
            f"<li><code>{escape(file)}</code> {escape(words.message(said))}</li>" for file, said in report.broken
        )
        made += f"<details><summary>{escape(words('Files that cannot be read'))}</summary><ul>{rows}</ul></details>"
    if report.doubles:
        rows = "".join(f"<li><code>{escape('  =  '.join(group))}</code></li>" for group in report.doubles)
        made += f"<details><summary>{escape(words('The same image more than once'))}</summary><ul>{rows}</ul></details>"
    return made
