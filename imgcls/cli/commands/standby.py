"""`standby`: wait, with everything imported, for what the server's next Start asks. Not for people."""

from __future__ import annotations

import argparse

from imgcls.cli.main import main
from imgcls.runs.warm_worker import wait


def run(arguments: argparse.Namespace) -> int:
    asked = wait()
    return 0 if asked is None else main(asked)
