"""Which files are images, by their names, and in which order: no file is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .gif .bmp .webp .tif .tiff .avif .heic .heif .hif .jp2 .ppm .pgm .pbm".split()
)
# What file managers, archivers and notebooks leave among photos, besides everything that starts with a dot.
LITTER = frozenset(("__macosx", "@eadir", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini"))


def find_images(path: str | Path, *, closed: list[Path] | None = None) -> Iterator[Path]:
    """Every image file under `path`, folder by folder in natural order; links are followed, loops are not.

    closed: receives the folders that may not be read.
    """
    return (Path(found) for found in _walk(os.fspath(path), set(), [] if closed is None else closed))


def is_litter(name: str) -> bool:
    """Hidden files and folders, and what file managers leave among photos."""
    return name.startswith(".") or name.lower() in LITTER


def is_image_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def natural_key(name: str) -> tuple:
    """Sorts "img2" before "img10"."""
    parts = re.split("([0-9]+)", name.casefold())
    return tuple(int(p) if i % 2 else p for i, p in enumerate(parts)), name


def _walk(folder: str, seen: set[str], closed: list[Path]) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as found:
            entries = sorted((e for e in found if not is_litter(e.name)), key=lambda e: natural_key(e.name))
    except OSError:
        closed.append(Path(folder))
        return
    for entry in entries:
        if is_image_name(entry.name) and entry.is_file():
            yield entry.path
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, seen, closed)
