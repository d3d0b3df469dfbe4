"""`evaluate`: one or several checkpoints on a data set's test part (its validation part where it has no test part)."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imgcls.checkpoints.store import checkpoint_path
from imgcls.cli.main import to_json
from imgcls.data.folder_problems import listed
from imgcls.errors import SettingsError
from imgcls.inference.evaluation import DIVIDED_ANEW, Evaluation
from imgcls.inference.metrics import ClassificationReport
from imgcls.messages import plural
from imgcls.runs.evaluations import Compared, compare_evaluations, evaluate_checkpoint, measured_on
from imgcls.workspace import Workspace

NAMED = 10  # images that were left out; the rest are counted
WIDEST_MATRIX = 30  # classes; a wider one fits no terminal


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    paths = [checkpoint_path(name, workspace) for name in arguments.checkpoint]
    if len({path.resolve() for path in paths}) < len(paths):
        raise SettingsError("The same checkpoint is given twice: give different ones to compare.")
    dataset = measured_on(paths[0], arguments.dataset or "")
    evaluations = []
    for path in paths:
        progress = Progress(path)
        evaluations.append(
            evaluate_checkpoint(
                path, workspace, dataset=dataset, part=arguments.part or "", tta=arguments.tta, progress=progress
            )
        )
        progress.end()
    compared = between(evaluations, workspace)
    if arguments.json:
        print(to_json(evaluations[0].as_dict() if len(evaluations) == 1 else as_dict(evaluations, compared)))
        return 0
    for evaluation in evaluations:
        mirrored = ", with mirror images" if evaluation.tta else ""
        show(
            evaluation.report(), title=f"{evaluation.checkpoint} on {evaluation.dataset} ({evaluation.part}{mirrored})"
        )
        show_left_out(evaluation)
        if evaluation.divided_anew:
            print(f"\n{DIVIDED_ANEW}")
    for pair in compared.comparisons:
        print(pair)
    for refusal in compared.refusals:
        print(refusal.reason)
    return 0


def as_dict(evaluations: list[Evaluation], compared: Compared) -> dict[str, Any]:
    """Several checkpoints, for JSON. `images`, `dataset` and `part`: of the first one; each comparison has its own."""
    return {
        "dataset": evaluations[0].dataset,
        "part": evaluations[0].part,
        "images": len(evaluations[0].indices),
        "checkpoints": [evaluation.as_dict() for evaluation in evaluations],
        "comparisons": [{**asdict(c), "better": c.better} for c in compared.comparisons],
        "not_compared": [
            {"first": refusal.first, "second": refusal.second, "reason": str(refusal.reason)}
            for refusal in compared.refusals
        ],
    }


def between(evaluations: list[Evaluation], workspace: Workspace) -> Compared:
    """Every pair, each on the images that both were measured on and neither has learnt."""
    short = [Path(m.checkpoint).parent.name for m in evaluations]
    names = short if len(set(short)) == len(short) else [m.checkpoint for m in evaluations]
    return compare_evaluations(dict(zip(names, evaluations, strict=True)), workspace)


def show_left_out(evaluation: Evaluation) -> None:
    """How many images are missing from the figures above, and why the first of them are."""
    if not evaluation.left_out:
        return
    count = len(evaluation.left_out)
    print()
    print(plural("{count} image was left out:", "{count} images were left out:", count=count))
    for _, why in evaluation.left_out[:NAMED]:
        print(f"  {why}")
    if count > NAMED:
        rest = plural("and {count} more", "and {count} more", count=count - NAMED)
        print(f"  {rest}")


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


class Progress:
    """One line on a terminal, a few times a second; nothing into a file or a pipe."""

    def __init__(self, path: Path) -> None:
        self.path, self.shown, self.said = path, sys.stderr.isatty(), -1

    def __call__(self, done: int, total: int) -> None:
        share = 100 * done // max(total, 1)
        if self.shown and share != self.said:
            self.said = share
            print(f"\r{self.path.parent.name}: {done:,} of {total:,} images", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.said >= 0:
            print(file=sys.stderr)


def show(measured: ClassificationReport, *, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    low, high = measured.interval
    print(
        f"{title}: {measured.images:,} images, accuracy {measured.accuracy:.2%} "
        f"(95%: {low:.2%} to {high:.2%}), loss {measured.loss:.4f}"
    )
    print(f"balanced accuracy (macro recall) {percent(measured.balanced_accuracy)}")
    for k, share in measured.top_k.items():
        print(f"among the {k} likeliest: {share:.2%}")
    sure = measured.not_sure
    print(f"expected calibration error {measured.ece:.4f}")
    print(f"not sure: {sure.share:.2%}; accuracy of the other {sure.images:,}: {sure.accuracy:.2%}\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for column in ("images", "precision", "recall", "F1"):
        table.add_column(column, justify="right")
    for row in measured.classes:
        table.add_row(row.name, f"{row.images:,}", *map(percent, (row.precision, row.recall, row.f1)))
    macro = measured.macro
    table.add_row("mean of classes", "", *map(percent, (macro.precision, macro.recall, macro.f1)))
    console = Console()
    console.print(table, highlight=False)
    if missing := [row.name for row in measured.classes if not row.images]:
        print(f"no image of {listed(missing)}: the figures say nothing of {'it' if len(missing) == 1 else 'them'}")
    if len(measured.classes) > WIDEST_MATRIX:
        return
    print("\nconfusion matrix (rows: true class, columns: predicted)")
    matrix = Table(box=None, pad_edge=False)
    matrix.add_column("")
    for row in measured.classes:
        matrix.add_column(row.name, justify="right")
    for row, counts in zip(measured.classes, measured.confusion, strict=True):
        matrix.add_row(row.name, *(str(n) for n in counts))
    console.print(matrix, highlight=False)
