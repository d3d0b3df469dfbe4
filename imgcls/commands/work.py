"""`work`: the process behind a run that the page started. Not for people."""

from __future__ import annotations

import argparse

from imgcls import events, runs
from imgcls.home import Home
from imgcls.worker import work


def run(arguments: argparse.Namespace) -> int:
    last = work(runs.find(arguments.run, Home.from_environment()), go_on=arguments.go_on)
    return 1 if isinstance(last, events.Failed) else 0
