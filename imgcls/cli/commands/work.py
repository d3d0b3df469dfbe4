"""The processes behind what the page starts: `work`, `standby`, `work-evaluate` and the like. Not for people."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path

from imgcls.workspace import Workspace

JOBS = {  # the module of imgcls.runs whose `run(folder, workspace)` does it
    "work-audit": "audits",
    "work-calibrate": "page_runs",
    "work-evaluate": "evaluations",
    "work-fetch": "downloads",
    "work-lr-find": "rate_tests",
}


def run(arguments: argparse.Namespace) -> int:
    if arguments.job in JOBS:
        module = importlib.import_module(f"imgcls.runs.{JOBS[arguments.job]}")
        return module.run(Path(arguments.folder), Workspace.from_environment())
    return OTHERS[arguments.job](arguments)


def _train(arguments: argparse.Namespace) -> int:
    from imgcls.runs import sweep
    from imgcls.runs.launcher import start_next
    from imgcls.runs.store import find_run
    from imgcls.runs.worker import work
    from imgcls.training import events

    workspace = Workspace.from_environment()
    run = find_run(arguments.run, workspace)
    state = run.read_state()
    of_sweep = state is not None and state.parent
    last = (sweep.work if of_sweep else work)(run, resume=arguments.resume)
    start_next(workspace)
    return 1 if isinstance(last, events.Failed) else 0


def _compare_initialisations(arguments: argparse.Namespace) -> int:
    from imgcls.runs import init_lab
    from imgcls.runs.launcher import start_next

    workspace = Workspace.from_environment()
    lab = init_lab.find_lab(arguments.lab, workspace)
    init_lab.work(lab)
    start_next(workspace)
    return 1 if lab.state() == "failed" else 0


def _stand_by(arguments: argparse.Namespace) -> int:
    """Wait, with everything imported that a run will import, for what the server's next Start asks."""
    import contextlib

    import imgcls.training.trainer  # noqa: F401
    from imgcls.cli.main import main
    from imgcls.data.download import prefetch
    from imgcls.errors import ImgclsError
    from imgcls.runs.warm_worker import wait
    from imgcls.settings import TrainSettings
    from imgcls.training.loggers.tensorboard import TensorBoard
    from imgcls.training.warmup import warm_up

    TensorBoard.writer_class()
    warm_up()
    with contextlib.suppress(ImgclsError, OSError):
        prefetch(TrainSettings.model_fields["dataset"].default, Workspace.from_environment())
    arguments_sent = wait()
    return 0 if arguments_sent is None else main(arguments_sent)


OTHERS: dict[str, Callable[[argparse.Namespace], int]] = {
    "work": _train,
    "work-lab": _compare_initialisations,
    "standby": _stand_by,
}
