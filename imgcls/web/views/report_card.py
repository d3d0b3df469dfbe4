"""A data set at a glance as HTML: how many images of each class, what to know before training, and a few of them.

Knows reports and samples, not how they are made.
"""

from __future__ import annotations

from html import escape

from imgcls.data.preview import Preview
from imgcls.data.report import Report
from imgcls.web.components.fields import value_text
from imgcls.web.i18n.sentences import sentence
from imgcls.web.i18n.words import Words
from imgcls.web.views.answers import data_url

CLASSES = 60  # shown; the rest are counted


def card(report: Report, words: Words) -> str:
    name = value_text(report.name, words.language)
    return (
        f'<section class="report" data-testid="report"><header><h3>{escape(name)}</h3></header>'
        f"{_figures(report, words)}{_findings(report, words)}{_classes(report, words)}{_files(report, words)}</section>"
    )


def waiting(done: int, total: int, words: Words) -> str:
    share = done / total if total else 0.0
    said = words("looking_at", done=f"{done:,}", total=f"{total:,}") if total else words("looking")
    return (
        f'<section class="report"><p class="curves-wait">{escape(said)}</p>'
        f'<div class="progress{"" if total else " waiting"}"><i style="width:{share:.1%}"></i></div></section>'
    )


def problem(text: str) -> str:
    return f'<section class="report"><p class="failure" role="alert">{escape(text)}</p></section>'


def grid(sample: Preview, words: Words) -> str:
    """Every image as the network gets it, its class beneath."""
    form = sample.preprocess
    colour = words("grey" if form.channels == 1 else "colour")
    cells = "".join(
        f'<li><img src="{data_url(image.squeeze(-1) if image.shape[-1] == 1 else image)}" alt="{escape(label)}">'
        f"<span>{escape(label)}</span></li>"
        for image, label in zip(sample.images.permute(0, 2, 3, 1).numpy(), sample.labels, strict=True)
    )
    pixelated = " pixelated" if form.size <= 64 else ""
    return (
        f'<figure class="samples{pixelated}" data-testid="samples"><figcaption><strong>{escape(words("as_network"))}'
        f"</strong>{escape(words('sees_more', width=form.size, height=form.size, colour=colour))}</figcaption>"
        f"<ul>{cells}</ul></figure>"
    )


def _figures(report: Report, words: Words) -> str:
    parts = {part: sum(counts) for part, counts in report.counts.items()}
    divided = " · ".join(f"{words(f'part_{part}')} {count:,}" for part, count in parts.items())
    tiles = [
        (words("images"), f"{report.images:,}", divided if len(parts) > 1 else ""),
        (words("classes"), f"{len(report.classes)}", ""),
    ]
    if report.sizes:
        small, middle, large = (f"{width}×{height}" for width, height in report.sizes)
        more = words("sizes_from", small=small, large=large) if small != large else words("sizes_all")
        tiles.append((words("sizes"), middle, more))
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><small>{escape(more)}</small></div>"
        for name, value, more in tiles
    )
    return f'<dl class="figures">{cells}</dl>'


def _findings(report: Report, words: Words) -> str:
    if not report.problems:
        return f'<p class="sound">{escape(words("report_sound"))}</p>'
    rows = "".join(f"<li>{escape(sentence(p.text, words.language))}</li>" for p in report.problems)
    return f'<ul class="findings" aria-label="{escape(words("findings"))}">{rows}</ul>'


def _classes(report: Report, words: Words) -> str:
    totals = [sum(counts) for counts in zip(*report.counts.values(), strict=True)]
    most = max(totals, default=0) or 1
    rows = "".join(
        f'<li><span class="bar-name" title="{escape(name)}">{escape(name)}</span><span class="bar-track">'
        f'<i style="width:{total / most:.1%}"></i></span><span class="bar-share">{total:,}</span></li>'
        for name, total in list(zip(report.classes, totals, strict=True))[:CLASSES]
    )
    rest = len(report.classes) - CLASSES
    more = f'<p class="more-classes">{escape(words("more_classes", count=rest))}</p>' if rest > 0 else ""
    return f'<ol class="bars counts" aria-label="{escape(words("per_class"))}">{rows}</ol>{more}'


def _files(report: Report, words: Words) -> str:
    """Which files are broken or there twice, folded away."""
    made = ""
    if report.broken:
        rows = "".join(
            f"<li><code>{escape(file)}</code> {escape(sentence(said, words.language))}</li>"
            for file, said in report.broken
        )
        made += f"<details><summary>{escape(words('broken_files'))}</summary><ul>{rows}</ul></details>"
    if report.doubles:
        rows = "".join(f"<li><code>{escape('  =  '.join(group))}</code></li>" for group in report.doubles)
        made += f"<details><summary>{escape(words('double_files'))}</summary><ul>{rows}</ul></details>"
    return made
