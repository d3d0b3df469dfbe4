"""`resume`: go on with a stopped or killed run in this process."""

from __future__ import annotations

import argparse

from imgcls import runs
from imgcls.commands.train import begin
from imgcls.home import Home


def run(arguments: argparse.Namespace) -> int:
    home = Home.from_environment()

    def taken_up() -> runs.Run:
        made = runs.find(arguments.run, home)
        runs.prepare_resume(made)
        return made

    return begin(taken_up, home, go_on=True)
