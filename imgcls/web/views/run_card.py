"""A run at a glance as HTML: state, progress, figures, curves, log. Knows only the view, not how runs are started."""

from __future__ import annotations

import time
from html import escape

from imgcls.runs.queue import position, seconds_until
from imgcls.runs.reader import RunView
from imgcls.training import events
from imgcls.web.i18n.labels import STATES
from imgcls.web.i18n.log_lines import log_line
from imgcls.web.i18n.translator import Translator
from imgcls.web.views.curves import Series, chart

LINES = 12


def card(view: RunView, words: Translator) -> str:
    return (
        f'<section class="run" data-state="{view.state}" data-testid="run">{_head(view, words)}{_bar(view, words)}'
        f"{_figures(view, words)}{_curves(view, words)}</section>"
    )


def no_run(words: Translator) -> str:
    more = words("The settings on the left are ready: press Start training and watch it learn.")
    return (
        f'<section class="run nothing"><div class="nothing-mark" aria-hidden="true"></div>'
        f"<strong>{escape(words('Nothing has been trained yet'))}</strong><span>{escape(more)}</span></section>"
    )


def log(view: RunView, words: Translator) -> str:
    """The last lines, newest at the bottom."""
    lines = [(e.time, text) for e in view.log if (text := log_line(e, words))]
    if view.progress and view.live:
        lines.append((view.progress[-1].time, log_line(view.progress[-1], words)))
    rows = "".join(
        f"<li><time>{time.strftime('%H:%M:%S', time.localtime(when))}</time>{escape(text)}</li>"
        for when, text in lines[-LINES:]
    )
    return f'<ol class="log">{rows}</ol>'


def title(view: RunView, words: Translator) -> str:
    """A line for the list of runs."""
    best = f" · {view.best.val_accuracy:.2%}" if view.best else ""
    return f"{view.run.name} · {words(STATES[view.state])}{best}"


def _head(view: RunView, words: Translator) -> str:
    made = ""
    if view.settings:
        chosen = (words.value(view.settings.model), words.value(view.settings.dataset))
        made = " · ".join(chosen)
    return (
        f"<header><div><h3>{escape(view.run.name)}</h3><p>{escape(made)}</p></div>"
        f'<span class="state {view.state}" data-testid="state">{escape(words(STATES[view.state]))}</span></header>'
    )


def _bar(view: RunView, words: Translator) -> str:
    share = view.share * 100
    said = ""
    if view.failure is not None:
        said = f'<p class="failure" role="alert">{escape(words.message(view.failure))}</p>'
    elif view.state == "queued" and (place := position(view.run)):
        wait = seconds_until(view.run)
        told = words("Place {place} in the queue.", place=place)
        if wait is not None:
            told = words(
                "Place {place} in the queue; it starts in about {time}.", place=place, time=words.duration(wait)
            )
        said = f'<p class="queued" role="status">{escape(told)}</p>'
    elif view.state == "interrupted":
        saved, lost = words("What it last saved is safe: press Go on."), words("It had not saved yet: start a new one.")
        why = words(
            "The run's process ended without a word: it was killed, or the computer went down. {next}",
            next=saved if view.run.can_resume else lost,
        )
        said = f'<p class="failure" role="alert">{escape(why)}</p>'
    waiting = " waiting" if view.state == "starting" else ""
    return (
        f'<div class="progress{waiting}" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share:.0f}"><i style="width:{share:.1f}%"></i></div>{said}'
    )


def _figures(view: RunView, words: Translator) -> str:
    tiles: list[tuple[str, str, str]] = []
    epochs = view.settings.epochs if view.settings else 0
    last = view.progress[-1] if view.progress else None
    if view.live:
        left = words.duration(view.seconds_left) if view.seconds_left is not None else "…"
        at = int(min(epochs, (last.epoch if last else 0) + 1))
        tiles.append((words("Time left"), left, words("Epoch {epoch} of {epochs}", epoch=at, epochs=epochs)))
    else:
        done = len(view.epochs)
        tiles.append(
            (
                words("Time taken"),
                words.duration(view.seconds),
                words.plural("{done} of {count} epoch", "{done} of {count} epochs", done=done, count=epochs),
            )
        )
    if view.best:
        tiles.append(
            (
                words("Validation accuracy"),
                f"{view.best.val_accuracy:.2%}",
                words("best, epoch {epoch}", epoch=view.best.epoch),
            )
        )
    elif last:
        tiles.append((words("Training accuracy"), f"{last.accuracy:.1%}", ""))
    if isinstance(view.ending, events.Finished) and view.ending.test_accuracy is not None:
        images = view.started.images.get("test", 0) if view.started else 0
        tiles.append(
            (
                words("Test accuracy"),
                f"{view.ending.test_accuracy:.2%}",
                words.plural("on {count:,} image", "on {count:,} images", count=images),
            )
        )
    elif last:
        tiles.append((words("Speed"), f"{last.images_per_second:,.0f}", words("images/s")))
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><small>{escape(more)}</small></div>"
        for name, value, more in tiles
    )
    return f'<dl class="figures">{cells}</dl>'


def _curves(view: RunView, words: Translator) -> str:
    if not view.progress and not view.epochs:
        waits = words("The curves begin with the first steps.") if view.live else ""
        return f'<p class="curves-wait">{escape(waits)}</p>' if waits else ""
    total = view.settings.epochs if view.settings else 1
    train, val = words("train"), words("validation")
    steps = view.started.steps_per_epoch if view.started else 1
    ended = [(e.step / steps, e) for e in view.epochs]
    loss = chart(
        words("Loss"),
        [
            Series(train, [(p.epoch, p.loss) for p in view.progress]),
            Series(val, [(x, e.val_loss) for x, e in ended], "dots", "c2"),
        ],
        x_end=total,
        x_name=words("epochs"),
    )
    accuracy = chart(
        words("Accuracy"),
        [
            Series(train, [(p.epoch, p.accuracy) for p in view.progress]),
            Series(val, [(x, e.val_accuracy) for x, e in ended], "dots", "c2"),
        ],
        x_end=total,
        x_name=words("epochs"),
        percent=True,
    )
    return f'<div class="charts">{loss}{accuracy}</div>'
