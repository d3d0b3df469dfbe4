"""`work-lab`: the process behind an initialisation lab that the page started. Not for people."""

from __future__ import annotations

import argparse

from imgcls.runs import init_lab
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    lab = init_lab.find_lab(arguments.lab, Workspace.from_environment())
    init_lab.work(lab)
    return 1 if lab.state() == "failed" else 0
