"""`fetch`: get a data set or pre-trained weights ahead of a lesson, with a progress bar."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator

from imgcls.errors import DatasetError
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    name = arguments.name
    from imgcls.models.registry import MODELS, REGISTRY

    if name in REGISTRY:
        from imgcls.models.pretrained import resolve_weights

        with _bar(name) as progress:
            path = resolve_weights("imagenet", model=name, folder=workspace.weight, progress=progress)
        print(path)
        return 0
    from imgcls.data.download import fetch
    from imgcls.data.registry import DATASETS, fetchable_names

    if name not in DATASETS:
        names = ", ".join([*fetchable_names(), *(spec.name for spec in MODELS if spec.weights)])
        raise DatasetError("There is nothing called {name} to fetch: choose one of {names}.", name=name, names=names)
    with _bar(name) as progress:
        fetch(name, workspace, progress=progress)
    print(f"{name} is there.")
    return 0


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """What a download tells of its bytes, as a bar where somebody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
