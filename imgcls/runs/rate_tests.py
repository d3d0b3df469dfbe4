"""Learning-rate range tests that the page asks for, each in a process of its own; what was found is kept for the same
settings and images.

    data/.imgcls-cache/learning-rates/<key>.json
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from imgcls.data.catalog import folder_of
from imgcls.data.image_folders import folder_state
from imgcls.data.registry import is_builtin
from imgcls.errors import ImgclsError
from imgcls.files import write_bytes
from imgcls.runs import background_jobs, lifecycle
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.workspace import Workspace

KIND = "learning-rates"
# What a test does not depend on: it has a rate and a number of steps of its own.
APART = {"name", "preset", "lr", "epochs", "schedule", "warmup_epochs", "step_epochs", "step_factor", "patience"}
KEPT_FILES = 50


@dataclass(frozen=True)
class Found:
    """`suggestion`: None where the loss fell at no rate."""

    suggestion: float | None


def start(settings: TrainSettings, workspace: Workspace) -> None:
    """Unless it is known already, or somebody is at it. Raises ImgclsError where there can be no such run."""
    if status(settings, workspace).state not in ("finished", "running"):
        lifecycle.check_run(settings, workspace)
        background_jobs.start(_folder(settings, workspace), settings.model_dump(), "work-lr-find", workspace)


def status(settings: TrainSettings, workspace: Workspace) -> background_jobs.JobStatus:
    """How far it is, in steps; "none" where nobody has asked for it."""
    return background_jobs.status(_folder(settings, workspace), _path(settings, workspace).is_file)


def find(settings: TrainSettings, workspace: Workspace) -> Found | None:
    """What was found for these settings, whatever their own rate; None where nothing was yet."""
    try:
        return Found(json.loads(_path(settings, workspace).read_text("utf-8"))["suggestion"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def run(folder: Path, workspace: Workspace) -> int:
    """In its own process: the test that job.json asks for. The exit code."""

    def make(asked: dict[str, Any], progress: Callable[[int, int], None]) -> None:
        from imgcls.training.lr_finder import range_test

        def told(event: events.Event) -> None:
            progress(0, 0)  # asks whether it is to stop

        settings = TrainSettings.checked(asked)
        found = range_test(settings, workspace, told=told, progress=progress)
        path = _path(settings, workspace)
        write_bytes(path, json.dumps(found.as_dict()).encode())
        for old in sorted(path.parent.glob("*.json"), key=lambda other: other.stat().st_mtime)[:-KEPT_FILES]:
            old.unlink(missing_ok=True)

    return background_jobs.run(folder, make)


def _folder(settings: TrainSettings, workspace: Workspace) -> Path:
    return background_jobs.jobs_folder(KIND, workspace) / _key(settings, workspace)


def _path(settings: TrainSettings, workspace: Workspace) -> Path:
    return workspace.data / ".imgcls-cache" / KIND / f"{_key(settings, workspace)}.json"


def _key(settings: TrainSettings, workspace: Workspace) -> str:
    known = blake2b(repr(sorted(settings.model_dump(exclude=APART).items())).encode("utf-8", "surrogatepass"))
    if not is_builtin(settings.dataset):
        try:
            known.update(repr(list(folder_state(folder_of(settings.dataset, workspace)))).encode("utf-8", "replace"))
        except ImgclsError:  # there is none: whoever starts the test is told
            known.update(b"none")
    return known.hexdigest()[:24]
