"""`sweep`: one training with several values of some settings and several seeds. With --json, one object a combination.

Its runs train in processes of their own; this one waits, tells, and asks them to stop when it is interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from imgcls.cli.main import to_json
from imgcls.cli.parser import explicit_settings
from imgcls.errors import SettingsError
from imgcls.messages import Setting, Terminal
from imgcls.runs import search, sweep, sweep_result
from imgcls.runs.sweep_request import Request, again, plan
from imgcls.workspace import Workspace

DEFAULT_SEEDS = (1, 2, 3)


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    request = _resumed(arguments, workspace) if arguments.resume else _request(arguments)
    request = replace(request, engine=arguments.engine)
    if arguments.engine == "ray":
        from imgcls.runs import ray_engine

        ray_engine.connected(arguments.address)  # before anything is made
    stored_sweep = sweep.create(request, workspace, name=arguments.resume or arguments.name or "")
    status = _wait(stored_sweep, arguments)
    result = sweep_result.result(stored_sweep)
    if arguments.json:
        for row in result.rows:
            print(to_json(row.as_dict()))
    else:
        show(result)
    if status == "stopped":
        print(f"Saved. To go on: python -m imgcls sweep --resume {stored_sweep.name}", file=sys.stderr)
        return 130
    return 0 if result.best else 1


def _request(arguments: argparse.Namespace) -> Request:
    return plan(
        _same_for_all(arguments),
        _vary(arguments),
        _seeds(arguments.seeds) or DEFAULT_SEEDS,
        kind=arguments.search or "grid",
        trials=arguments.trials or 0,
        jobs=arguments.jobs or 0,
    )


def _resumed(arguments: argparse.Namespace, workspace: Workspace) -> Request:
    if arguments.name and arguments.name != arguments.resume:
        raise SettingsError("A sweep that goes on keeps its name: leave out {setting}.", setting=Setting("name"))
    saved_request = sweep.find(arguments.resume, workspace).request()
    return again(
        saved_request,
        _same_for_all(arguments),
        _vary(arguments),
        _seeds(arguments.seeds),
        kind=arguments.search,
        trials=arguments.trials or 0,
        jobs=arguments.jobs or 0,
    )


def _same_for_all(arguments: argparse.Namespace) -> dict[str, str]:
    return {name: value for name, value in explicit_settings(arguments).items() if name != "name"}


def _vary(arguments: argparse.Namespace) -> dict[str, list[str]]:
    factors: dict[str, list[str]] = {}
    for text in arguments.vary or ():
        name, values = search.parse_factor(text)
        factors.setdefault(name, []).extend(values)
    return factors


def _seeds(text: str | None) -> tuple[Any, ...]:
    return tuple(seed.strip() for seed in (text or "").split(",") if seed.strip())


def _wait(stored_sweep: sweep.Sweep, arguments: argparse.Namespace) -> str:
    """Until everything has ended, in whatever processes. Ctrl-C, SIGTERM and a closed terminal: all save and stop."""
    done: list[str] = []

    def on_end(trial: sweep.Trial) -> None:
        done.append(trial.name)
        print(sweep_result.line(stored_sweep, trial, len(done)), file=sys.stderr, flush=True)

    print(
        f"{stored_sweep.name}: {len(stored_sweep.trials())} runs, {_side_by_side(stored_sweep, arguments)}",
        file=sys.stderr,
        flush=True,
    )
    with _stopping(stored_sweep):
        if arguments.engine == "ray":
            from imgcls.runs import ray_engine

            return deque(ray_engine.follow(stored_sweep, arguments.address, on_end), maxlen=1).pop()
        return deque(sweep.follow(stored_sweep, on_end), maxlen=1).pop()


def _side_by_side(stored_sweep: sweep.Sweep, arguments: argparse.Namespace) -> str:
    return "on Ray" if arguments.engine == "ray" else f"{stored_sweep.request().jobs} at a time"


@contextlib.contextmanager
def _stopping(stored_sweep: sweep.Sweep) -> Iterator[None]:
    def on_signal(number: int, _frame: object) -> None:
        if not stored_sweep.request().going and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C does not wait
        print("Its runs save and end ...", file=sys.stderr, flush=True)
        sweep.stop(stored_sweep)

    names = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    previous_handlers = {number: signal.signal(number, on_signal) for number in names}
    try:
        yield
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


def show(result: sweep_result.Result) -> None:
    """The table, the best settings, and what matters."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(box=None, pad_edge=False)
    factors = list(result.request.factors)
    halving = result.request.search == "successive-halving"
    for title in (*factors, *(["epochs"] if halving else []), "validation accuracy", "n"):
        table.add_column(title, justify="left" if title in factors else "right", no_wrap=True)
    for row in result.ranked:
        cells = [str(row.combination[name]) for name in factors] + ([str(row.epochs)] if halving else [])
        table.add_row(*cells, row.figure, str(row.n) + (f" ({row.failed} failed)" if row.failed else ""))
    console.print(table, highlight=False)
    if result.best:
        print(f"\nBest: {result.best_command()}")
    print("Does it matter?")
    for sentence in result.effects():
        print(f"  {sentence.said(Terminal())}")
