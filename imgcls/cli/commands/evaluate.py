"""`evaluate`: one or several checkpoints on a data set's test part (its validation part where it has no test part)."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imgcls.checkpoints.store import checkpoint_path
from imgcls.cli.main import to_json
from imgcls.errors import SettingsError
from imgcls.inference.evaluation import DIVIDED_ANEW, Evaluation
from imgcls.inference.metrics import ClassificationReport
from imgcls.inference.significance import Comparison, compare
from imgcls.runs.evaluations import comparable, evaluate_checkpoint, settings_of
from imgcls.workspace import Workspace

WIDEST_MATRIX = 30  # classes; a wider one fits no terminal


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    paths = [checkpoint_path(wanted, workspace) for wanted in arguments.checkpoint]
    if len(set(paths)) < len(paths):
        raise SettingsError("The same checkpoint is given twice: give different ones to compare.")
    dataset = arguments.dataset or (settings_of(paths[0]).dataset if len(paths) > 1 else "")
    made = []
    for path in paths:
        told = Progress(path)
        made.append(evaluate_checkpoint(path, workspace, dataset=dataset, part=arguments.part or "", progress=told))
        told.end()
    compared = between(made) if len(made) > 1 else []
    if arguments.json:
        said: dict[str, Any] = made[0].as_dict()
        if compared:
            said = {
                "dataset": made[0].dataset,
                "part": made[0].part,
                "images": said["images"],
                "checkpoints": [m.as_dict() for m in made],
                "comparisons": [{**asdict(c), "better": c.better} for c in compared],
            }
        print(to_json(said))
        return 0
    for one in made:
        show(one.report(), title=f"{one.checkpoint} on {one.dataset} ({one.part})")
        if one.divided_anew:
            print(f"\n{DIVIDED_ANEW}")
    for one in compared:
        print(one)
    return 0


def between(made: list[Evaluation]) -> list[Comparison]:
    """Every pair on the same images. Raises DatasetError where they were not the same."""
    comparable(made)
    short = [Path(m.checkpoint).parent.name for m in made]
    names = short if len(set(short)) == len(short) else [m.checkpoint for m in made]
    return compare({name: m.outputs.right.tolist() for name, m in zip(names, made, strict=True)})


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
        table.add_row(row.name, f"{row.images:,}", f"{row.precision:.2%}", f"{row.recall:.2%}", f"{row.f1:.2%}")
    console = Console()
    console.print(table, highlight=False)
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
