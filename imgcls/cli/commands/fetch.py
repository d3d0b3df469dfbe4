"""`fetch`: get a data set or pre-trained weights ahead of a lesson, with a progress bar."""

from __future__ import annotations

import argparse
import sys

from imgcls.errors import DatasetError
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    from imgcls.models.pretrained import resolve_weights
    from imgcls.models.registry import MODELS, REGISTRY

    if arguments.name in REGISTRY:
        print(resolve_weights("imagenet", model=arguments.name, folder=workspace.weight))
        return 0
    from imgcls.data.download import CLASSES, fetch

    if arguments.name not in CLASSES:
        names = ", ".join([*CLASSES, *(spec.name for spec in MODELS if spec.weights)])
        raise DatasetError(
            "There is nothing called {name} to fetch: choose one of {names}.", name=arguments.name, names=names
        )
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(arguments.name, total=None)
        fetch(
            arguments.name,
            workspace,
            progress=lambda done, total: bar.update(task, completed=done, total=total or None),
        )
    print(f"{arguments.name} is there.")
    return 0
