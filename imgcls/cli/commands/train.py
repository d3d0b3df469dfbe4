"""`train`: make a run and be its process, with a console beside the other loggers. The last line is the checkpoint."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable

from imgcls.cli.parser import explicit_settings
from imgcls.errors import ImgclsError
from imgcls.messages import Terminal
from imgcls.recipes import with_recipe
from imgcls.runs import worker
from imgcls.runs.launcher import start_next
from imgcls.runs.lifecycle import create_run
from imgcls.runs.store import Run, find_run
from imgcls.training import events
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    settings = with_recipe(explicit_settings(arguments))
    workspace = Workspace.from_environment()
    return claim_and_train(lambda: create_run(settings, workspace), workspace)


def claim_and_train(make: Callable[[], Run], workspace: Workspace, *, resume: bool = False) -> int:
    """Be the process of the run that `make` makes or finds, or one of the several that `accelerate launch` started."""
    from imgcls.training.distributed import broadcast_object, destroy, processes

    rank, world = processes()
    if world == 1:
        run = make()
        if not resume:
            _print_estimate(run)
        return train_here(run, resume=resume)
    name, error = "", None
    if rank == 0:
        try:
            name = make().name
        except ImgclsError as caught:  # the others have to hear of it before this one leaves
            error = caught
    name = broadcast_object(name)
    try:
        if error is not None:
            raise error
        if rank == 0:
            return train_here(find_run(name, workspace), resume=resume)
        if name:
            worker.follow_rank(find_run(name, workspace), resume=resume)
        return 0 if name else 2
    finally:
        destroy()


def _print_estimate(run: Run) -> None:
    """What will learn, before the first step. How long it takes is said a moment later, by the steps themselves."""
    from imgcls.training.estimate import estimate

    estimated = estimate(run.settings(), run.workspace, timed=False)
    layers, parameters = ", ".join(estimated.layers), f"{estimated.trainable:,} of {estimated.parameters:,} parameters"
    learn = f"{estimated.mode}: {layers} {'learns' if len(estimated.layers) == 1 else 'learn'}, {parameters}"
    print(learn, file=sys.stderr, flush=True)


def train_here(run: Run, *, resume: bool = False) -> int:
    """Train in this process until the end. 0 finished; 1 failed; 130 stopped and saved."""
    from imgcls.training.loggers.console import BarConsole, PlainConsole

    bar = sys.stdout.isatty() and sys.stderr.isatty()
    with contextlib.ExitStack() as stack:
        console = stack.enter_context(BarConsole()) if bar else PlainConsole()
        last = worker.work(run, loggers=[console], resume=resume)
    start_next(run.workspace)  # of a class that waits in the queue
    if isinstance(last, events.Failed):
        print(f"imgcls: {last.message.said(Terminal())}", file=sys.stderr)
        return 1
    if isinstance(last, events.Stopped):
        if run.can_resume:
            print(f"Saved. To go on: python -m imgcls resume {run.name}", file=sys.stderr)
        else:
            print("Stopped before the first step: there is nothing to save yet.", file=sys.stderr)
        if last.checkpoint:
            print(last.checkpoint)
        return 130
    assert isinstance(last, events.Finished)
    predict = f"python -m imgcls predict --checkpoint {run.name} IMAGE"
    print(f"Try it: {predict}, or in the browser: python -m imgcls serve", file=sys.stderr)
    print(last.checkpoint)
    return 0
