"""`work-calibrate`: the process that measures and calibrates what browsers have trained. Not for people."""

from __future__ import annotations

import argparse
from pathlib import Path

from imgcls.runs.page_runs import work
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    return work(Path(arguments.folder), Workspace.from_environment())
