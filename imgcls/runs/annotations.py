"""What people say of a run: tags, a note, a pin. A file of its own in the run's folder, `about.json`."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from imgcls.errors import RunError
from imgcls.files import write_bytes
from imgcls.runs.state import locked
from imgcls.runs.store import Run

FILE = "about.json"
MOST_TAGS, TAG_CHARS, NOTE_CHARS = 20, 40, 2000


@dataclass(frozen=True)
class Annotations:
    """tags: sorted, each once."""

    tags: tuple[str, ...] = ()
    note: str = ""
    pinned: bool = False


def read(run: Run) -> Annotations:
    """Nothing where nobody has said anything."""
    try:
        record: dict[str, Any] = json.loads((run.logs / FILE).read_text("utf-8"))
        return Annotations(tuple(map(str, record["tags"])), str(record["note"]), bool(record["pinned"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Annotations()


def annotate(
    run: Run,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
    note: str | None = None,
    pinned: bool | None = None,
) -> Annotations:
    """Change what is given; the rest stays. Raises RunError for what is too long or too much, and StorageError."""
    added = [tag.strip() for tag in add if tag.strip()]
    for tag in added:
        if len(tag) > TAG_CHARS or "," in tag or any(ord(c) < 32 for c in tag):
            raise RunError("A tag has at most {most} characters and no comma: '{tag}'.", most=TAG_CHARS, tag=tag[:60])
    if note is not None and len(note) > NOTE_CHARS:
        raise RunError("A note has at most {most} characters.", most=NOTE_CHARS)
    with locked(run.workspace):
        current = read(run)
        tags = tuple(sorted({*current.tags, *added} - {tag.strip() for tag in remove}))
        if len(tags) > MOST_TAGS:
            raise RunError("A run has at most {most} tags.", most=MOST_TAGS)
        annotations = replace(
            current,
            tags=tags,
            note=current.note if note is None else note.strip(),
            pinned=current.pinned if pinned is None else pinned,
        )
        if annotations != current:
            write_bytes(run.logs / FILE, json.dumps(asdict(annotations), ensure_ascii=False).encode())
    return annotations
