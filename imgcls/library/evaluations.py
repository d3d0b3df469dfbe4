"""How good a checkpoint is on a data set, and which of two is better. Results are kept beside the run, as the terminal
and the page keep theirs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from imgcls.errors import DatasetError, SettingsError
from imgcls.library.catalog import dataset_name
from imgcls.library.html import html
from imgcls.library.nets import path_of
from imgcls.library.training import Run
from imgcls.plugins import load_plugins
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.inference import evaluation
    from imgcls.inference.metrics import ClassificationReport
    from imgcls.inference.significance import Comparison

Checkpoint: TypeAlias = str | os.PathLike[str] | Run
LARGEST_MATRIX = 30  # classes; a larger one is hard to read, and its worst classes are listed instead
WORST_CLASSES = 20


@dataclass(frozen=True)
class Evaluation:
    """A checkpoint measured on the images of a data set. In a notebook it shows itself as a confusion matrix.

    Attributes:
        outputs: what the network said of each image: true label, likeliest classes, probabilities, loss.
    """

    outputs: evaluation.Evaluation = field(repr=False)

    @cached_property
    def report(self) -> ClassificationReport:
        """Every figure: of each class, reliability, calibration error, what it was not sure of."""
        return self.outputs.report()

    @property
    def checkpoint(self) -> str:
        """The file that was measured."""
        return self.outputs.checkpoint

    @property
    def dataset(self) -> str:
        return self.outputs.dataset

    @property
    def split(self) -> str:
        """ "train", "val", "test" or "all"."""
        return self.outputs.part

    @property
    def classes(self) -> tuple[str, ...]:
        return self.outputs.classes

    @property
    def images(self) -> int:
        """How many were measured."""
        return self.report.images

    @property
    def accuracy(self) -> float:
        """Share of the images that were classified correctly."""
        return self.report.accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the accuracy."""
        return self.report.interval

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean of the classes' recalls, also called macro recall: a rare class decides as much as a common one."""
        return self.report.balanced_accuracy

    @property
    def loss(self) -> float:
        """Mean cross entropy in nats."""
        return self.report.loss

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """confusion[i][j]: how many images of class i were taken for class j."""
        return self.report.confusion

    def as_dict(self) -> dict[str, Any]:
        """The same as `imgcls evaluate --json`."""
        return self.outputs.as_dict()

    def __repr__(self) -> str:
        where = f"{Path(self.checkpoint).parent.name!r}, dataset={self.dataset!r}, split={self.split!r}"
        return f"Evaluation({where}, images={self.images}, accuracy={self.accuracy:.4f})"

    def _repr_html_(self) -> str:
        large = len(self.classes) > LARGEST_MATRIX
        rows = [] if large else [_shares(true, row) for true, row in enumerate(self.confusion)]
        matrix = list(zip(self.classes, rows, strict=False))
        measured = [row for row in self.report.classes if row.f1 is not None]
        worst = sorted(measured, key=lambda row: row.f1 or 0.0)[:WORST_CLASSES]
        return html("evaluation", evaluation=self, matrix=matrix, worst=worst)


def evaluate(
    checkpoint: Checkpoint,
    *,
    dataset: str | os.PathLike[str] = "",
    split: str = "",
    tta: bool = False,
    progress: bool = False,
) -> Evaluation:
    """Measure a checkpoint on a data set. The same checkpoint on the same images is measured once, and then looked up.

    Args:
        checkpoint: a run, a run's name, or a checkpoint file.
        dataset: a data set with the same classes; the one it was trained on by default.
        split: "train", "val", "test" or "all"; by default the test split, or the validation split where there is none.
        tta: test-time augmentation: each answer is the mean of the image's and its mirror image's. Not for digits and
            characters, which a mirror changes.
        progress: print how far it is.

    Raises CheckpointError or DatasetError.
    """
    from imgcls.runs.evaluations import evaluate_checkpoint

    load_plugins()
    workspace = Workspace.from_environment()
    on_progress = _print_progress if progress else lambda done, total: None
    path = path_of(checkpoint, workspace)
    return Evaluation(
        evaluate_checkpoint(path, workspace, dataset=dataset_name(dataset), part=split, tta=tta, progress=on_progress)
    )


def compare(
    first: Checkpoint, second: Checkpoint, *, dataset: str | os.PathLike[str] = "", split: str = ""
) -> Comparison:
    """Say whether one of two checkpoints is really better (McNemar's test), by the images that both are measured on and
    neither has learnt from.

    `print` of the result is a sentence. Arguments as for `evaluate`; the data set is the first one's by default. Raises
    DatasetError where there are no such images.
    """
    from imgcls.runs.evaluations import compare_evaluations

    evaluation = evaluate(first, dataset=dataset, split=split)
    other = evaluate(second, dataset=dataset or evaluation.dataset, split=split)
    paths = [Path(evaluation.checkpoint), Path(other.checkpoint)]
    if paths[0].resolve() == paths[1].resolve():
        raise SettingsError("The same checkpoint is given twice: give different ones to compare.")
    names = [path.parent.name for path in paths]
    if names[0] == names[1]:
        names = [str(path) for path in paths]
    compared = compare_evaluations(
        {names[0]: evaluation.outputs, names[1]: other.outputs}, Workspace.from_environment()
    )
    if compared.refusals:
        raise DatasetError(compared.refusals[0].reason)
    return compared.comparisons[0]


def _shares(true: int, row: tuple[int, ...]) -> list[tuple[int, float, bool]]:
    """(count, how strongly it is coloured, whether it is right) of each cell of a row."""
    images = max(sum(row), 1)
    return [(count, 0.85 * count / images, predicted == true) for predicted, count in enumerate(row)]


def _print_progress(done: int, total: int) -> None:
    print(f"\r{done:,} of {total:,} images", end="\n" if done == total else "", flush=True)
