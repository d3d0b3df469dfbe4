"""A run at a glance as HTML: state, progress, figures, curves, log. Knows only the view, not how runs are started."""

from __future__ import annotations

import time
from html import escape

from imgcls.runs.reader import RunView
from imgcls.training import events
from imgcls.web.components.fields import value_text
from imgcls.web.i18n.sentences import log_line, sentence
from imgcls.web.i18n.words import Words
from imgcls.web.views.curves import Series, chart

LINES = 12


def card(view: RunView, words: Words) -> str:
    return (
        f'<section class="run" data-state="{view.state}" data-testid="run">{_head(view, words)}{_bar(view, words)}'
        f"{_figures(view, words)}{_curves(view, words)}</section>"
    )


def no_run(words: Words) -> str:
    return (
        f'<section class="run nothing"><div class="nothing-mark" aria-hidden="true"></div>'
        f"<strong>{escape(words('no_runs'))}</strong><span>{escape(words('no_runs_more'))}</span></section>"
    )


def log(view: RunView, words: Words) -> str:
    """The last lines, newest at the bottom."""
    lines = [(e.time, text) for e in view.log if (text := log_line(e, words.language))]
    if view.progress and view.live:
        lines.append((view.progress[-1].time, log_line(view.progress[-1], words.language)))
    rows = "".join(
        f"<li><time>{time.strftime('%H:%M:%S', time.localtime(when))}</time>{escape(text)}</li>"
        for when, text in lines[-LINES:]
    )
    return f'<ol class="log">{rows}</ol>'


def title(view: RunView, words: Words) -> str:
    """A line for the list of runs."""
    best = f" · {view.best.val_accuracy:.2%}" if view.best else ""
    return f"{view.run.name} · {words('state_' + view.state)}{best}"


def _head(view: RunView, words: Words) -> str:
    made = ""
    if view.settings:
        chosen = (value_text(view.settings.model, words.language), value_text(view.settings.dataset, words.language))
        made = " · ".join(chosen)
    return (
        f"<header><div><h3>{escape(view.run.name)}</h3><p>{escape(made)}</p></div>"
        f'<span class="state {view.state}" data-testid="state">{escape(words("state_" + view.state))}</span></header>'
    )


def _bar(view: RunView, words: Words) -> str:
    share = view.share * 100
    said = ""
    if isinstance(view.ending, events.Failed) and not view.live:
        said = f'<p class="failure" role="alert">{escape(sentence(view.ending.message, words.language))}</p>'
    elif view.state == "died":
        next_step = words("died_go_on" if view.run.can_resume else "died_lost")
        said = f'<p class="failure" role="alert">{escape(words("died_more", next=next_step))}</p>'
    waiting = " waiting" if view.state == "starting" else ""
    return (
        f'<div class="progress{waiting}" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share:.0f}"><i style="width:{share:.1f}%"></i></div>{said}'
    )


def _figures(view: RunView, words: Words) -> str:
    tiles: list[tuple[str, str, str]] = []
    epochs = view.settings.epochs if view.settings else 0
    last = view.progress[-1] if view.progress else None
    if view.live:
        left = words.duration(view.seconds_left) if view.seconds_left is not None else "…"
        at = int(min(epochs, (last.epoch if last else 0) + 1))
        tiles.append((words("time_left"), left, words("epoch_of", epoch=at, epochs=epochs)))
    else:
        done = len(view.epochs)
        tiles.append((words("time_taken"), words.duration(view.seconds), words("epoch_of", epoch=done, epochs=epochs)))
    if view.best:
        tiles.append(
            (
                words("val_accuracy"),
                f"{view.best.val_accuracy:.2%}",
                words("best_epoch", epoch=view.best.epoch),
            )
        )
    elif last:
        tiles.append((words("train_accuracy"), f"{last.accuracy:.1%}", ""))
    if isinstance(view.ending, events.Finished) and view.ending.test_accuracy is not None:
        images = f"{view.started.images.get('test', 0):,}" if view.started else ""
        tiles.append((words("test_accuracy"), f"{view.ending.test_accuracy:.2%}", words("on_images", images=images)))
    elif last:
        tiles.append((words("speed"), f"{last.images_per_second:,.0f}", words("images_per_second", rate="").strip()))
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><small>{escape(more)}</small></div>"
        for name, value, more in tiles
    )
    return f'<dl class="figures">{cells}</dl>'


def _curves(view: RunView, words: Words) -> str:
    if not view.progress and not view.epochs:
        waits = words("curves_wait") if view.live else ""
        return f'<p class="curves-wait">{escape(waits)}</p>' if waits else ""
    total = view.settings.epochs if view.settings else 1
    train, val = words("curve_train"), words("curve_val")
    steps = view.started.steps_per_epoch if view.started else 1
    ended = [(e.step / steps, e) for e in view.epochs]
    loss = chart(
        words("loss"),
        [
            Series(train, [(p.epoch, p.loss) for p in view.progress]),
            Series(val, [(x, e.val_loss) for x, e in ended], "dots", "c2"),
        ],
        x_end=total,
        x_name=words("epochs_axis"),
    )
    accuracy = chart(
        words("accuracy"),
        [
            Series(train, [(p.epoch, p.accuracy) for p in view.progress]),
            Series(val, [(x, e.val_accuracy) for x, e in ended], "dots", "c2"),
        ],
        x_end=total,
        x_name=words("epochs_axis"),
        percent=True,
    )
    return f'<div class="charts">{loss}{accuracy}</div>'
