"""A run at a glance: state, progress, figures, curves, log. Knows only the view, not how runs are started."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from imgcls.data.manifest import lacking_notes
from imgcls.data.registry import is_builtin
from imgcls.runs.queue import turn_of
from imgcls.runs.reader import RunView
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.web.i18n.labels import STATES
from imgcls.web.i18n.log_lines import log_line
from imgcls.web.i18n.translator import Translator
from imgcls.web.server import tensorboard
from imgcls.web.shared import accuracy
from imgcls.web.shared.curves import Series, chart, windows
from imgcls.web.shared.render import render
from imgcls.web.shared.run_title import run_title, subtitle
from imgcls.web.train import see_it_learn

LINES = 12
MARKED_AFTER = 2  # epochs after the best one
ALWAYS_SHOWN = (
    "dataset",
    "model",
    "transfer",
    "epochs",
    "batch_size",
    "optimizer",
    "lr",
    "seed",
)  # also where they are usual


def card(
    view: RunView, translate: Translator, *, over: Sequence[RunView] = (), look: str = "", rest: str = ""
) -> Markup:
    """`over`: earlier runs whose curves are laid over this one's; `look`, `rest`: as live_cards.py makes them."""
    return render(
        "run_card",
        translate,
        view=view,
        look=look,
        rest=rest,
        title=run_title(view, translate),
        subtitle=subtitle(view, translate),
        state_said=translate(STATES[view.state]),
        failed=_failed(view, translate),
        queued=_queued(view, translate),
        tiles=_figures(view, translate),
        doubts=_doubts(view, translate),
        charts=curves(view, translate, over),
        curves_wait=_curves_wait(view, translate),
        learnt=see_it_learn.address(view, translate),
    )


def settings(view: RunView, translate: Translator, *, host: bool = False) -> Markup:
    """What the run was told, and what it leaves to take home; its host may open it in TensorBoard."""
    return render(
        "run_settings",
        translate,
        name=view.run.name,
        settings=_settings(view, translate),
        has_checkpoint=view.run.best.is_file(),
        has_curves=bool(view.progress or view.epochs),
        in_tensorboard=host and tensorboard.is_installed() and any(view.run.logs.glob("events.out.tfevents*")),
    )


def no_run(translate: Translator) -> Markup:
    return render("no_run", translate)


def log(view: RunView, translate: Translator) -> Markup:
    """The last lines, newest at the bottom."""
    events = [*view.log, *([view.progress[-1]] if view.progress and view.is_active else [])]
    lines = [
        (time.strftime("%H:%M:%S", time.localtime(e.time)), text) for e in events if (text := log_line(e, translate))
    ]
    return render("log", translate, lines=lines[-LINES:])


def title(view: RunView, translate: Translator) -> str:
    """A line for the list of runs."""
    best = f" · {accuracy.share(view.best.val_accuracy, _images(view, 'val'))}" if view.best else ""
    return f"{run_title(view, translate)} · {translate(STATES[view.state])}{best}"


def _failed(view: RunView, translate: Translator) -> str | None:
    """Why it ended badly."""
    if view.failure is not None:
        return translate.message(view.failure)
    if view.state != "interrupted":
        return None
    saved, lost = (
        translate("What it last saved is safe: press Go on."),
        translate("It had not saved yet: start a new one."),
    )
    return translate(
        "The run's process ended without a word: it was killed, or the computer went down. {next}",
        next=saved if view.run.can_resume else lost,
    )


def _queued(view: RunView, translate: Translator) -> str | None:
    """When its turn comes."""
    turn = turn_of(view.run) if view.state == "queued" else None
    if turn is None:
        return None
    if turn.seconds is None:
        return translate.plural(
            "Place {place} in the queue; it starts after {count} other run.",
            "Place {place} in the queue; it starts after {count} other runs.",
            count=turn.ahead,
            place=turn.place,
        )
    time = translate.estimate(turn.seconds)
    return translate("Place {place} in the queue; it starts in about {time}.", place=turn.place, time=time)


def _curves_wait(view: RunView, translate: Translator) -> str:
    if view.work is not None and view.work.code == "caching_features":
        return translate("The frozen part of the network looks at every image first; then the curves take a moment.")
    return translate("The curves begin with the first steps.")


def _doubts(view: RunView, translate: Translator) -> list[str]:
    """What a person should know beside the accuracy."""
    few = accuracy.doubt(view.best.val_accuracy, _images(view, "val"), translate) if view.best else None
    if few and view.settings and not is_builtin(view.settings.dataset):
        few += " " + translate("Cross-validate, in Data, asks about every photo of the folder.")
    lacking = [translate.message(note) for note in lacking_notes(view.started.lacking)] if view.started else []
    return [*_wild_loss(view, translate), *([few] if few else []), *lacking]


def _wild_loss(view: RunView, translate: Translator) -> list[str]:
    said = (event for event in view.log if isinstance(event, events.Note) and event.code == "wild_loss")
    return [translate.message(event.message) for event in said if event.message][-1:]


def _figures(view: RunView, translate: Translator) -> list[tuple[str, str, str]]:
    """(name, value, what it is of) of each."""
    tiles: list[tuple[str, str, str]] = []
    epochs = view.settings.epochs if view.settings else 0
    last = view.progress[-1] if view.progress else None
    if view.is_active:
        left = translate.estimate(view.seconds_left) if view.seconds_left is not None else "…"
        if view.finishing:
            tested = _images(view, "test")
            testing = translate("Testing on {count:,} images", count=tested) if tested else translate("Saving")
            return [(translate("Time left"), "…", testing), *_accuracies(view, translate, last)]
        if view.work is not None and view.work.message:
            return [(translate("Time left"), left, translate.message(view.work.message))]
        at = int(min(epochs, (last.epoch if last else 0) + 1))
        tiles.append((translate("Time left"), left, translate("Epoch {epoch} of {epochs}", epoch=at, epochs=epochs)))
    else:
        done = len(view.epochs)
        tiles.append(
            (
                translate("Time taken"),
                translate.duration(view.seconds),
                translate.plural("{done} of {count} epoch", "{done} of {count} epochs", done=done, count=epochs),
            )
        )
    return [*tiles, *_accuracies(view, translate, last)]


def _accuracies(view: RunView, translate: Translator, last: events.Progress | None) -> list[tuple[str, str, str]]:
    tiles: list[tuple[str, str, str]] = []
    if view.best:
        images, done = _images(view, "val"), len(view.epochs)
        which = translate.plural("best of {count} epoch", "best of {count} epochs", count=done) if done > 1 else ""
        tiles.append(
            (
                translate("Validation accuracy"),
                accuracy.share(view.best.val_accuracy, images),
                " · ".join(filter(None, (accuracy.counted(view.best.val_accuracy, images, translate), which))),
            )
        )
    elif last:
        tiles.append((translate("Training accuracy"), f"{last.accuracy:.0%}", ""))
    if isinstance(view.ending, events.Finished) and view.ending.test_accuracy is not None:
        images = _images(view, "test")
        tiles.append(
            (
                translate("Test accuracy"),
                accuracy.share(view.ending.test_accuracy, images),
                accuracy.counted(view.ending.test_accuracy, images, translate),
            )
        )
    elif last:
        tiles.append((translate("Speed"), f"{last.images_per_second:,.0f}", translate("images/s")))
    return tiles


def _images(view: RunView, part: str) -> int:
    return view.started.images.get(part, 0) if view.started else 0


def _settings(view: RunView, translate: Translator) -> list[tuple[str, str]]:
    """What was not the settings' default, by its label."""
    if view.settings is None:
        return []
    values = view.settings.model_dump(exclude_defaults=True, exclude={"name"}) | {
        name: getattr(view.settings, name) for name in ALWAYS_SHOWN
    }
    return [
        *(
            (translate.setting(name), translate.value(value) if isinstance(value, str) else f"{value:g}")
            for name in TrainSettings.model_fields
            if (value := values.get(name)) not in (None, "")
        ),
        *_costs(view, translate),
    ]


def _costs(view: RunView, translate: Translator) -> list[tuple[str, str]]:
    """How fast its epochs went, and the memory they took."""
    if not view.epochs:
        return []
    rate = statistics.median(epoch.images_per_second for epoch in view.epochs)
    memory = max(epoch.memory_mb for epoch in view.epochs)
    speed = (translate("Speed"), f"{rate:,.0f} {translate('images/s')}")
    return [speed, *([(translate("Memory"), f"{memory:,.0f} MB")] if memory else [])]


def curve_rows(view: RunView) -> list[tuple[str, int, float, float, float, float]]:
    """The curves as a table: (part, step, epoch, loss, accuracy, learning rate) of every point."""
    steps = view.started.steps_per_epoch if view.started else 1
    rows = [("train", p.step, p.epoch, p.loss, p.accuracy, p.lr) for p in view.progress]
    rows += [("val", e.step, e.step / steps, e.val_loss, e.val_accuracy, e.lr) for e in view.epochs]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def curves(view: RunView, translate: Translator, over: Sequence[RunView]) -> list[Markup]:
    """Loss and accuracy; none before the first step."""
    if not view.progress and not view.epochs:
        return []
    shown = [view, *over]
    total = max(other.settings.epochs if other.settings else 1 for other in shown)
    axes: dict[str, Any] = {"x_end": total, "x_name": translate("epochs"), "mark": _best_mark(view, translate)}
    drawn: dict[str, list[Series]] = {"loss": [], "accuracy": []}
    train, val = translate("training"), translate("validation")
    for measure, series in drawn.items():
        series.append(Series(train, trained(view, measure), broke=measure == "loss" and diverged(view)))
        series.append(Series(val, _validated(view, measure), "dots", "c2"))
        for i, other in enumerate(over):
            series.append(Series(run_title(other, translate), _validated(other, measure), "over", f"c{3 + i % 5}"))
    return [
        chart(translate("Loss"), drawn["loss"], translate, **axes),
        chart(translate("Accuracy"), drawn["accuracy"], translate, **axes, percent=True),
    ]


def _best_mark(view: RunView, translate: Translator) -> tuple[float, str] | None:
    """Where stopping would have been best, once later epochs were worse."""
    if not view.best or len(view.epochs) - view.best.epoch < MARKED_AFTER:
        return None
    return float(view.best.epoch), translate("best: epoch {epoch}", epoch=view.best.epoch)


def diverged(view: RunView) -> bool:
    return isinstance(view.ending, events.Failed) and not view.is_active and view.ending.error == "DivergedError"


def trained(view: RunView, measure: str) -> list[tuple[float, float]]:
    """Means over windows of equal numbers of steps: points come at equal times, of ever other numbers of images."""
    steps = [p.step for p in view.progress]
    weights = [now - before for before, now in zip([0, *steps], steps, strict=False)]
    return windows(
        [(p.epoch, max(weight, 1), getattr(p, measure)) for p, weight in zip(view.progress, weights, strict=True)]
    )


def _validated(view: RunView, measure: str) -> list[tuple[float, float]]:
    steps = view.started.steps_per_epoch if view.started else 1
    return [(e.step / steps, getattr(e, f"val_{measure}")) for e in view.epochs]
