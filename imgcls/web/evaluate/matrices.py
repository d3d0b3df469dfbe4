"""Confusion matrices next to each other: what each network takes for what, and where it differs from the first.

For the comparison of runs and for a report of several; what is said of pairs comes from `compare_evaluations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgcls.web.evaluate import evaluation_card
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render

if TYPE_CHECKING:
    from imgcls.inference.evaluation import Evaluation
    from imgcls.runs.evaluations import Compared

CLASSES = 12  # of a matrix; of more, those in which the networks differ most
LISTED = 8  # cells that differ most
Confusion = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Cell:
    """`share`: of its row; `difference`: images more than in the first matrix, of a row that has as many there;
    `mark`: how much of this matrix's largest difference that is, 0 to 1; `better`: whether that is better."""

    true: int
    predicted: int
    images: int
    share: float
    difference: int
    mark: float
    better: bool


def compared(evaluations: Mapping[str, Evaluation], pairs: Compared, translate: Translator) -> Markup:
    """name -> evaluation, all of the same classes: figures, paired tests, matrices, and the cells that differ most."""
    reports = {name: one.report() for name, one in evaluations.items()}
    confusions = {name: report.confusion for name, report in reports.items()}
    first = next(iter(evaluations.values()))
    return render(
        "matrices",
        translate,
        where=evaluation_card.where(first, translate),
        overview=[(name, evaluation_card.line(one, translate)) for name, one in evaluations.items()],
        same_images=len({one.ids for one in evaluations.values()}) == 1,
        comparisons=evaluation_card.comparisons(pairs, translate),
        **side_by_side(confusions, first.classes),
    )


def comparable(evaluations: Sequence[Evaluation]) -> bool:
    """Whether their matrices can lie next to each other."""
    return len(evaluations) > 1 and all(one.classes == evaluations[0].classes for one in evaluations)


def side_by_side(confusions: Mapping[str, Confusion], classes: Sequence[str]) -> dict[str, Any]:
    """For the template: `matrices` [(name, [(class, its cells)])], `columns`, `hidden` classes, `most` different cells
    [(class, taken for, images in each)]."""
    every = list(confusions.values())
    columns = _columns(every)
    against = every[0]
    matrices = []
    for name, one in confusions.items():
        largest = max((abs(_difference(one, against, i, j)) for i in columns for j in columns), default=0)
        matrices.append((name, [(i, [_cell(one, against, i, j, largest) for j in columns]) for i in columns]))
    return {
        "matrices": matrices,
        "columns": columns,
        "classes": classes,
        "hidden": len(classes) - len(columns),
        "most": [(classes[i], classes[j], counts) for i, j, counts in _most_different(every)],
    }


def _columns(every: Sequence[Confusion]) -> list[int]:
    count = len(every[0])
    if count <= CLASSES:
        return list(range(count))
    weight = [0] * count
    for i in range(count):
        for j in range(count):
            counts = [one[i][j] for one in every]
            weight[i] += max(counts) - min(counts)
            weight[j] += max(counts) - min(counts)
    return sorted(sorted(range(count), key=lambda i: -weight[i])[:CLASSES])


def _difference(one: Confusion, against: Confusion, true: int, predicted: int) -> int:
    """In images of the row in `one`, where the two have not measured as many of that class."""
    own, other = sum(one[true]), sum(against[true])
    expected = against[true][predicted] if own == other else against[true][predicted] * own / max(other, 1)
    return round(one[true][predicted] - expected)


def _cell(one: Confusion, against: Confusion, true: int, predicted: int, largest: int) -> Cell:
    difference = _difference(one, against, true, predicted)
    images = one[true][predicted]
    return Cell(
        true,
        predicted,
        images,
        images / max(sum(one[true]), 1),
        difference,
        abs(difference) / max(largest, 1),
        (difference > 0) == (true == predicted),
    )


def _most_different(every: Sequence[Confusion]) -> list[tuple[int, int, list[int]]]:
    """Mistakes that one makes and another does not, the largest difference first."""
    found = []
    for i in range(len(every[0])):
        for j in range(len(every[0])):
            counts = [one[i][j] for one in every]
            if i != j and max(counts) > min(counts):
                found.append((i, j, counts))
    return sorted(found, key=lambda row: (min(row[2]) - max(row[2]), -max(row[2])))[:LISTED]
