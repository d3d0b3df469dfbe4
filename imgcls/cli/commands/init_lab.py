"""`init-lab`: several initialisations of one network, compared. With --json, one object on stdout."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from imgcls.cli.main import to_json
from imgcls.cli.parser import explicit_settings
from imgcls.messages import Terminal
from imgcls.recipes import with_recipe
from imgcls.runs import init_lab
from imgcls.runs.launcher import start_next
from imgcls.training import events
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    from imgcls.training.loggers.console import PlainConsole

    inits = [name.strip() for name in arguments.inits.split(",") if name.strip()]
    lab = init_lab.create_lab(with_recipe(explicit_settings(arguments)), inits, Workspace.from_environment())
    ended = init_lab.work(lab, loggers=[PlainConsole(sys.stderr if arguments.json else None)])
    start_next(lab.workspace)
    if failure := lab.failure():
        print(f"imgcls: {failure.said(Terminal())}", file=sys.stderr)
        return 1
    if arguments.json:
        print(to_json(_summary(lab, ended)))
    else:
        _show(lab, ended)
    return 0 if lab.state() == "finished" else 130


def _summary(lab: init_lab.Lab, ended: dict[str, events.Event]) -> dict:
    return {
        "lab": lab.name,
        "state": lab.state(),
        "statistics": {init: [asdict(row) for row in rows] for init, rows in lab.statistics().items()},
        "runs": {init: {"run": lab.run(init).name, **_figures(event)} for init, event in ended.items()},
    }


def _figures(event: events.Event) -> dict:
    if isinstance(event, events.Finished):
        return {"state": "finished", "val_accuracy": event.best_val_accuracy, "val_loss": event.best_val_loss}
    error = str(event.message) if isinstance(event, events.Failed) else None
    return {"state": type(event).__name__.lower(), "val_accuracy": None, "val_loss": None, "error": error}


def _show(lab: init_lab.Lab, ended: dict[str, events.Event]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    statistics = lab.statistics()
    for title, cell in (
        ("Before the first step: standard deviation of each layer's output", lambda row: row.std),
        ("Before the first step: norm of each layer's gradient", lambda row: row.gradient),
    ):
        print(f"\n{title}")
        table = Table(box=None)
        table.add_column("layer")
        for init in statistics:
            table.add_column(init, justify="right")
        for rows in zip(*statistics.values(), strict=True):
            table.add_row(rows[0].layer, *(_number(cell(row)) for row in rows))
        console.print(table, highlight=False)
    print("\nWhat they learnt")
    table = Table(box=None)
    for name in ("initialisation", "validation accuracy", "validation loss", "run"):
        table.add_column(name)
    for init, event in ended.items():
        figures = _figures(event)
        if figures["state"] == "finished":
            cells = (f"{figures['val_accuracy']:.2%}", f"{figures['val_loss']:.4f}")
        else:
            cells = (figures["state"], figures.get("error") or "")
        table.add_row(init, *cells, lab.run(init).name)
    console.print(table, highlight=False)


def _number(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.3g}"
