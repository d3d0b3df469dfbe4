"""Photos that must lie on one side of a split: the same file twice, and what one burst of a camera took.

Were one of them trained on and the other validated on, the accuracy would be measured on what is known by heart. Bursts
are known by their names, which copying and zipping keep; times they do not.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from hashlib import blake2b
from pathlib import Path

BLOCK = 1 << 20
END = 4096  # bytes; photos of one size from one camera begin alike, with its tables, and end in pixels

# collect.py: 0013-b0012.jpg was taken while the button was held for 0012.jpg.
COLLECTED = re.compile(r"(\d{4,})(?:-b(\d{4,}))?")
# Phones: IMG_20231010_123456_BURST001.jpg, PXL_20231010_123456789.jpg, 20231010_123456(0).jpg: one second, one burst.
SECOND = re.compile(r"(?<!\d)(\d{8}_\d{6})")


def group_ids(paths: Sequence[Path], *, bursts: bool = True) -> list[int]:
    """For each photo the place of the first one that it must not be parted from; its own where there is none. bursts:
    False for copies alone.

    Reads the ends of files that have the same size, and whole files only where the ends agree too.
    """
    first = list(range(len(paths)))

    def root(i: int) -> int:
        while first[i] != i:
            first[i] = first[first[i]]
            i = first[i]
        return i

    def join(groups: dict[Hashable, list[int]]) -> None:
        for group in groups.values():
            for other in group[1:]:
                low, high = sorted((root(group[0]), root(other)))
                first[high] = low

    if bursts:
        join(_by(range(len(paths)), lambda i: burst(paths[i])))
    join(duplicates(paths))
    return [root(i) for i in range(len(paths))]


def duplicates(paths: Sequence[Path]) -> dict[Hashable, list[int]]:
    """Groups of places whose files hold the same bytes."""
    groups = _by(range(len(paths)), lambda i: _size(paths[i]))
    for measure in (_end, _digest):
        finer: dict[Hashable, list[int]] = {}
        for key_of_group, group in groups.items():
            finer |= {
                (key_of_group, key): same
                for key, same in _by(group, lambda i, measure=measure: measure(paths[i])).items()
            }
        groups = finer
    return groups


def _by(indices: Sequence[int], key) -> dict[Hashable, list[int]]:
    """Places by what `key` says of them, those that it says nothing of and those that are alone left out."""
    groups = defaultdict(list)
    for i in indices:
        if (key_of_group := key(i)) is not None:
            groups[key_of_group].append(i)
    return {key_of_group: group for key_of_group, group in groups.items() if len(group) > 1}


def burst(path: Path) -> Hashable | None:
    """What tells the burst that a photo was taken in; None where its name does not."""
    if match := COLLECTED.fullmatch(path.stem):
        return path.parent, int(match[2] or match[1])
    if match := SECOND.search(path.stem):
        return path.parent, match[1]
    return None


def _size(path: Path) -> int | None:
    try:
        return os.stat(path).st_size or None  # empty files are broken, not the same photo
    except OSError:
        return None


def _end(path: Path) -> bytes | None:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - END))
            return file.read(END)
    except OSError:
        return None


def _digest(path: Path) -> bytes | None:
    """Of the whole file, a block at a time."""
    digest = blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError:
        return None
    return digest.digest()
