"""`evaluate`: a checkpoint on a data set's test part (its validation part where it has no test part)."""

from __future__ import annotations

import argparse
import json
from typing import Any

from imgcls.checkpoints.format import Meta, load_checkpoint
from imgcls.cli.commands.predict import checkpoint_path
from imgcls.data.datasets import load_for_evaluation
from imgcls.data.loader import evaluation_batches
from imgcls.errors import CheckpointError
from imgcls.inference.metrics import BATCH, ClassificationReport, classification_report, evaluate
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    path = checkpoint_path(arguments.checkpoint, workspace)
    model, meta = load_checkpoint(path)
    name = arguments.dataset or meta.settings.get("dataset") or "mnist"
    import torch

    own = str(meta.settings.get("dataset") or name)
    split, part = load_for_evaluation(
        name, workspace, trained=settings_of(meta, own), preprocess=meta.preprocess, classes=meta.classes
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    batches = evaluation_batches(split, meta.preprocess, batch_size=BATCH, device=device)
    measured = classification_report(evaluate(model, batches), meta.classes)
    if arguments.json:
        said: dict[str, Any] = {"checkpoint": str(path), "dataset": name, "part": part, **measured.as_dict()}
        print(json.dumps(said, ensure_ascii=False))
    else:
        show(measured, title=f"{path} on {name} ({part})")
    return 0


def settings_of(meta: Meta, dataset: str) -> TrainSettings:
    """The settings that the checkpoint was made with, for the same split of the same seed, on `dataset`."""
    known = {k: v for k, v in meta.settings.items() if k in TrainSettings.model_fields}
    try:
        return TrainSettings(**{**known, "dataset": dataset})
    except ValueError:
        raise CheckpointError("The checkpoint's settings cannot be read by this version of the lab.") from None


def show(measured: ClassificationReport, *, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    print(f"{title}: {measured.images:,} images, accuracy {measured.accuracy:.2%}, loss {measured.loss:.4f}\n")
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for column in ("images", "precision", "recall", "F1"):
        table.add_column(column, justify="right")
    for row in measured.classes:
        table.add_row(row.name, f"{row.images:,}", f"{row.precision:.2%}", f"{row.recall:.2%}", f"{row.f1:.2%}")
    console = Console()
    console.print(table, highlight=False)
    print("\nconfusion matrix (rows: true class, columns: predicted)")
    matrix = Table(box=None, pad_edge=False)
    matrix.add_column("")
    for row in measured.classes:
        matrix.add_column(row.name, justify="right")
    for row, counts in zip(measured.classes, measured.confusion, strict=True):
        matrix.add_row(row.name, *(str(n) for n in counts))
    console.print(matrix, highlight=False)
