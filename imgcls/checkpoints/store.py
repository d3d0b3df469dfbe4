"""Which checkpoints there are: those of runs, newest first, and those that ship with the project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from imgcls.checkpoints.format import read_meta
from imgcls.errors import CheckpointError
from imgcls.filenames import nearest
from imgcls.settings import NAME
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
    photos: bool = True  # whether it takes a photo as it is; otherwise it looks for ink


SHIPPED = ("lenet-digits", "lenet-mnist", "imagenet")  # the first reads drawings, the last names photos
CHECKPOINT_KINDS = ("best", "last")
CACHE_ENTRIES = 4096  # files whose description is remembered


def list_checkpoints(workspace: Workspace) -> list[CheckpointInfo]:
    """Every readable best and last checkpoint: the newest run first, its best before its last, the shipped ones at the
    end. Foreign files are left out.

    A file is opened once: as long as its time and size stay, listing it costs a look at its folder entry.
    """
    by_origin: dict[str, list[CheckpointInfo]] = {"own": [], "shipped": []}
    for root in _roots(workspace):
        for path in _files(root):
            info = _info(path)
            if info is not None:
                by_origin["shipped" if is_shipped(path) else "own"].append(info)
    newest: dict[str, float] = {}
    for info in by_origin["own"]:
        newest[info.run] = max(info.created, newest.get(info.run, 0.0))
    own = sorted(by_origin["own"], key=lambda info: (-newest[info.run], info.run, CHECKPOINT_KINDS.index(info.kind)))
    return own + sorted(by_origin["shipped"], key=lambda info: SHIPPED.index(info.run))


def brought(workspace: Workspace) -> list[str]:
    """The folders of networks that no run here made: learnt in a page, or imported. Newest first."""
    try:
        folders = [path for path in workspace.checkpoints.iterdir() if path.is_dir() and NAME.fullmatch(path.name)]
        folders.sort(key=lambda path: (-path.stat().st_mtime, path.name))
    except OSError:  # none yet, or one was deleted meanwhile
        return []
    return [path.name for path in folders if not (workspace.train_logs / path.name).exists()]


def find_checkpoint(key: str, workspace: Workspace) -> CheckpointInfo:
    """The checkpoint that a list calls "run/kind". Looks at that one file only. Raises CheckpointError."""
    run, _, kind = key.partition("/")
    if NAME.fullmatch(run) and kind in CHECKPOINT_KINDS:
        for root in _roots(workspace):
            info = _info(root / run / f"{kind}.safetensors")
            if info is not None:
                return info
    raise CheckpointError("There is no checkpoint {path}.", path=key[:100])


def checkpoint_names(workspace: Workspace) -> list[str]:
    """The names by which the terminal knows the best checkpoints; opens no file."""
    return sorted({path.parent.name for root in _roots(workspace) for path in _files(root) if path.is_file()})


def checkpoint_path(name: str | os.PathLike[str], workspace: Workspace) -> Path:
    """A file, a run's folder, a run's name (its best checkpoint), or "run/last". Raises CheckpointError."""
    path = Path(name)
    shipped = workspace.shipped("checkpoints", os.fspath(name))
    last = workspace.shipped("checkpoints", f"{os.fspath(name)}.safetensors")
    for candidate in (path, path / "best.safetensors", shipped / "best.safetensors", last):
        if os.path.isfile(candidate):  # a name that is too long, or a folder of somebody else's: no file
            return candidate
    near = nearest(os.fspath(name), checkpoint_names(workspace))
    if near:
        raise CheckpointError("There is no checkpoint {wanted}: did you mean {near}?", wanted=name, near=near)
    raise CheckpointError(
        "There is no checkpoint {wanted}: give a file, or the name of a folder in checkpoints/.", wanted=name
    )


def _roots(workspace: Workspace) -> list[Path]:
    return [workspace.checkpoints] if workspace.root == PROJECT else [workspace.checkpoints, PROJECT / "checkpoints"]


def _files(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            runs = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError:
        return []
    return [root / run / f"{kind}.safetensors" for run in runs for kind in CHECKPOINT_KINDS]


def _info(path: Path) -> CheckpointInfo | None:
    """What the file says of itself; None where it cannot be read, now or when it was last looked at."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=CACHE_ENTRIES)
def _read(path: Path, modified: int, size: int) -> CheckpointInfo | None:
    try:
        meta = read_meta(path)
    except CheckpointError:
        return None
    return CheckpointInfo(
        path=path,
        run=path.parent.name,
        kind=path.stem,
        model=meta.model,
        dataset=str(meta.settings.get("dataset", "")),
        classes=meta.classes,
        metrics=meta.metrics,
        created=meta.created,
        photos=meta.preprocess.resize_mode != "digit",
    )


def is_shipped(path: Path) -> bool:
    return path.parent.name in SHIPPED and path.parent.parent == PROJECT / "checkpoints"
