"""Data sets that the page fetches, each in a process of its own: closing the page or the server loses nothing."""

from __future__ import annotations

from pathlib import Path

from imgcls.data.registry import absent
from imgcls.runs import background_jobs
from imgcls.workspace import Workspace


def start(name: str, workspace: Workspace) -> None:
    """Have the set called `name` fetched, unless somebody is at it. Raises ImgclsError where it cannot be."""
    background_jobs.start(_folder(name, workspace), {"name": name}, "work-fetch", workspace)


def status(name: str, workspace: Workspace) -> background_jobs.JobStatus:
    """`done` and `total` count bytes."""
    return background_jobs.status(_folder(name, workspace), lambda: not absent(name, workspace))


def stop(name: str, workspace: Workspace) -> None:
    background_jobs.stop(_folder(name, workspace))


def run(folder: Path, workspace: Workspace) -> int:
    """In its own process: fetch what job.json names. The exit code."""
    from imgcls.data.download import fetch

    return background_jobs.run(folder, lambda request, progress: fetch(request["name"], workspace, progress=progress))


def _folder(name: str, workspace: Workspace) -> Path:
    return background_jobs.jobs_folder("fetches", workspace) / name
