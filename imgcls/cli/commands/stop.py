"""`stop`: ask a run or a sweep to save and end, wherever it was started; a waiting one leaves the queue."""

from __future__ import annotations

import argparse

from imgcls.runs import sweep
from imgcls.runs.store import find_run
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    if sweep.is_one(arguments.run, workspace):
        sweep.stop(sweep.find(arguments.run, workspace))
        print(f"{arguments.run}: its runs save and end. To go on: python -m imgcls sweep --resume {arguments.run}")
        return 0
    target = find_run(arguments.run, workspace)
    state = target.read_state()
    queued = state is not None and state.state == "queued"
    target.stop()
    sentence = "is not in the queue any more" if queued else "saves and ends after the step it is in"
    print(f"{target.name} {sentence}.")
    return 0
