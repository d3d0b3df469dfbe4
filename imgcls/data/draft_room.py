"""How many drafts of data sets there may be, how large, and when a forgotten one goes."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from imgcls.errors import DatasetError

FORGOTTEN = 14 * 24 * 3600.0  # seconds after which a draft that nobody touched goes
EMPTY = 3600.0  # the same for one without a photo
VISITOR = ".visitor"


@dataclass(frozen=True)
class CollectLimits:
    """classes and photos: of one draft; drafts: of one visitor; all_drafts and total (bytes): of the whole lab."""

    classes: int = 50
    photos: int = 5000
    drafts: int = 200
    all_drafts: int = 1000
    total: int = 50_000_000_000


def check_room(draft: Path, limits: CollectLimits, visitor: str) -> None:
    """Raises DatasetError where this visitor, or the lab, has as many drafts as may be, `draft` not counted."""
    drafts = [path for path in draft.parent.glob("*") if path.name != draft.name]
    mine = hashed(visitor)
    own = sum(_visitor(path) == mine for path in drafts) if len(drafts) >= limits.drafts else 0
    if own >= limits.drafts:
        raise DatasetError("There are {count} unsaved data sets of yours already: save or clear one first.", count=own)
    if len(drafts) >= limits.all_drafts or sum(map(_bytes, drafts)) >= limits.total:
        raise DatasetError("This lab has no room for another unsaved data set: try again later.")


def hashed(visitor: str) -> str:
    return blake2b(visitor.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _visitor(draft: Path) -> str:
    try:
        return (draft / VISITOR).read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def clear_forgotten(folder: Path) -> None:
    if not folder.is_dir():
        return
    for draft in folder.iterdir():
        try:
            touched = max(p.stat().st_mtime for p in (draft, *draft.iterdir()))
            empty = next(draft.glob("*/*.jpg"), None) is None
        except OSError:
            continue
        if time.time() - touched > (EMPTY if empty else FORGOTTEN):
            shutil.rmtree(draft, ignore_errors=True)
