"""`datasets`: what is there; with a name, that set's report."""

from __future__ import annotations

import argparse
import sys

from imgcls.cli.main import to_json
from imgcls.data.report import Report, available_datasets, report
from imgcls.errors import DatasetError
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    if arguments.name:
        data_report = report(arguments.name, workspace)
        print(to_json([data_report.as_dict()])) if arguments.json else show(data_report)
        return 0
    rows = []
    for name, is_here in available_datasets(workspace):
        row = {"name": name, "here": is_here, "images": None, "classes": None, "problem": None}
        if is_here:
            try:
                data_report = report(name, workspace)
                row |= {
                    "images": data_report.images,
                    "classes": list(data_report.classes),
                    "report": data_report.as_dict(),
                }
            except DatasetError as error:  # one bad folder must not hide the others
                row["problem"] = str(error)
        rows.append(row)
    if arguments.json:
        print(to_json(rows))
        return 0
    for row in rows:
        if not row["here"]:
            print(f"{row['name']}: not here (python -m imgcls fetch {row['name']})")
        elif row["problem"]:
            print(f"{row['name']}: {row['problem']}")
        else:
            findings = len(row["report"]["problems"])
            more = f"; {findings} to know: python -m imgcls datasets {row['name']}" if findings else ""
            print(f"{row['name']}: {row['images']:,} images, {len(row['classes'])} classes{more}")
    return 0


def show(data_report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    print(f"{data_report.name}: {data_report.images:,} images, {len(data_report.classes)} classes")
    if data_report.sizes:
        small, middle, large = (f"{width}×{height}" for width, height in data_report.sizes)
        print(f"sizes: {small} to {large}, median {middle}" if small != large else f"size: {small}")
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for split in data_report.counts:
        table.add_column(split, justify="right")
    for i, name in enumerate(data_report.classes):
        table.add_row(name, *(f"{counts[i]:,}" for counts in data_report.counts.values()))
    Console(width=None if sys.stdout.isatty() else 120).print(table, highlight=False)
    for problem in data_report.problems:
        print(f"- {problem.message}")
    for _, sentence in data_report.broken:
        print(f"  {sentence}")
    for group in data_report.doubles:
        print("  the same: " + ", ".join(group))
