"""`work-evaluate`: the process behind an evaluation that the page started. Not for people."""

from __future__ import annotations

import argparse
from pathlib import Path

from imgcls.runs.evaluations import work
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    return work(Path(arguments.folder), Workspace.from_environment())
