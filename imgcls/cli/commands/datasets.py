"""`datasets`: what is there; with a name, that set's report."""

from __future__ import annotations

import argparse
import sys

from imgcls.cli.main import to_json
from imgcls.data.report import Report, report, there
from imgcls.errors import DatasetError
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    if arguments.name:
        made = report(arguments.name, workspace)
        print(to_json([made.as_dict()])) if arguments.json else show(made)
        return 0
    said = []
    for name, is_here in there(workspace):
        row = {"name": name, "here": is_here, "images": None, "classes": None, "problem": None}
        if is_here:
            try:
                made = report(name, workspace)
                row |= {"images": made.images, "classes": list(made.classes), "report": made.as_dict()}
            except DatasetError as error:  # one bad folder must not hide the others
                row["problem"] = str(error)
        said.append(row)
    if arguments.json:
        print(to_json(said))
        return 0
    for row in said:
        if not row["here"]:
            print(f"{row['name']}: not here (python -m imgcls fetch {row['name']})")
        elif row["problem"]:
            print(f"{row['name']}: {row['problem']}")
        else:
            findings = len(row["report"]["problems"])
            more = f"; {findings} to know: python -m imgcls datasets {row['name']}" if findings else ""
            print(f"{row['name']}: {row['images']:,} images, {len(row['classes'])} classes{more}")
    return 0


def show(made: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    print(f"{made.name}: {made.images:,} images, {len(made.classes)} classes")
    if made.sizes:
        small, middle, large = (f"{width}×{height}" for width, height in made.sizes)
        print(f"sizes: {small} to {large}, median {middle}" if small != large else f"size: {small}")
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for part in made.counts:
        table.add_column(part, justify="right")
    for i, name in enumerate(made.classes):
        table.add_row(name, *(f"{counts[i]:,}" for counts in made.counts.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(table, highlight=False)
    for problem in made.problems:
        print(f"- {problem.message}")
    for _, sentence in made.broken:
        print(f"  {sentence}")
    for group in made.doubles:
        print("  the same: " + ", ".join(group))
