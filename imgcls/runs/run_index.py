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
    cached = _read(workspace)
    fresh: dict[str, tuple[str, Row]] = {}
    changed = False
    for run in list_runs(workspace):
        signature = _signature(run)
        entry = cached.get(run.name)
        if entry and entry[0] == signature and entry[1]["state"] not in MOVING:
            fresh[run.name] = (signature, entry[1])
            continue
        fresh[run.name] = (signature, row(run))
        changed = True
    if changed or len(fresh) != len(cached):
        with contextlib.suppress(StorageError):  # it is slower without, no more
            write_bytes(workspace.train_logs / FILE, json.dumps({"version": VERSION, "rows": fresh}).encode())
    return [run_row for _, run_row in fresh.values()]


def row(run: Run) -> Row:
    """Of one run, read now."""
    run_view = view(run)
    about = annotations.read(run)
    return summary(run_view) | {
        "tags": list(about.tags),
        "note": about.note,
        "pinned": about.pinned,
        "parent": run_view.written.parent if run_view.written else "",
    }


def _signature(run: Run) -> str:
    """Changes with every file that a row is made of."""
    # As plain text: of a thousand runs, paths as objects took most of the time.
    logs, checkpoints, parts_of_signature = str(run.logs), str(run.checkpoints), []
    for name in SOURCES:
        try:
            stat = os.stat(f"{logs}/{name}")
            parts_of_signature.append(f"{stat.st_mtime_ns}.{stat.st_size}")
        except OSError:
            parts_of_signature.append("")
    try:
        best = os.stat(f"{checkpoints}/best.safetensors").st_mtime_ns
    except OSError:
        best = 0
    return " ".join((*parts_of_signature, str(best), str(os.path.isfile(f"{checkpoints}/resume.safetensors"))))


def _read(workspace: Workspace) -> dict[str, tuple[str, Row]]:
    try:
        index = json.loads((workspace.train_logs / FILE).read_text("utf-8"))
        if index["version"] != VERSION:
            return {}
        return {
            name: (signature, run_row) for name, (signature, run_row) in index["rows"].items() if "state" in run_row
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
