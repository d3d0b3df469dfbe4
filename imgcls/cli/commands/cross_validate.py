"""`cross-validate`: what a folder of few photos is worth, from all of them. With --json, one object on stdout."""

from __future__ import annotations

import argparse
import sys

from imgcls.cli.commands.evaluate import percent
from imgcls.cli.main import to_json
from imgcls.messages import plural, printable
from imgcls.training.cross_validation import CrossValidation, cross_validate
from imgcls.workspace import Workspace

LISTED = 50  # mistakes


def run(arguments: argparse.Namespace) -> int:
    result = cross_validate(
        arguments.dataset, Workspace.from_environment(), folds=arguments.folds, progress=_progress()
    )
    if arguments.json:
        print(to_json(result.as_dict()))
    else:
        show(result)
    return 0


def show(result: CrossValidation) -> None:
    from rich.console import Console
    from rich.table import Table

    low, high = result.interval
    print(
        f"{result.dataset}: accuracy {result.accuracy:.1%} (95%: {low:.1%} to {high:.1%}), "
        f"balanced accuracy (macro recall) {percent(result.balanced_accuracy)}"
    )
    print(f"{result.images:,} photos in {result.folds} folds, each asked about by a last layer that has not seen it,")
    print(f"on the features of {result.model}, {result.seconds:.1f} s\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for column in ("photos", "precision", "recall", "F1"):
        table.add_column(column, justify="right")
    for row in result.classes:
        table.add_row(row.name, f"{row.images:,}", *map(percent, (row.precision, row.recall, row.f1)))
    table.add_row("mean of classes", "", *map(percent, (result.macro.precision, result.macro.recall, result.macro.f1)))
    Console().print(table, highlight=False)
    if result.mistakes:
        print("\nTaken for another class:")
    for one in result.mistakes[:LISTED]:
        file, label, read_as = map(printable, (one.file, one.label, one.read_as))
        print(f"  {file}: {label}, read as {read_as} ({one.confidence:.0%})")
    if len(result.mistakes) > LISTED:
        print(f"  and {len(result.mistakes) - LISTED:,} more: `--json` has them all")
    if result.not_judged:
        print(
            plural(
                "{count} photo was left out: no other fold has its class.",
                "{count} photos were left out: no other fold has their class.",
                count=result.not_judged,
            )
        )


def _progress():
    """How far it is, where somebody looks on."""
    if not sys.stderr.isatty():
        return None

    def told(done: int, total: int) -> None:
        print(f"\r{done:,} of {total:,} photos", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return told
