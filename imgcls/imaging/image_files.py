"""Which files are images, by their names, and in which order: no file is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .gif .bmp .webp .tif .tiff .avif .heic .heif .hif .jp2 .ppm .pgm .pbm".split()
)
# What file managers, archivers and notebooks leave among photos, besides everything that starts with a dot.
LITTER = frozenset(("__macosx", "@eadir", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini"))


def find_images(
    path: str | Path, *, closed: list[Path] | None = None, leave_out: list[Path] | None = None
) -> Iterator[Path]:
    """Every image file under `path`, folder by folder in natural order; links are followed, loops are not.

    closed: receives the folders that may not be read. leave_out: with it, no link is followed that leads to a folder
    beside `path` or above it; it receives those links.
    """
    walk = _Walk(set(), [] if closed is None else closed, leave_out, os.path.realpath(os.path.dirname(os.fspath(path))))
    return (Path(name) for name in _walk(os.fspath(path), walk))


def is_litter(name: str) -> bool:
    """Hidden files and folders, and what file managers leave among photos."""
    return name.startswith(".") or name.lower() in LITTER


def is_image_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def natural_key(name: str) -> tuple:
    """Sorts "img2" before "img10"."""
    pieces = re.split("([0-9]+)", name.casefold())
    return tuple(int(p) if i % 2 else p for i, p in enumerate(pieces)), name


def leads_to(entry: os.DirEntry[str], kind: Callable[[os.DirEntry[str]], bool]) -> bool:
    """Whether an entry is of that kind, behind links too; a link to itself, or to where nobody may look, is nothing."""
    try:
        return kind(entry)
    except OSError:
        return False


@dataclass
class _Walk:
    """What a walk through folders knows: real paths it has seen, and where it notes what it leaves out. `around`: the
    real folder that the walk began in."""

    seen: set[str]
    closed: list[Path]
    leave_out: list[Path] | None
    around: str


def _walk(folder: str, walk: _Walk) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in walk.seen:
        return
    if walk.leave_out is not None and walk.seen and os.path.islink(folder) and _is_around(real, walk.around):
        walk.leave_out.append(Path(folder))
        return
    walk.seen.add(real)
    try:
        with os.scandir(folder) as listing:
            entries = sorted((e for e in listing if not is_litter(e.name)), key=lambda e: natural_key(e.name))
    except OSError:
        walk.closed.append(Path(folder))
        return
    for entry in entries:
        if is_image_name(entry.name) and leads_to(entry, os.DirEntry.is_file):
            yield entry.path
    for entry in entries:
        if leads_to(entry, os.DirEntry.is_dir):
            yield from _walk(entry.path, walk)


def _is_around(folder: str, root: str) -> bool:
    """Whether `folder` lies in `root`, or `root` in it."""
    return os.path.commonpath((folder, root)) in (folder, root) if _one_drive(folder, root) else False


def _one_drive(first: str, other: str) -> bool:
    return os.path.splitdrive(first)[0] == os.path.splitdrive(other)[0]
