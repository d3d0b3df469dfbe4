"""A run at a glance: state, progress, figures, curves, log. Knows only the view, not how runs are started."""

from __future__ import annotations

import time

from markupsafe import Markup

from imgcls.runs.queue import position, seconds_until
from imgcls.runs.reader import RunView
from imgcls.training import events
from imgcls.web.i18n.labels import STATES
from imgcls.web.i18n.log_lines import log_line
from imgcls.web.i18n.translator import Translator
from imgcls.web.views.curves import Series, chart
from imgcls.web.views.render import render

LINES = 12


def card(view: RunView, words: Translator) -> Markup:
    settings = view.settings
    return render(
        "run_card",
        words,
        view=view,
        made=f"{words.value(settings.model)} · {words.value(settings.dataset)}" if settings else "",
        state_said=words(STATES[view.state]),
        failed=_failed(view, words),
        queued=_queued(view, words),
        tiles=_figures(view, words),
        charts=_curves(view, words),
    )


def no_run(words: Translator) -> Markup:
    return render("no_run", words)


def log(view: RunView, words: Translator) -> Markup:
    """The last lines, newest at the bottom."""
    said = [*view.log, *([view.progress[-1]] if view.progress and view.live else [])]
    lines = [(time.strftime("%H:%M:%S", time.localtime(e.time)), text) for e in said if (text := log_line(e, words))]
    return render("log", words, lines=lines[-LINES:])


def title(view: RunView, words: Translator) -> str:
    """A line for the list of runs."""
    best = f" · {view.best.val_accuracy:.2%}" if view.best else ""
    return f"{view.run.name} · {words(STATES[view.state])}{best}"


def _failed(view: RunView, words: Translator) -> str | None:
    """Why it ended badly."""
    if view.failure is not None:
        return words.message(view.failure)
    if view.state != "interrupted":
        return None
    saved, lost = words("What it last saved is safe: press Go on."), words("It had not saved yet: start a new one.")
    return words(
        "The run's process ended without a word: it was killed, or the computer went down. {next}",
        next=saved if view.run.can_resume else lost,
    )


def _queued(view: RunView, words: Translator) -> str | None:
    """When its turn comes."""
    if view.state != "queued" or not (place := position(view.run)):
        return None
    wait = seconds_until(view.run)
    if wait is None:
        return words("Place {place} in the queue.", place=place)
    return words("Place {place} in the queue; it starts in about {time}.", place=place, time=words.duration(wait))


def _figures(view: RunView, words: Translator) -> list[tuple[str, str, str]]:
    """(name, value, what it is of) of each."""
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
    return tiles


def _curves(view: RunView, words: Translator) -> list[Markup]:
    if not view.progress and not view.epochs:
        return []
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
        words,
        x_end=total,
        x_name=words("epochs"),
    )
    accuracy = chart(
        words("Accuracy"),
        [
            Series(train, [(p.epoch, p.accuracy) for p in view.progress]),
            Series(val, [(x, e.val_accuracy) for x, e in ended], "dots", "c2"),
        ],
        words,
        x_end=total,
        x_name=words("epochs"),
        percent=True,
    )
    return [loss, accuracy]
