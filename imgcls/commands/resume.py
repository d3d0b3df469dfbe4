"""`resume`: go on with a stopped or killed run in this process."""

from __future__ import annotations

import argparse

from imgcls import runs
from imgcls.commands.train import be
from imgcls.home import Home


def run(arguments: argparse.Namespace) -> int:
    made = runs.find(arguments.run, Home.from_environment())
    runs.prepare_resume(made)
    return be(made, go_on=True)
