"""Every run in plain values, newest first, as fast as its folder can be listed: what has not changed is not read again.

    train_logs/.run-index.json   each run's row, and the state of the files that it was made of

The index may be deleted at any time; it is then made anew.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from imgcls.errors import StorageError
from imgcls.files import write_bytes
from imgcls.runs import annotations
from imgcls.runs.reader import view
from imgcls.runs.state import LIVE
from imgcls.runs.store import Run, list_runs
from imgcls.runs.summary import summary
from imgcls.workspace import Workspace

FILE = ".run-index.json"
VERSION = 1  # of a row
SOURCES = ("settings.json", "state.json", "events.jsonl", annotations.FILE)
MOVING = (*LIVE, "queued")  # states whose row may change although no file does

Row = dict[str, Any]


def rows(workspace: Workspace) -> list[Row]:
    """A row a run: its summary, tags, note, pin and parent."""
    known = _read(workspace)
    made: dict[str, tuple[str, Row]] = {}
    changed = False
    for run in list_runs(workspace):
        signature = _signature(run)
        before = known.get(run.name)
        if before and before[0] == signature and before[1]["state"] not in MOVING:
            made[run.name] = (signature, before[1])
            continue
        made[run.name] = (signature, row(run))
        changed = True
    if changed or len(made) != len(known):
        with contextlib.suppress(StorageError):  # it is slower without, no more
            write_bytes(workspace.train_logs / FILE, json.dumps({"version": VERSION, "rows": made}).encode())
    return [found for _, found in made.values()]


def row(run: Run) -> Row:
    """Of one run, read now."""
    seen = view(run)
    about = annotations.read(run)
    return summary(seen) | {
        "tags": list(about.tags),
        "note": about.note,
        "pinned": about.pinned,
        "parent": seen.written.parent if seen.written else "",
    }


def _signature(run: Run) -> str:
    """Changes with every file that a row is made of."""
    found = []
    for name in SOURCES:
        try:
            there = os.stat(run.logs / name)
            found.append(f"{there.st_mtime_ns}.{there.st_size}")
        except OSError:
            found.append("")
    try:
        best = os.stat(run.best).st_mtime_ns
    except OSError:
        best = 0
    return " ".join((*found, str(best), str(run.can_resume)))


def _read(workspace: Workspace) -> dict[str, tuple[str, Row]]:
    try:
        said = json.loads((workspace.train_logs / FILE).read_text("utf-8"))
        if said["version"] != VERSION:
            return {}
        return {name: (signature, found) for name, (signature, found) in said["rows"].items() if "state" in found}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
