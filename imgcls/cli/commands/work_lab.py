"""`work-lab`: the process behind an initialisation lab that the page started. Not for people."""

from __future__ import annotations

import argparse

from imgcls.runs import init_lab
from imgcls.runs.launcher import start_next
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    lab = init_lab.find_lab(arguments.lab, workspace)
    init_lab.work(lab)
    start_next(workspace)
    return 1 if lab.state() == "failed" else 0
