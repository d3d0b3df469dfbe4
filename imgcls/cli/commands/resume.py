"""`resume`: go on with a stopped or killed run in this process, or with a finished one for more epochs."""

from __future__ import annotations

import argparse

from imgcls.cli.commands.train import claim_and_train
from imgcls.runs.lifecycle import prepare_resume
from imgcls.runs.store import Run, find_run
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()

    def prepared_run() -> Run:
        run = find_run(arguments.run, workspace)
        prepare_resume(run, epochs=arguments.epochs)
        return run

    return claim_and_train(prepared_run, workspace, resume=True)
