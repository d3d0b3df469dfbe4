"""Files that are there whole or not at all, and what a killed process left of those it was writing.

A temporary name tells whose it is, `.<name>.<pid>-<start>.<random>.tmp`: it is removed only when that process is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from imgcls.errors import StorageError
from imgcls.processes import ProcessId

TEMPORARY = re.compile(r"\..+\.(\d{1,10})-(\d{1,16})\.[0-9a-f]+\.tmp")
# As earlier versions named them; without a start nobody can tell whose they are, so only old ones go.
NAMELESS = re.compile(r"\..+\.\d+\.tmp|\..+-[0-9a-f]{12}")
LEFTOVER_AGE_S = 24 * 3600.0  # seconds
DELETED = ".gone-"  # the start of a folder's name that is being deleted
TRIES = 40  # to rename over a file that another program has open, which only Windows forbids
RETRY_PAUSE_S = 0.05  # between two tries
NO_PLACE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
FREE_KEPT = 2**30  # bytes of the disk that nothing but a run's own files may take


def temporary_name(path: Path) -> Path:
    """A name of its own beside `path`, for what becomes `path` when it is whole."""
    me = _me()
    return path.with_name(f".{path.name[:60]}.{me.pid}-{int(me.began * 1000)}.{secrets.token_hex(3)}.tmp")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` at the end: flushed to the disk, renamed, and the rename flushed.

    StorageError when the disk is full or the folder cannot be written; `path` is then as it was.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        rename_over(temporary, path)
        _flush_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def free_bytes(folder: Path) -> int:
    """How much may be written into the folder so that a run can still save; below 0 where that is in doubt already."""
    return shutil.disk_usage(folder).free - FREE_KEPT


def write_bytes(path: Path, content: bytes) -> None:
    """Atomically, as above. StorageError when the disk is full or the folder cannot be written."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def storage_error(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError("{path} is not writable ({reason}): change its permissions.", path=path, reason=reason)
    if error.errno in NO_PLACE:
        return StorageError("{path} could not be written ({reason}): check the path.", path=path, reason=reason)
    return StorageError("{path} could not be written ({reason}): free some space.", path=path, reason=reason)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove what killed processes left half-written or half-deleted in `folder`. Nothing that a living one writes."""
    removed = []
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if path.name.startswith(".") and _is_leftover(path):
                with contextlib.suppress(OSError):
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
                    removed.append(path)
    return removed


def _is_leftover(path: Path) -> bool:
    if path.name.startswith(DELETED):
        return True
    if match := TEMPORARY.fullmatch(path.name):
        return not ProcessId(int(match[1]), int(match[2]) / 1000).alive()
    return bool(NAMELESS.fullmatch(path.name)) and time.time() - path.lstat().st_mtime > LEFTOVER_AGE_S


def rename_over(
    temporary: Path, path: Path, *, patient: bool = os.name == "nt", rename: Callable[[Path, Path], None] = os.replace
) -> None:
    """`patient`: try again for two seconds while a reader has `path` open."""
    for left in reversed(range(TRIES)):
        try:
            return rename(temporary, path)
        except PermissionError:
            if not patient or not left:
                raise
            time.sleep(RETRY_PAUSE_S)


def _flush_folder(folder: Path) -> None:
    """So that the new name outlives a power cut; Windows has nothing of the kind."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@cache
def _me_of(pid: int) -> ProcessId:
    return ProcessId.of(pid)


def _me() -> ProcessId:
    return _me_of(os.getpid())  # asked anew in a forked child
