"""Where kept photos lie, and how much of the disk they may take: the longest unused go first."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from imgcls.errors import DatasetError
from imgcls.files import free_bytes

SUFFIX = ".photos"
STALE_SECONDS = 24 * 3600  # a half-written file this old has no writer any more


class TooLarge(DatasetError):
    """The photos do not fit into the cache: read them while training (photos.StreamingPhotos)."""


def writable(folder: Path, root: Path) -> Path:
    """`folder`, or one of this user's own under the system's temporary folder where it cannot be written."""
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    user = getattr(os, "getuid", lambda: "me")()
    digest = blake2b(os.fsencode(os.path.abspath(root)), digest_size=8).hexdigest()
    folder = Path(tempfile.gettempdir(), f"imgcls-cache-{user}", digest)
    try:
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "getuid") and folder.parent.stat().st_uid != os.getuid():
            raise OSError
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="imgcls-cache-"))


def evict(folder: Path, needed: int, max_bytes: int) -> None:
    """Deletes the longest unused until `needed` fits. Raises TooLarge where it cannot."""
    now, entries = time.time(), []
    for path in folder.iterdir():
        with suppress(OSError):
            stat = path.stat()
            if path.suffix == SUFFIX:
                entries.append((stat.st_mtime, stat.st_size, path))
            elif path.suffix in (".tmp", ".lock") and now - stat.st_mtime > STALE_SECONDS:
                path.unlink()
    free = free_bytes(folder)
    total = sum(size for _, size, _ in entries)
    if needed > max_bytes or needed > free + total:
        raise TooLarge(
            f"The decoded photos need {needed / 1e9:.1f} GB and the cache may have "
            f"{max(0, min(max_bytes, free + total)) / 1e9:.1f}: choose a smaller image size or fewer photos."
        )
    for _, size, path in sorted(entries):
        if total + needed <= max_bytes and needed <= free:
            break
        with suppress(OSError):  # Windows keeps a file that another run has mapped
            path.unlink()
            total, free = total - size, free + size
