"""`report`: one or several runs, evaluated and written into one HTML file."""

from __future__ import annotations

import argparse
from itertools import chain, count
from pathlib import Path

from imgcls.checkpoints.store import checkpoint_path
from imgcls.cli.commands.evaluate import Progress
from imgcls.errors import SettingsError
from imgcls.filenames import numbered
from imgcls.files import write_bytes
from imgcls.runs.evaluations import evaluate_checkpoint, measured_on
from imgcls.web.evaluate.report import report
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    paths = [checkpoint_path(name, workspace).absolute() for name in arguments.runs]
    if len({path.resolve() for path in paths}) < len(paths):
        raise SettingsError("The same checkpoint is given twice: give different ones to compare.")
    dataset = measured_on(paths[0], arguments.dataset or "")
    evaluations = []
    for path in paths:
        progress = Progress(path)
        evaluations.append(
            evaluate_checkpoint(path, workspace, dataset=dataset, part=arguments.part or "", progress=progress)
        )
        progress.end()
    out = Path(arguments.out) if arguments.out else _free(f"{paths[0].parent.name}.html")
    content = report(paths, evaluations, workspace).encode()
    write_bytes(out, content)
    print(f"{out}: {len(content) / 1000:.0f} kB; it opens in any browser and asks for nothing.")
    return 0


def _free(name: str) -> Path:
    """In this folder: `name`, or with the first number that no file has yet."""
    names = chain([name], (numbered(name, number) for number in count(2)))
    return next(path for path in map(Path, names) if not path.exists())
