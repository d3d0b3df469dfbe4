"""`train`: make a run and be its process, with a console beside the other sinks. The last line is the checkpoint."""

from __future__ import annotations

import argparse
import contextlib
import sys

from imgcls import events, runs
from imgcls.cli import given
from imgcls.home import Home
from imgcls.recipes import with_recipe
from imgcls.runs import Run


def run(arguments: argparse.Namespace) -> int:
    settings = with_recipe(given(arguments))
    home = Home.from_environment()
    made = runs.create(settings, home)
    return be(made)


def be(made: Run, *, go_on: bool = False) -> int:
    """Train in this process until the end. 0 finished; 1 failed; 130 stopped and saved."""
    from imgcls.sinks import BarConsole, PlainConsole
    from imgcls.worker import work

    bar = sys.stdout.isatty() and sys.stderr.isatty()
    with contextlib.ExitStack() as stack:
        console = stack.enter_context(BarConsole()) if bar else PlainConsole()
        last = work(made, sinks=[console], go_on=go_on)
    if isinstance(last, events.Failed):
        print(f"imgcls: {last.message}", file=sys.stderr)
        return 1
    if isinstance(last, events.Stopped):
        if made.can_go_on:
            print(f"Saved. To go on: python -m imgcls resume {made.name}", file=sys.stderr)
        else:
            print("Stopped before the first step: there is nothing to save yet.", file=sys.stderr)
        if last.checkpoint:
            print(last.checkpoint)
        return 130
    assert isinstance(last, events.Finished)
    print(last.checkpoint)
    return 0
