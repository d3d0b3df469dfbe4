"""`runs`: what has been trained, newest first, with state, settings and best figures."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from imgcls.cli.main import to_json
from imgcls.runs.reader import view
from imgcls.runs.store import list_runs
from imgcls.runs.summary import summary
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    seen = [summary(view(made)) for made in list_runs(Workspace.from_environment())]
    if arguments.json:
        print(to_json(seen))
    elif seen:
        table(seen)
    else:
        print("No runs yet: python -m imgcls train", file=sys.stderr)
    return 0


GAP = 2  # characters between two columns
TITLES = ("run", "state", "epochs", "val", "test")


def table(seen: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    # A pipe has no width of its own: long names must not be cut there.
    console = Console(width=None if sys.stdout.isatty() else 160)
    rows = [_cells(row) for row in seen]
    figures = sum(max(map(len, column)) + GAP for column in list(zip(TITLES, *rows, strict=True))[1:])
    made = Table(box=None, pad_edge=False)
    for title in TITLES:
        made.add_column(title, justify="left" if title in ("run", "state") else "right", no_wrap=True)
    for name, *others in rows:
        made.add_row(_shortened(name, max(6, console.width - figures)), *others)
    console.print(made)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    epochs = row["settings"]["epochs"] if row["settings"] else "?"
    accuracies = ("" if row[k] is None else f"{row[k]:.2%}" for k in ("val_accuracy", "test_accuracy"))
    state = row["state"] if row["place"] is None else f"{row['state']} ({row['place']})"
    return row["name"], state, f"{row['epochs']}/{epochs}", *accuracies


def _shortened(name: str, width: int) -> str:
    """Cut in the middle: both ends of a name tell runs apart. Figures are never cut."""
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"
