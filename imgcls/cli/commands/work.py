"""`work`: the process behind a run that the page or a sweep started. Not for people."""

from __future__ import annotations

import argparse

from imgcls.runs import sweep
from imgcls.runs.launcher import start_next
from imgcls.runs.store import find_run
from imgcls.runs.worker import work
from imgcls.training import events
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    made = find_run(arguments.run, workspace)
    state = made.written()
    if state is not None and state.parent:
        last = sweep.work(made, resume=arguments.resume)
    else:
        last = work(made, resume=arguments.resume)
    start_next(workspace)
    return 1 if isinstance(last, events.Failed) else 0
