"""`runs`: what has been trained, newest first, with state, settings and best figures; and what people say of it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from imgcls.cli.main import to_json
from imgcls.errors import RunError
from imgcls.runs.annotations import annotate
from imgcls.runs.run_index import rows
from imgcls.runs.selection import select
from imgcls.runs.store import find_run
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    chosen = [find_run(name, workspace) for name in arguments.runs]
    if _says_something(arguments):
        if not chosen:
            raise RunError("Name the runs that are tagged, noted or pinned: imgcls runs RUN --add-tag TAG.")
        for run_named in chosen:
            annotate(
                run_named,
                add=arguments.add_tag or (),
                remove=arguments.remove_tag or (),
                note=arguments.note,
                pinned=arguments.pinned,
            )
    all_rows = rows(workspace)
    if chosen:
        names = {run_named.name for run_named in chosen}
        all_rows = [row for row in all_rows if row["name"] in names]
    selected = select(
        all_rows,
        words=arguments.search or "",
        conditions=arguments.where or (),
        tags=arguments.tag or (),
        sort=arguments.sort or "",
    )
    if arguments.json:
        print(to_json(selected))
    elif selected:
        table(selected)
    elif all_rows:
        print("No run is like that.", file=sys.stderr)
    else:
        print("No runs yet: python -m imgcls train", file=sys.stderr)
    return 0


def _says_something(arguments: argparse.Namespace) -> bool:
    changes = (arguments.add_tag, arguments.remove_tag, arguments.note, arguments.pinned)
    return any(value is not None for value in changes)


GAP = 2  # characters between two columns
TITLES = ("run", "state", "epochs", "val", "test", "tags")
NOTE_CHARS = 40  # of tags and a note together


def table(selected: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    # A pipe has no width of its own: long names must not be cut there.
    console = Console(width=None if sys.stdout.isatty() else 160)
    cells = [_cells(row) for row in selected]
    titles = TITLES if any(row[-1] for row in cells) else TITLES[:-1]
    cells = [row[: len(titles)] for row in cells]
    figures = sum(max(map(len, column)) + GAP for column in list(zip(titles, *cells, strict=True))[1:])
    grid = Table(box=None, pad_edge=False)
    for title in titles:
        grid.add_column(title, justify="left" if title in ("run", "state", "tags") else "right", no_wrap=True)
    for name, *others in cells:
        grid.add_row(_shortened(name, max(6, console.width - figures)), *others)
    console.print(grid)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    epochs = row["settings"]["epochs"] if row["settings"] else "?"
    accuracies = ("" if row[k] is None else f"{row[k]:.2%}" for k in ("val_accuracy", "test_accuracy"))
    state = row["state"] if row["place"] is None else f"{row['state']} ({row['place']})"
    remarks = " ".join(filter(None, ("*" if row["pinned"] else "", *(f"#{tag}" for tag in row["tags"]), row["note"])))
    remarks = remarks if len(remarks) <= NOTE_CHARS else remarks[: NOTE_CHARS - 1] + "…"
    return row["name"], state, f"{row['epochs']}/{epochs}", *accuracies, remarks


def _shortened(name: str, width: int) -> str:
    """Cut in the middle: both ends of a name tell runs apart. Figures are never cut."""
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"
