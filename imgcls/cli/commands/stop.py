"""`stop`: ask a run to save and end, wherever it was started; a waiting one leaves the queue."""

from __future__ import annotations

import argparse

from imgcls.runs.store import find_run
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    made = find_run(arguments.run, Workspace.from_environment())
    state = made.written()
    queued = state is not None and state.state == "queued"
    made.stop()
    said = "is not in the queue any more" if queued else "saves and ends after the step it is in"
    print(f"{made.name} {said}.")
    return 0
