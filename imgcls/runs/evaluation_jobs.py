"""An evaluation in a process of its own: asked for by the page, watched, stopped (see background_jobs).

Its result is the kept evaluation itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcls.runs import background_jobs
from imgcls.runs.background_jobs import Progress
from imgcls.runs.evaluations import evaluate_checkpoint, evaluation_key, is_kept
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Asked:
    """`dataset`, `part`: as in `evaluate_checkpoint`."""

    checkpoint: Path
    dataset: str = ""
    part: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"checkpoint": str(self.checkpoint), "dataset": self.dataset, "part": self.part}


def start(asked: Asked, workspace: Workspace) -> None:
    """Have it evaluated, unless it is kept already or somebody is at it. Raises ImgclsError where it cannot be."""
    if look(asked, workspace).state not in ("finished", "running"):
        background_jobs.start(_folder(asked, workspace), asked.as_dict(), "work-evaluate", workspace)


def prepare(asked: Asked, workspace: Workspace) -> Path:
    """The folder of a job that `work` can take up."""
    return background_jobs.prepare(_folder(asked, workspace), asked.as_dict())


def look(asked: Asked, workspace: Workspace) -> Progress:
    """How far it is; "none" where nobody has asked for it yet."""
    return background_jobs.look(
        _folder(asked, workspace),
        lambda: is_kept(asked.checkpoint, workspace, dataset=asked.dataset, part=asked.part),
    )


def stop(asked: Asked, workspace: Workspace) -> None:
    background_jobs.stop(_folder(asked, workspace))


def work(folder: Path, workspace: Workspace) -> int:
    """In its own process: evaluate what job.json asks. The exit code."""

    def make(asked: dict[str, Any], progress: Callable[[int, int], None]) -> None:
        path = Path(asked["checkpoint"])
        evaluate_checkpoint(path, workspace, dataset=asked["dataset"], part=asked["part"], progress=progress)

    return background_jobs.work(folder, make)


def _folder(asked: Asked, workspace: Workspace) -> Path:
    key = evaluation_key(asked.checkpoint, workspace, dataset=asked.dataset, part=asked.part)
    return background_jobs.jobs_folder("evaluations", workspace) / key
