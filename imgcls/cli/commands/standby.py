"""`standby`: wait, with everything imported, for what the server's next Start asks. Not for people."""

from __future__ import annotations

import argparse


def run(arguments: argparse.Namespace) -> int:
    # What a run will import, in its worker and its trainer; said `ready` only then.
    import contextlib

    import imgcls.training.trainer  # noqa: F401
    from imgcls.cli.main import main
    from imgcls.data.download import read_beforehand
    from imgcls.errors import ImgclsError
    from imgcls.runs.warm_worker import wait
    from imgcls.settings import TrainSettings
    from imgcls.training.loggers.tensorboard import TensorBoard
    from imgcls.training.warmup import rehearse
    from imgcls.workspace import Workspace

    TensorBoard.writer_class()
    rehearse()
    with contextlib.suppress(ImgclsError, OSError):
        read_beforehand(TrainSettings.model_fields["dataset"].default, Workspace.from_environment())
    asked = wait()
    return 0 if asked is None else main(asked)
