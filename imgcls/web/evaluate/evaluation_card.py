"""How good a checkpoint is on some images: figures with their intervals, what is confused, how honest percentages are.

Knows evaluations, not how they are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgcls.data.registry import DATASETS, parts_of
from imgcls.inference.predictor import Prediction
from imgcls.inference.significance import Comparison
from imgcls.runs.evaluations import mirrors as may_mirror
from imgcls.web.classify.answer_view import data_url, percent, pixels
from imgcls.web.i18n.labels import PARTS
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import accuracy
from imgcls.web.shared.render import render

if TYPE_CHECKING:
    from imgcls.inference.evaluation import Evaluation
    from imgcls.inference.metrics import ClassificationReport, ReliabilityBin
    from imgcls.runs.evaluations import Compared

MATRIX = 30  # classes of a matrix; of more, those that are confused most
PAIRS = 10
PLOT_PX, AXIS_PX = 180, 34  # pixels of the reliability plot, and of its axes


@dataclass(frozen=True)
class Cell:
    true: int
    predicted: int
    images: int
    share: float  # of its row


def card(evaluations: Sequence[Evaluation], shown: int, compared: Compared, translate: Translator) -> Markup:
    """`shown`: which of them the matrix and the images are of."""
    one, names = evaluations[shown], run_names([Path(e.checkpoint) for e in evaluations])
    return render(
        "evaluation",
        translate,
        names=names,
        shown=shown,
        title=names[shown],
        comparisons=comparisons(compared, translate),
        same_images=len({e.ids for e in evaluations}) == 1,
        overview=[(name, line(e, translate)) for name, e in zip(names, evaluations, strict=True)],
        calibrated=one.calibrated,
        tta=one.tta,
        mirrors=all(may_mirror(Path(e.checkpoint), e.dataset) for e in evaluations),
        **figures(one, translate),
    )


def figures(evaluation: Evaluation, translate: Translator) -> dict[str, Any]:
    """What is said of one evaluation, here and in a report: tiles, matrix, reliability, class by class."""
    report = evaluation.report()
    classes = _matrix_classes(report)
    return {
        "subtitle": where(evaluation, translate),
        "tiles": _tiles(report, translate),
        "doubts": _doubts(evaluation, report, translate),
        "reliability": reliability(report.reliability),
        "side": PLOT_PX,
        "room": AXIS_PX,
        "classes": evaluation.classes,
        "matrix": [(c, _row(report, c, classes)) for c in classes],
        "columns": classes,
        "hidden": len(evaluation.classes) - len(classes),
        "pairs": pairs(report, evaluation.classes),
        "rows": [(row.name, row.images, *map(_figure, (row.precision, row.recall, row.f1))) for row in report.classes],
        "means": [_figure(mean) for mean in (report.macro.precision, report.macro.recall, report.macro.f1)],
    }


def _doubts(evaluation: Evaluation, report: ClassificationReport, translate: Translator) -> list[str]:
    from imgcls.inference.evaluation import DIVIDED_ANEW  # torch, which the page does not wait for

    few = accuracy.doubt(report.accuracy, report.images, translate)
    missing = [row.name for row in report.classes if not row.images]
    lacking = accuracy.lacking(missing, translate) if missing else None
    left_out = _left_out(evaluation, translate) if evaluation.left_out else None
    anew = translate(DIVIDED_ANEW) if evaluation.divided_anew else None
    return [doubt for doubt in (few, lacking, left_out, anew) if doubt]


def _left_out(evaluation: Evaluation, translate: Translator) -> str:
    """How many images the figures are not of, and why the first of them is not among them."""
    first = translate.message(evaluation.left_out[0][1])
    return translate.plural(
        "{count} image was left out: {reason}",
        "{count} images were left out, the first because: {reason}",
        count=len(evaluation.left_out),
        reason=first,
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f}%"


def waiting(name: str, done: int, total: int, translate: Translator, *, stops: bool = True) -> Markup:
    """stops: with a button that stops it."""
    return render("evaluation_wait", translate, name=name, done=done, total=total, stops=stops)


def image(
    prediction: Prediction,
    *,
    name: str,
    true: str,
    picture: str,
    neighbours: Sequence[tuple[str, str]],
    own: bool,
    classes: Sequence[str],
    translate: Translator,
) -> Markup:
    """One image: what it is, what it was taken for, what the network saw, what it resembles."""
    seen = prediction.model_input
    return render(
        "evaluation_image",
        translate,
        name=name,
        labelled=true,
        picture=picture,
        label=prediction.label,
        right=prediction.label == true,
        sure=prediction.sure,
        rows=[(label, share, percent(share)) for label, share in prediction.top],
        seen=data_url(seen),
        pixels=pixels(seen.shape[1], seen.shape[0], seen.ndim == 2, translate),
        neighbours=neighbours,
        own=own,
        classes=classes,
    )


def run_names(paths: Sequence[Path]) -> list[str]:
    """The run of each checkpoint, with its kind where it is not the best."""
    return [p.parent.name + ("" if p.stem == "best" else f" ({p.stem})") for p in paths]


def where(evaluation: Evaluation, translate: Translator) -> str:
    """The data and the part that were measured, and whether with mirror images."""
    measured = _data_and_part(evaluation, translate)
    return translate("{what} · with mirror images", what=measured) if evaluation.tta else measured


def _data_and_part(evaluation: Evaluation, translate: Translator) -> str:
    """Of joined sets those that have such a part."""
    part = translate("all images") if evaluation.part == "all" else translate(PARTS[evaluation.part])
    if evaluation.part == "test" and evaluation.dataset in DATASETS and DATASETS[evaluation.dataset].parts:
        having = [spec for spec in parts_of(evaluation.dataset) if spec.counts.get("test")]
        lacking = [spec for spec in parts_of(evaluation.dataset) if not spec.counts.get("test")]
        if lacking:
            names = [" + ".join(translate.value(spec.name) for spec in specs) for specs in (having, lacking)]
            return translate("{name} · {part} ({other} has none)", name=names[0], part=part, other=names[1])
    named = Path(evaluation.dataset).name or evaluation.dataset  # of a folder elsewhere its name is enough
    return f"{translate.value(named)} · {part}"


def comparisons(compared: Compared, translate: Translator) -> list[str]:
    """A sentence for each pair, also where the two cannot be compared."""
    refused = [translate.message(refusal.reason) for refusal in compared.refusals]
    return [*(comparison(c, translate) for c in compared.comparisons), *refused]


def comparison(c: Comparison, translate: Translator) -> str:
    """One sentence: better only where the images say so."""
    low, high = c.interval
    if c.better is None:
        return translate(
            "{second} against {first}: {difference:+.2%} (95%: {low:+.2%} to {high:+.2%}). {images:,} images cannot "
            "tell which is better (McNemar p {p}).",
            second=c.second, first=c.first, difference=c.difference, low=low, high=high, images=c.images, p=_p(c.p),
        )  # fmt: skip
    sign = 1 if c.better == c.second else -1
    low, high = sorted((sign * low, sign * high))
    return translate(
        "{better} is better than {other}: by {difference:.2%} (95%: {low:.2%} to {high:.2%}) on {images:,} images "
        "(McNemar p {p}).",
        better=c.better, other=c.first if sign == 1 else c.second, difference=sign * c.difference, low=low, high=high,
        images=c.images, p=_p(c.p),
    )  # fmt: skip


def _p(p: float) -> str:
    return f"= {p:.2g}" if p >= 0.0001 else "< 0.0001"


def pairs(report: ClassificationReport, classes: Sequence[str]) -> list[tuple[Cell, str, str]]:
    """The most confused pairs, most images first."""
    cells = [
        Cell(i, j, count, count / max(sum(row), 1))
        for i, row in enumerate(report.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    cells.sort(key=lambda cell: (-cell.images, -cell.share))
    return [(cell, classes[cell.true], classes[cell.predicted]) for cell in cells[:PAIRS]]


def reliability(bins: Sequence[ReliabilityBin]) -> list[dict[str, float]]:
    """A bar a bin: where it stands in the plot, how tall, and its own figures."""
    most = max((b.images for b in bins), default=0) or 1
    return [
        {
            "x": AXIS_PX + b.low * PLOT_PX,
            "width": (b.high - b.low) * PLOT_PX - 1,
            "top": (1 - b.accuracy) * PLOT_PX + 6,
            "height": b.accuracy * PLOT_PX,
            "ink": 0.25 + 0.75 * (b.images / most) ** 0.25,
            "confidence": b.confidence,
            "accuracy": b.accuracy,
            "images": b.images,
        }
        for b in bins
        if b.images
    ]


def line(evaluation: Evaluation, translate: Translator) -> str:
    """Its figures in a line, with the interval of the accuracy."""
    report = evaluation.report()
    low, high = report.interval
    return translate(
        "{accuracy} (95%: {low:.2%} to {high:.2%}) · loss {loss:.4f} · calibration error {ece:.3f}",
        accuracy=accuracy.share(report.accuracy, report.images), low=low, high=high, loss=report.loss, ece=report.ece,
    )  # fmt: skip


def _tiles(report: ClassificationReport, translate: Translator) -> list[tuple[str, str, str]]:
    low, high = report.interval
    sure = report.not_sure
    interval = translate("95%: {low:.2%} to {high:.2%}", low=low, high=high)
    counted = accuracy.counted(report.accuracy, report.images, translate)
    tiles = [
        (translate("Accuracy"), accuracy.share(report.accuracy, report.images), f"{interval} · {counted}"),
        (
            translate("Balanced accuracy"),
            "–" if report.balanced_accuracy is None else accuracy.share(report.balanced_accuracy, report.images),
            translate("macro recall: the mean of the classes' recalls"),
        ),
        (translate("Loss"), f"{report.loss:.4f}", translate("mean cross entropy")),
        *(
            (translate("Among the {k} likeliest", k=k), accuracy.share(share, report.images), "")
            for k, share in report.top_k.items()
        ),
        (translate("Calibration error"), f"{report.ece:.3f}", translate("between confidence and accuracy")),
        (
            translate("Not sure"),
            accuracy.share(sure.share, report.images),
            translate(
                "the other {count:,}: {accuracy} right",
                count=sure.images,
                accuracy=accuracy.share(sure.accuracy, sure.images),
            ),  # fmt: skip
        ),
    ]
    return tiles


def _matrix_classes(report: ClassificationReport) -> list[int]:
    """All classes in their order, or those with the most mistakes."""
    count = len(report.classes)
    if count <= MATRIX:
        return list(range(count))
    wrong = [
        sum(row) - row[i] + sum(other[i] for other in report.confusion) - row[i]
        for i, row in enumerate(report.confusion)
    ]
    return sorted(sorted(range(count), key=lambda i: -wrong[i])[:MATRIX])


def _row(report: ClassificationReport, true: int, classes: Sequence[int]) -> list[Cell]:
    row = report.confusion[true]
    total = max(sum(row), 1)
    return [Cell(true, predicted, row[predicted], row[predicted] / total) for predicted in classes]
