"""Some runs side by side: curves over each other, the settings in which they differ, the lines that make them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from imgcls.inference.significance import wilson_interval
from imgcls.recipes import needed
from imgcls.runs.reader import RunView
from imgcls.settings import TrainSettings, command_line
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.curves import Series, chart
from imgcls.web.shared.render import render

MAX_RUNS = 6  # runs: as many as there are colours
BY = ("epoch", "step", "time")
SMOOTHING = 0.6  # of the last value that stays in an exponential mean
NOT_COMPARED = ("name",)


def compared(views: Sequence[RunView], translate: Translator, *, by: str, smooth: bool) -> Markup:
    return render(
        "runs_compared",
        translate,
        charts=charts(views, translate, by=by, smooth=smooth),
        by=by,
        smooth=smooth,
        names=[view.run.name for view in views],
        figures=[_figures(view) for view in views],
        differences=differences(views, translate),
        lines=[(view.run.name, command(view.settings), python(view.settings)) for view in views if view.settings],
        evaluated=",".join(f"{view.run.name}/best" for view in views if view.run.best.is_file()),
    )


def charts(views: Sequence[RunView], translate: Translator, *, by: str, smooth: bool) -> list[Markup]:
    """Validation loss and accuracy, and the training loss."""
    names = {"epoch": translate("epochs"), "step": translate("steps"), "time": translate("seconds")}
    drawn = []
    for title, field, percent in (
        (translate("Validation accuracy"), "val_accuracy", True),
        (translate("Validation loss"), "val_loss", False),
        (translate("Training loss"), "train_loss", False),
    ):
        series = [
            Series(view.run.name, points(view, field, by=by, smooth=smooth), "dots", f"c{3 + i}")
            for i, view in enumerate(views)
        ]
        end = max((x for one in series for x, _ in one.points), default=0.0)
        if end:
            drawn.append(chart(title, series, translate, x_end=end, x_name=names[by], percent=percent))
    return drawn


def points(view: RunView, field: str, *, by: str, smooth: bool) -> list[tuple[float, float]]:
    made, spent, mean = [], 0.0, None
    for epoch in view.epochs:
        spent += epoch.seconds
        value = getattr(epoch, field)
        mean = value if mean is None or not smooth else SMOOTHING * mean + (1 - SMOOTHING) * value
        made.append(({"epoch": float(epoch.epoch), "step": float(epoch.step), "time": spent}[by], mean))
    return made


def _figures(view: RunView) -> dict[str, Any]:
    """The best validation accuracy, with its 95 % interval where the number of images is known."""
    best, images = view.best, view.started.images.get("val", 0) if view.started else 0
    if best is None:
        return {"accuracy": None}
    low, high = wilson_interval(round(best.val_accuracy * images), images) if images else (None, None)
    return {"accuracy": best.val_accuracy, "low": low, "high": high, "epoch": best.epoch}


def differences(views: Sequence[RunView], translate: Translator) -> list[tuple[str, list[str]]]:
    """(setting, its value in each run) of those settings that are not the same in all."""
    made = []
    for name in TrainSettings.model_fields:
        values = [getattr(view.settings, name, None) for view in views]
        if name not in NOT_COMPARED and any(value != values[0] for value in values):
            made.append((translate.setting(name), [_value_text(value, translate) for value in values]))
    return made


def _value_text(value: Any, translate: Translator) -> str:
    if value is None or isinstance(value, str):
        return translate.value(value) if value else "–"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def command(settings: TrainSettings) -> str:
    return command_line(needed(settings))


def python(settings: TrainSettings) -> str:
    said = needed(settings)
    dataset = said.pop("dataset")
    return f"imgcls.train({', '.join([repr(dataset), *(f'{name}={value!r}' for name, value in said.items())])})"
