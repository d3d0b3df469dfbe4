"""`runs`: what has been trained, newest first, with state, settings and best figures."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from imgcls.cli.main import to_json
from imgcls.runs import queue
from imgcls.runs.reader import RunView, view
from imgcls.runs.store import list_runs
from imgcls.training import events
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


def summary(seen: RunView) -> dict[str, Any]:
    best, ending = seen.best, seen.ending
    owner = seen.written.owner if seen.written else None
    return {
        "name": seen.run.name,
        "state": seen.state,
        "place": queue.position(seen.run) if seen.state == "queued" else None,
        "owner": owner.nickname if owner else None,
        "created": seen.created,
        "seconds": round(seen.seconds, 1),
        "done": round(seen.share, 4),
        "epochs": len(seen.epochs),
        "best_epoch": best.epoch if best else None,
        "val_accuracy": best.val_accuracy if best else None,
        "val_loss": best.val_loss if best else None,
        "test_accuracy": ending.test_accuracy if isinstance(ending, events.Finished) else None,
        "message": None if seen.failure is None else str(seen.failure),
        "checkpoint": str(seen.run.best) if seen.run.best.is_file() else None,
        "can_resume": seen.at_rest and seen.run.can_resume,
        "exact_until": seen.exact_until,
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
            row["state"] if row["place"] is None else f"{row['state']} ({row['place']})",
            f"{row['epochs']}/{wanted}",
            *("" if row[k] is None else f"{row[k]:.2%}" for k in ("val_accuracy", "test_accuracy")),
        )
    # A pipe has no width of its own: long names must not be cut there.
    Console(width=None if sys.stdout.isatty() else 160).print(made)
