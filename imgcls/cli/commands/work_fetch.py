"""`work-fetch`: the process behind a data set that the page fetches. Not for people."""

from __future__ import annotations

import argparse
from pathlib import Path

from imgcls.runs.downloads import work
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    return work(Path(arguments.folder), Workspace.from_environment())
