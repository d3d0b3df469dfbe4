"""Which checkpoints there are: those of runs, newest first, and those that ship with the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imgcls.checkpoints.format import read_meta
from imgcls.errors import CheckpointError
from imgcls.workspace import PROJECT, Workspace


@dataclass(frozen=True)
class CheckpointInfo:
    """A line in a list of checkpoints. `metrics` may hold val_accuracy, val_loss, test_accuracy, test_loss."""

    path: Path
    run: str
    kind: str
    model: str
    dataset: str
    classes: tuple[str, ...]
    metrics: dict[str, float | None]
    created: float


def list_checkpoints(workspace: Workspace) -> list[CheckpointInfo]:
    """Every readable best and last checkpoint, newest first, the shipped ones last. Foreign files are left out."""
    found: dict[str, list[CheckpointInfo]] = {"own": [], "shipped": []}
    roots = [workspace.checkpoints] if workspace.root == PROJECT else [workspace.checkpoints, PROJECT / "checkpoints"]
    for root in roots:
        for path in sorted(root.glob("*/*.safetensors")):
            if path.stem not in ("best", "last") or path.name.startswith("."):
                continue
            try:
                meta = read_meta(path)
            except CheckpointError:
                continue
            info = CheckpointInfo(
                path=path,
                run=path.parent.name,
                kind=path.stem,
                model=meta.model,
                dataset=str(meta.settings.get("dataset", "")),
                classes=meta.classes,
                metrics=meta.metrics,
                created=meta.created,
            )
            found["shipped" if is_shipped(path) else "own"].append(info)
    newest = sorted(found["own"], key=lambda info: -info.created)
    return newest + found["shipped"]


SHIPPED = ("lenet-digits", "lenet-mnist")


def is_shipped(path: Path) -> bool:
    return path.parent.name in SHIPPED and path.parent.parent == PROJECT / "checkpoints"
