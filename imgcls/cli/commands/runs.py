"""`runs`: what has been trained, newest first, with state, settings and best figures."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from imgcls.runs.reader import RunView, view
from imgcls.runs.store import list_runs
from imgcls.training import events
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    seen = [summary(view(made)) for made in list_runs(Workspace.from_environment())]
    if arguments.json:
        print(json.dumps(seen, ensure_ascii=False))
    elif seen:
        table(seen)
    else:
        print("No runs yet: python -m imgcls train", file=sys.stderr)
    return 0


def summary(seen: RunView) -> dict[str, Any]:
    best, ending = seen.best, seen.ending
    return {
        "name": seen.run.name,
        "state": seen.state,
        "created": seen.created,
        "seconds": round(seen.seconds, 1),
        "done": round(seen.share, 4),
        "epochs": len(seen.epochs),
        "best_epoch": best.epoch if best else None,
        "val_accuracy": best.val_accuracy if best else None,
        "val_loss": best.val_loss if best else None,
        "test_accuracy": ending.test_accuracy if isinstance(ending, events.Finished) else None,
        "message": str(ending.message) if isinstance(ending, events.Failed) else None,
        "checkpoint": str(seen.run.best) if seen.run.best.is_file() else None,
        "can_resume": not seen.live and seen.run.can_resume,
        "settings": seen.settings.model_dump() if seen.settings else None,
    }


def table(seen: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, pad_edge=False)
    for title, side in (("run", "left"), ("state", "left"), ("epochs", "right"), ("val", "right"), ("test", "right")):
        made.add_column(title, justify=side, no_wrap=title == "run")
    for row in seen:
        wanted = row["settings"]["epochs"] if row["settings"] else "?"
        made.add_row(
            row["name"],
            row["state"],
            f"{row['epochs']}/{wanted}",
            *("" if row[k] is None else f"{row[k]:.2%}" for k in ("val_accuracy", "test_accuracy")),
        )
    # A pipe has no width of its own: long names must not be cut there.
    Console(width=None if sys.stdout.isatty() else 160).print(made)
