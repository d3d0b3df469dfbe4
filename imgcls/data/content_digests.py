"""What photos hold, as digests: read once, then known by name, size and modification time.

    <data set>/.imgcls-cache/digests      records of 32 bytes: a file's identity, its content's digest

Measured on 10,000 photos of 97 KB each, from memory: 0.9 s to read and hash them all, 0.04 s to find them known.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from imgcls.data.cache_room import writable
from imgcls.errors import StorageError
from imgcls.files import write_bytes
from imgcls.processes import available_cores

FOLDER, FILE = ".imgcls-cache", "digests"
DIGEST_BYTES = 16
RECORD_BYTES = 2 * DIGEST_BYTES
BLOCK_BYTES = 1 << 20
MAX_RECORDS = 2_000_000  # 64 MB; beyond that only the photos that are asked for stay
TASK = 64  # photos handed to a thread at once


def content_digests(paths: Sequence[Path], root: Path) -> tuple[str, ...]:
    """For each photo (below `root`) a digest of its bytes, 32 hexadecimal digits; "" where it cannot be read."""
    start = os.path.join(os.fspath(root), "")
    keys = [_identity(path, os.fspath(path).removeprefix(start)) for path in paths]
    if not any(keys):
        return ("",) * len(paths)
    index_file = writable(root / FOLDER, root) / FILE
    known = _read(index_file)
    missing = {key: path for key, path in zip(keys, paths, strict=True) if key and key not in known}
    if missing:
        contents = _all_contents(missing)
        if len(known) + len(contents) > MAX_RECORDS:
            known = {key: known[key] for key in keys if key in known}
        known.update(contents)
        with suppress(StorageError):  # a full or read-only disk costs the next one the same second
            write_bytes(index_file, b"".join(key + digest for key, digest in known.items()))
    return tuple(known.get(key, b"").hex() for key in keys)


def _all_contents(missing: dict[bytes, Path]) -> dict[bytes, bytes]:
    """Digests by identity; a file that cannot be read has none."""
    keys, paths = list(missing), list(missing.values())
    starts = range(0, len(paths), TASK)
    with ThreadPoolExecutor(available_cores()) as pool:  # hashing lets go of the interpreter
        batches = pool.map(lambda i: [_content(path) for path in paths[i : i + TASK]], starts)
        return {
            key: digest
            for key, digest in zip(keys, (pair for batch in batches for pair in batch), strict=True)
            if digest
        }


def _identity(path: Path, name: str) -> bytes:
    """b"" where there is no such file."""
    try:
        stat = os.stat(path)
    except OSError:
        return b""
    identity = f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}"
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _read(index_file: Path) -> dict[bytes, bytes]:
    try:
        content = index_file.read_bytes()
    except OSError:
        return {}
    starts = range(0, len(content) - len(content) % RECORD_BYTES, RECORD_BYTES)
    return {content[i : i + DIGEST_BYTES]: content[i + DIGEST_BYTES : i + RECORD_BYTES] for i in starts}


def _content(path: Path) -> bytes:
    """b"" where it cannot be read."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    except OSError:
        return b""
    return digest.digest()
