"""Learning-rate range tests that the page asks for, each in a process of its own; what was found is kept for the same
settings, images and weights. Whoever asks keeps the key that `start` gave: finding it looks through every photo.

    data/.imgcls-cache/learning-rates/<key>.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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


def start(settings: TrainSettings, workspace: Workspace) -> str:
    """Unless it is known already, or somebody is at it. The test's key. Raises ImgclsError where there can be no such
    run."""
    key = key_of(settings, workspace)
    if status(key, workspace).state not in ("finished", "running"):
        lifecycle.check_run(settings, workspace)
        background_jobs.start(_folder(key, workspace), settings.model_dump(), "work-lr-find", workspace)
    return key


def status(key: str, workspace: Workspace) -> background_jobs.JobStatus:
    """How far it is, in steps; "none" where nobody has asked for it."""
    return background_jobs.status(_folder(key, workspace), lambda: find(key, workspace) is not None)


def stop(key: str, workspace: Workspace) -> None:
    background_jobs.stop(_folder(key, workspace))


def find(key: str, workspace: Workspace) -> Found | None:
    """What was found; None where nothing was yet, or nothing that can be read."""
    try:
        suggestion = json.loads(_path(key, workspace).read_text("utf-8"))["suggestion"]
        return Found(None if suggestion is None else float(suggestion))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_same_test(one: TrainSettings, other: TrainSettings) -> bool:
    """Whatever their own learning rates."""
    return one.model_dump(exclude=APART) == other.model_dump(exclude=APART)


def key_of(settings: TrainSettings, workspace: Workspace) -> str:
    """Of the settings and of all files that a test of them would read, by size and time."""
    digest = blake2b(repr(sorted(settings.model_dump(exclude=APART).items())).encode("utf-8", "surrogatepass"))
    for read in (_images, _corrections, _first_weights):
        try:
            digest.update(repr(list(read(settings, workspace))).encode("utf-8", "replace"))
        except (ImgclsError, OSError):  # there are none: whoever starts the test is told
            digest.update(b"none")
    return digest.hexdigest()[:24]


def _images(settings: TrainSettings, workspace: Workspace) -> Iterator[tuple[str, int, int]]:
    if not is_builtin(settings.dataset):
        yield from folder_state(folder_of(settings.dataset, workspace))


def _corrections(settings: TrainSettings, workspace: Workspace) -> Iterator[tuple[str, int, int]]:
    if settings.corrections:
        yield from folder_state(folder_of(settings.corrections, workspace))


def _first_weights(settings: TrainSettings, workspace: Workspace) -> Iterator[tuple[str, int, int]]:
    """The checkpoint or the pre-trained file that the network begins with."""
    if settings.start_from:
        from imgcls.checkpoints.store import find_checkpoint

        run, _, kind = settings.start_from.partition("/")
        path = find_checkpoint(f"{run}/{kind or 'best'}", workspace).path
    elif settings.weights:
        from imgcls.models.pretrained import resolve_weights  # torch, which the page does not wait for

        path = resolve_weights(settings.weights, model=settings.model, folder=workspace.weight, download=False)
    else:
        return
    stat = path.stat()
    yield path.name, stat.st_size, stat.st_mtime_ns


def run(folder: Path, workspace: Workspace) -> int:
    """In its own process: the test that job.json asks for. The exit code."""

    def make(asked: dict[str, Any], progress: Callable[[int, int], None]) -> None:
        from imgcls.training.lr_finder import range_test

        def told(event: events.Event) -> None:
            progress(0, 0)  # asks whether it is to stop

        settings = TrainSettings.checked(asked)
        found = range_test(settings, workspace, told=told, progress=progress)
        path = _path(folder.name, workspace)
        write_bytes(path, json.dumps(found.as_dict()).encode())
        for old in sorted(path.parent.glob("*.json"), key=lambda other: other.stat().st_mtime)[:-KEPT_FILES]:
            old.unlink(missing_ok=True)

    return background_jobs.run(folder, make)


def _folder(key: str, workspace: Workspace) -> Path:
    return background_jobs.jobs_folder(KIND, workspace) / key


def _path(key: str, workspace: Workspace) -> Path:
    return workspace.data / ".imgcls-cache" / KIND / f"{key}.json"
