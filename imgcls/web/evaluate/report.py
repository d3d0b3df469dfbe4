"""A report: one or several checkpoints in one HTML file, in both languages, that opens without a server and asks for
nothing. Settings with their differences, curves, what is taken for what, mistakes, and the command that repeats each.

No path of this computer is in it; where a run has not been evaluated, or has left no curves, it does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgcls import __version__
from imgcls.checkpoints.store import is_shipped
from imgcls.errors import DatasetError, ImgclsError, RunError
from imgcls.recipes import needed
from imgcls.runs import reader
from imgcls.runs.evaluations import Compared, compare_evaluations, find_evaluation, settings_of
from imgcls.runs.reader import RunView
from imgcls.runs.store import find_run
from imgcls.settings import TrainSettings, command_line
from imgcls.web.evaluate import evaluation_card, matrices
from imgcls.web.evaluate.results import Evaluations, ImageFilter
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.server.language import CODES
from imgcls.web.shared.render import render
from imgcls.web.train import run_card
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.inference.evaluation import Evaluation

MAX_CHECKPOINTS = 12  # checkpoints in one report
MISTAKES = 24  # pictures of each
WEB = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Reported:
    """A checkpoint, and what is known of it. `view`: of the run that made it, where it is still there."""

    name: str
    settings: TrainSettings
    view: RunView | None = None
    evaluation: Evaluation | None = None


@dataclass(frozen=True)
class Mistake:
    picture: str
    name: str
    true: str
    predicted: str
    confidence: str


def report(paths: Sequence[Path], evaluations: Sequence[Evaluation | None], workspace: Workspace) -> str:
    """The page. evaluations: one for each path, or None. Raises CheckpointError, DatasetError."""
    names = evaluation_card.run_names(paths)
    return _rendered(
        [
            Reported(name, settings_of(path), _view(path, workspace), evaluation)
            for name, path, evaluation in zip(names, paths, evaluations, strict=True)
        ],
        workspace,
    )


def report_of_runs(views: Sequence[RunView], workspace: Workspace) -> str:
    """Of runs as they stand, also of those without a checkpoint; with the evaluations that are kept, all of them on the
    data set of the first that has a checkpoint, as the page shows them. Raises RunError."""
    having = [view for view in views if view.settings is not None]
    if not having:
        raise RunError("Choose a run first.")
    measured = [view.run.best for view in having if view.run.best.is_file()]
    dataset = settings_of(measured[0]).dataset if measured else ""
    reported = [
        Reported(view.run.name, view.settings, view, _cached_evaluation(view, dataset, workspace))
        for view in having
        if view.settings is not None
    ]
    return _rendered(reported, workspace)


def _cached_evaluation(view: RunView, dataset: str, workspace: Workspace) -> Evaluation | None:
    if not view.run.best.is_file():
        return None
    try:
        return find_evaluation(view.run.best, workspace, dataset=dataset)
    except ImgclsError:  # its data set is gone
        return None


def _rendered(reported: Sequence[Reported], workspace: Workspace) -> str:
    if len(reported) > MAX_CHECKPOINTS:
        raise DatasetError("At most {count} checkpoints go into one report.", count=MAX_CHECKPOINTS)
    evaluations = Evaluations(workspace)
    mistakes = {one.name: _mistakes(one.evaluation, evaluations) for one in reported if one.evaluation}
    compared = compare_evaluations({one.name: one.evaluation for one in reported if one.evaluation}, workspace)
    bodies = {language: _body(reported, compared, mistakes, Translator(language)) for language in LANGUAGES}
    return render(
        "run_report",
        Translator("en"),
        title=" · ".join(one.name for one in reported),
        css=Markup("".join((WEB / f"{part}.css").read_text("utf-8") for part in ("frame", "style", "rooms"))),
        languages=[(code, CODES[code], LANGUAGES[code], body) for code, body in bodies.items()],
        version=__version__,
    )


def _body(
    reported: Sequence[Reported], compared: Compared, mistakes: dict[str, list[Mistake]], translate: Translator
) -> Markup:
    differing, same = settings_table([one.settings for one in reported], translate)
    views = [one.view for one in reported if one.view]
    evaluated = {one.name: one.evaluation for one in reported if one.evaluation}
    matrix = ""
    if matrices.comparable([*evaluated.values()]):
        matrix = matrices.compared(evaluated, compared, translate)
    return render(
        "run_report_body",
        translate,
        names=[one.name for one in reported],
        date=f"{datetime.now():%Y-%m-%d %H:%M}",
        differing=differing,
        same=same,
        charts=run_card.curves(views[0], translate, over=views[1:]) if views else [],
        compared=matrix,
        comparisons=evaluation_card.comparisons(compared, translate),
        runs=[
            {
                "name": one.name,
                "command": command_line(needed(one.settings)),
                "mistakes": mistakes.get(one.name, []),
                "figures": evaluation_card.figures(one.evaluation, translate) if one.evaluation else None,
            }
            for one in reported
        ],
    )


def settings_table(
    reported: Sequence[TrainSettings], translate: Translator
) -> tuple[list[tuple[str, list[str]]], list[tuple[str, str]]]:
    """([(setting, its value in each)] where they differ, [(setting, value)] where all are alike and it says something):
    of one run there is nothing to differ from."""
    differing, same = [], []
    usual = TrainSettings()
    for name in TrainSettings.model_fields:
        values = [getattr(one, name) for one in reported]
        if name == "name":
            continue
        if any(value != values[0] for value in values):
            differing.append((translate.setting(name), [_value_text(value, translate) for value in values]))
        elif name in run_card.ALWAYS_SHOWN or values[0] != getattr(usual, name):
            same.append((translate.setting(name), _value_text(values[0], translate)))
    return differing, same


def _value_text(value: Any, translate: Translator) -> str:
    if isinstance(value, bool):
        return translate("yes") if value else translate("no")
    if isinstance(value, str):
        return translate.value(value) if value else "–"
    return f"{value:g}"


def _view(path: Path, workspace: Workspace) -> RunView | None:
    """The run that made the checkpoint; what ships has no curves."""
    if is_shipped(path) or not path.resolve().is_relative_to(workspace.checkpoints.resolve()):
        return None
    try:
        return reader.view(find_run(path.parent.name, workspace))
    except ImgclsError:
        return None


def _mistakes(evaluation: Evaluation, evaluations: Evaluations) -> list[Mistake]:
    """The most confident first; none of an image that is not there any more."""
    reported = []
    for place in evaluations.choose(evaluation, ImageFilter(verdict="wrong"))[:MISTAKES].tolist():
        if picture := evaluations.thumbnail(evaluation, place):
            reported.append(
                Mistake(
                    picture=picture,
                    name=evaluations.name(evaluation, place),
                    true=evaluation.classes[int(evaluation.outputs.labels[place])],
                    predicted=evaluation.classes[int(evaluation.outputs.classes[place, 0])],
                    confidence=evaluation_card.percent(float(evaluation.outputs.confidence[place])),
                )
            )
    return reported
