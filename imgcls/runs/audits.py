"""Audits of data sets, kept until the next one of the same set, so that a person can go through their list in peace:
what has been mended since is left out, not looked for anew. A set whose files are others by now has none. For the page
they are made in a process of their own.

    data/.imgcls-cache/audits/<key>.json
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

from imgcls.audit.findings import Audit, Suspect
from imgcls.data.catalog import folder_of
from imgcls.data.edits import TRASH, Record
from imgcls.data.image_folders import folder_state
from imgcls.data.registry import is_builtin, parts_of
from imgcls.files import write_bytes
from imgcls.runs import background_jobs
from imgcls.workspace import Workspace

VERSION = 3
MAX_SUSPECTS = 5000  # suspects of a kind that are kept, the worst first


@dataclass(frozen=True)
class Request:
    """flip: share of the labels that are flipped first, to see how many of them are found again; train_images: only
    those that a run with this setting learns from."""

    dataset: str
    flip: float = 0.0
    seed: int = 1
    train_images: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def make_audit(request: Request, workspace: Workspace, *, progress: Callable[[int, int], None] | None = None) -> Audit:
    """A new one, kept. Raises DatasetError, WeightsError."""
    from imgcls.audit.audit import audit

    files = _files(request.dataset, workspace)
    result = audit(
        request.dataset,
        workspace,
        flip=request.flip,
        seed=request.seed,
        train_images=request.train_images,
        progress=progress,
    )
    per_kind: dict[str, int] = {}
    suspects = []
    for suspect in result.suspects:
        per_kind[suspect.kind] = per_kind.get(suspect.kind, 0) + 1
        if per_kind[suspect.kind] <= MAX_SUSPECTS:
            suspects.append(suspect.as_dict())
    record = {
        "version": VERSION,
        "created": time.time(),
        "name": result.name,
        "classes": result.classes,
        "images": result.images,
        "suspects": suspects,
        "flipped": result.flipped,
        "precision": result.precision,
        "recall": result.recall,
        "files": files,
    }
    write_bytes(_path(request, workspace), json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return result


def find_audit(request: Request, workspace: Workspace) -> Audit | None:
    """The last one, without what has been mended or found right since; None where there is none to read."""
    try:
        saved = json.loads(_path(request, workspace).read_bytes().decode("utf-8", "surrogatepass"))
        if saved["version"] != VERSION or saved["files"] != _files(request.dataset, workspace):
            return None
        suspects = [Suspect(**suspect) for suspect in saved["suspects"]]
        classes = tuple(str(name) for name in saved["classes"])
        result = Audit(
            saved["name"], classes, int(saved["images"]), (), int(saved["flipped"]), saved["precision"], saved["recall"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not is_builtin(request.dataset):
        folder = folder_of(request.dataset, workspace)
        record = Record.read(folder)
        suspects = [suspect for suspect in suspects if _open(suspect, folder, record)]
    return replace(result, suspects=tuple(suspects))


def start(request: Request, workspace: Workspace) -> None:
    """Make a new one, unless somebody is at it. Raises ImgclsError where it cannot be."""
    folder = _folder(request, workspace)
    if background_jobs.status(folder, lambda: False).state != "running":
        background_jobs.start(folder, request.as_dict(), "work-audit", workspace)
        _path(request, workspace).unlink(missing_ok=True)  # the earlier one, now that a new one is on its way


def status(request: Request, workspace: Workspace) -> background_jobs.JobStatus:
    return background_jobs.status(_folder(request, workspace), _path(request, workspace).is_file)


def stop(request: Request, workspace: Workspace) -> None:
    background_jobs.stop(_folder(request, workspace))


def run(folder: Path, workspace: Workspace) -> int:
    """In its own process: make the audit that job.json asks for. The exit code."""
    return background_jobs.run(
        folder, lambda request, progress: make_audit(Request(**request), workspace, progress=progress) and None
    )


def _files(dataset: str, workspace: Workspace) -> str:
    """The same as long as the set holds the same images, in whatever class or in its trash: what is mended does not
    change it. They are known by size and time, as programs that copy files know them. "" for known sets."""
    if is_builtin(dataset):
        return "".join(spec.version for spec in parts_of(dataset))
    folder = folder_of(dataset, workspace)
    images = chain(folder_state(folder), folder_state(folder / TRASH))
    file_states = sorted((size, modified) for _, size, modified in images)
    return blake2b(repr(file_states).encode(), digest_size=12).hexdigest()


def _open(suspect: Suspect, folder: Path, record: Record) -> bool:
    """Whether it is still to be decided: its image (and its twin) are where they were, and nobody found it right."""
    about = {"label": suspect.label, "duplicate": suspect.suggested, "outlier": ""}[suspect.kind]
    paths = [suspect.path, *([suspect.suggested] if suspect.kind == "duplicate" else [])]
    inside = all(".." not in Path(path).parts and not Path(path).is_absolute() for path in paths)
    there_still = inside and all((folder / path).is_file() for path in paths)
    return there_still and not record.is_right(suspect.path, suspect.kind, about)


def _path(request: Request, workspace: Workspace) -> Path:
    return workspace.data / ".imgcls-cache" / "audits" / f"{key_of(request)}.json"


def _folder(request: Request, workspace: Workspace) -> Path:
    return background_jobs.jobs_folder("audits", workspace) / key_of(request)


def key_of(request: Request) -> str:
    return blake2b(repr(request).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
