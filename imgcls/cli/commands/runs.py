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


def table(seen: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, pad_edge=False)
    for title in ("run", "state", "epochs", "val", "test"):
        made.add_column(title, justify="left" if title in ("run", "state") else "right", no_wrap=title == "run")
    for row in seen:
        wanted = row["settings"]["epochs"] if row["settings"] else "?"
        made.add_row(
            row["name"],
            row["state"] if row["place"] is None else f"{row['state']} ({row['place']})",
            f"{row['epochs']}/{wanted}",
            *("" if row[k] is None else f"{row[k]:.2%}" for k in ("val_accuracy", "test_accuracy")),
        )
    # A pipe has no width of its own: long names must not be cut there.
    Console(width=None if sys.stdout.isatty() else 160).print(made)
