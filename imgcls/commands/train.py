"""`train`: make a run and be its process, with a console beside the other sinks. The last line is the checkpoint."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable

from imgcls import events, runs, worker
from imgcls.cli import given
from imgcls.errors import ImgclsError
from imgcls.home import Home
from imgcls.recipes import with_recipe
from imgcls.runs import Run


def run(arguments: argparse.Namespace) -> int:
    settings = with_recipe(given(arguments))
    home = Home.from_environment()
    return begin(lambda: runs.create(settings, home), home)


def begin(make: Callable[[], Run], home: Home, *, go_on: bool = False) -> int:
    """Be the process of the run that `make` makes or finds, or one of the several that `accelerate launch` started."""
    from imgcls import devices

    rank, world = devices.processes()
    if world == 1:
        made = make()
        if not go_on:
            _foretell(made)
        return be(made, go_on=go_on)
    name, error = "", None
    if rank == 0:
        try:
            name = make().name
        except ImgclsError as caught:  # the others have to hear of it before this one leaves
            error = caught
    name = devices.from_first(name)
    try:
        if error is not None:
            raise error
        if rank == 0:
            return be(runs.find(name, home), go_on=go_on)
        if name:
            worker.follow_rank(runs.find(name, home), go_on=go_on)
        return 0 if name else 2
    finally:
        devices.leave()


def _foretell(made: Run) -> None:
    """What will learn and about how long it takes, before the first step."""
    from imgcls.plan import plan
    from imgcls.sinks import clock

    said = plan(made.settings(), made.home)
    about = "" if said.seconds is None else f"; about {clock(said.seconds)}"
    print(
        f"{said.mode}: {', '.join(said.layers)} learn, {said.trainable:,} of {said.parameters:,} parameters{about}",
        file=sys.stderr,
        flush=True,
    )


def be(made: Run, *, go_on: bool = False) -> int:
    """Train in this process until the end. 0 finished; 1 failed; 130 stopped and saved."""
    from imgcls.sinks import BarConsole, PlainConsole

    bar = sys.stdout.isatty() and sys.stderr.isatty()
    with contextlib.ExitStack() as stack:
        console = stack.enter_context(BarConsole()) if bar else PlainConsole()
        last = worker.work(made, sinks=[console], go_on=go_on)
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
