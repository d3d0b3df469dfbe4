"""`standby`: wait, with everything imported, for what the server's next Start asks. Not for people."""

from __future__ import annotations

import argparse

from imgcls import standby
from imgcls.cli import main


def run(arguments: argparse.Namespace) -> int:
    asked = standby.wait()
    return 0 if asked is None else main(asked)
