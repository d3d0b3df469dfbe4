"""`stop`: ask a run to save and end, wherever it was started."""

from __future__ import annotations

import argparse

from imgcls.errors import RunError
from imgcls.runs.store import find_run
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    made = find_run(arguments.run, Workspace.from_environment())
    if not made.alive():
        raise RunError("{name} is not running.", name=made.name)
    made.stop()
    print(f"{made.name} saves and ends after the step it is in.")
    return 0
