"""Photos decoded once to the working size and kept mapped beside the data, so that later epochs decode nothing.

What is kept is known by the photos' relative paths, sizes and modification times (nanoseconds), their order, and the
form. That is what make and rsync go by, and it costs 8 us a photo where hashing the content would read all of it; only
a program that changes a photo and then sets its size and time back is not seen. Photos that another kept file of the
same form has already (another seed's split, a folder that grew) are copied from it: measured 10,000/s at 64 pixels
where decoding makes 1,000/s. Knows neither classes nor labels.

The file is written beside its place and renamed when whole, read back mapped:

    images uint8 (N, C, side, side) | aspects float32 (N,) | identities (N, 16) | ok uint8 (N,) | errors, JSON | tail

The tail says how long the rest must be, so that a file that was cut off is not taken for a whole one. Nothing in it is
ever executed.
"""

from __future__ import annotations

import json
import os
import secrets
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import PIL
import torch
from filelock import FileLock

from imgcls.data.cache_room import SUFFIX, TooLarge, evict, writable
from imgcls.data.photos import StorageFormat
from imgcls.errors import DatasetError, InputError
from imgcls.imaging.preprocess import CROP, Channels, Interpolation, ResizeMode
from imgcls.messages import Message
from imgcls.processes import available_cores
from imgcls.progress import Progress

VERSION = 2
DIGEST = 16
BESIDE = 4 + DIGEST + 1  # bytes a photo besides its pixels
TAIL = struct.Struct("<8sqqqq")  # magic, N, bytes an image, bytes of the errors' JSON, version
MAGIC = b"imgclsPH"


@dataclass
class CacheEntry:
    """images: uint8 (N, C, side, side), mapped copy-on-write; aspects: float32 (N,); identities: uint8 (N, 16);
    ok: uint8 (N,); errors: [[place, message]] in order."""

    images: np.ndarray
    aspects: np.ndarray
    identities: np.ndarray
    ok: np.ndarray
    errors: list[tuple[int, Message]]


class Writer:
    """Fill `images`, `aspects`, `ok` and `errors`, from any thread, then `finish()`. `discard()` is always safe.

    Raises OSError where the disk is full: the room is taken at the start, since a full disk met while writing to a
    mapped file would kill the process (SIGBUS).
    """

    def __init__(self, cache_file: Path, identities: np.ndarray, form: StorageFormat) -> None:
        count = len(identities)
        self.cache_file, self.identities, self.form = cache_file, identities, form
        self.aspects, self.ok = np.ones(count, np.float32), np.zeros(count, np.uint8)
        self.errors: list[tuple[int, Message]] = []
        self._images: np.memmap | None = None
        self._temporary = cache_file.with_name(f"{cache_file.stem}-{secrets.token_hex(6)}.tmp")
        try:
            with self._temporary.open("xb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, count * form.bytes_each)
                else:
                    file.truncate(count * form.bytes_each)
            shape = (count, form.channels, form.side, form.side)
            self._images = np.memmap(self._temporary, np.uint8, "r+", shape=shape)
        except OSError:
            self.discard()
            raise

    @property
    def images(self) -> np.memmap:
        assert self._images is not None, "finished, or discarded"
        return self._images

    def finish(self) -> None:
        self.images.flush()
        self._images = None  # Windows neither appends to a mapped file nor renames it
        error_bytes = json.dumps(
            [(i, why.as_dict()) for i, why in sorted(self.errors, key=lambda error: error[0])]
        ).encode()
        with self._temporary.open("ab") as file:
            for block in (self.aspects.tobytes(), self.identities.tobytes(), self.ok.tobytes(), error_bytes):
                file.write(block)
            file.write(TAIL.pack(MAGIC, len(self.ok), self.form.bytes_each, len(error_bytes), VERSION))
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._temporary, self.cache_file)

    def discard(self) -> None:
        """Nothing half-written stays; after `finish` there is nothing left to delete."""
        self._images = None
        with suppress(OSError):
            self._temporary.unlink()


def read(cache_file: Path, form: StorageFormat) -> CacheEntry | None:
    """What is kept at `cache_file` in `form`, or None where the file is missing, cut off or foreign."""
    try:
        with cache_file.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL.size))
            magic, count, each, error_length, version = TAIL.unpack(file.read(TAIL.size))
            whole = count * (each + BESIDE) + error_length + TAIL.size
            if (magic, each, version, size) != (MAGIC, form.bytes_each, VERSION, whole) or count < 1:
                return None
            file.seek(count * each)
            aspects = np.frombuffer(file.read(count * 4), np.float32).copy()
            identities = np.frombuffer(file.read(count * DIGEST), np.uint8).reshape(count, DIGEST)
            ok = np.frombuffer(file.read(count), np.uint8).copy()
            errors = [(int(i), Message.from_dict(why)) for i, why in json.loads(file.read(error_length))]
        if any(not 0 <= i < count for i, _ in errors):
            return None
        shape = (count, form.channels, form.side, form.side)
        # Copy-on-write: tensors want memory that could be written, and the file can never be.
        return CacheEntry(np.memmap(cache_file, np.uint8, "c", shape=shape), aspects, identities, ok, errors)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error):
        return None


FOLDER = ".imgcls-cache"
MAX_BYTES = 8 * 2**30
MAX_THREADS = 16
TASK = 16  # photos a task; many enough that handing them out costs nothing


@dataclass(frozen=True)
class Decoded:
    """images: uint8 (N, C, side, side), mapped copy-on-write; aspects: float32 (N,), width / height of the original;
    ok: bool (N,), False where a photo is broken (its image is black); errors: [(path, message)] of those."""

    images: torch.Tensor
    aspects: torch.Tensor
    ok: torch.Tensor
    errors: list[tuple[Path, Message]]


def decoded(
    paths: Sequence[Path],
    *,
    root: Path,
    side: int,
    channels: Channels,
    resize_mode: ResizeMode,
    interpolation: Interpolation = "bilinear",
    crop: float = CROP,
    cache: Path | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
) -> Decoded:
    """`paths` (below `root`) in their stored form, from the cache or decoded into it now.

    resize_mode, interpolation, crop: as in Preprocess; "stretch" keeps the whole photo, squeezed square.
    cache: `root/.imgcls-cache` by default, a temporary folder where that cannot be written.
    max_bytes: of all kept files together; the longest unused go first.
    progress: called with (photos done, photos in all). Raises TooLarge where these photos alone exceed `max_bytes` or
    the disk; a broken photo is reported and never raises.
    """
    form = StorageFormat(side, channels, resize_mode, interpolation, crop)
    if not paths:
        return Decoded(torch.zeros((0, channels, side, side), dtype=torch.uint8), torch.zeros(0), torch.ones(0) > 0, [])
    names = [_relative(path, root) for path in paths]
    identities = _identities(paths, names)
    folder = writable(cache or root / FOLDER, root)
    # The Pillow version: another one may read what this one could not.
    version = f"{VERSION} {PIL.__version__} {len(paths)}".encode()
    kind = form.name
    cache_file = folder / f"{kind}-{blake2b(version + identities.tobytes(), digest_size=12).hexdigest()}{SUFFIX}"
    entry = read(cache_file, form)
    if entry is None:
        evict(folder, len(paths) * (form.bytes_each + BESIDE), max_bytes)
        with _only_builder(cache_file):
            entry = read(cache_file, form)  # while this process waited, another may have built it
            if entry is None:
                _build(cache_file, paths, names, identities, form, _earlier(folder, kind, form), progress)
                entry = read(cache_file, form)
    if entry is None:
        raise DatasetError(
            "The decoded photos in {place} cannot be read back: check the disk, or delete {folder}.",
            place=cache_file,
            folder=folder,
        )
    with suppress(OSError):
        os.utime(cache_file)  # the longest unused go first
    if progress:
        progress(len(paths), len(paths))
    return Decoded(
        torch.from_numpy(entry.images),
        torch.from_numpy(entry.aspects),
        torch.from_numpy(entry.ok).bool(),
        [(paths[i], why) for i, why in entry.errors],
    )


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return os.path.abspath(path)


def _identities(paths: Sequence[Path], names: Sequence[str]) -> np.ndarray:
    """uint8 (N, 16): one digest a photo of its name, size and time; a photo that is gone has its own."""
    digests = bytearray()
    for path, name in zip(paths, names, strict=True):
        try:
            stat = os.stat(path)
            identity = f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}"
        except OSError:
            identity = f"{name}\0missing"
        digests += blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
    return np.frombuffer(bytes(digests), np.uint8).reshape(-1, DIGEST)


@contextmanager
def _only_builder(cache_file: Path) -> Iterator[None]:
    """One process at a time; where the file system has no locks both build, and the renaming keeps them apart."""
    lock = FileLock(f"{cache_file}.lock")
    try:
        lock.acquire()
    except (OSError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            os.unlink(lock.lock_file)


def _build(
    cache_file: Path,
    paths: Sequence[Path],
    names: Sequence[str],
    identities: np.ndarray,
    form: StorageFormat,
    earlier: dict[bytes, tuple[np.ndarray, float]],
    progress: Progress | None,
) -> None:
    try:
        writer = Writer(cache_file, identities, form)
    except OSError as error:
        raise TooLarge(_no_room(cache_file, error)) from error

    def fill(start: int) -> int:
        end = min(start + TASK, len(paths))
        for i in range(start, end):
            cached = earlier.get(identities[i].tobytes())
            if cached is not None:
                writer.images[i], writer.aspects[i], writer.ok[i] = *cached, 1
                continue
            try:
                image, writer.aspects[i] = form.read(paths[i], name=names[i])
            except InputError as error:
                writer.errors.append((i, error.message))
                continue
            writer.images[i], writer.ok[i] = image.numpy(), 1
        return end

    try:
        _in_threads(fill, range(0, len(paths), TASK), len(paths), progress)
        try:
            writer.finish()
        except OSError as error:
            raise TooLarge(_no_room(cache_file, error)) from error
    finally:
        writer.discard()


def _no_room(cache_file: Path, error: OSError) -> str:
    return f"The decoded photos cannot be kept in {cache_file.parent} ({error.strerror or error}): make room there."


def _in_threads(work: Callable[[int], int], starts: range, count: int, progress: Progress | None) -> None:
    """Threads, because Pillow lets go of the interpreter while it decodes and resizes: measured 1.8x with two on
    photographs, as two processes do, which would each import torch first (0.5 GB and seconds)."""
    pool = ThreadPoolExecutor(min(MAX_THREADS, available_cores()), thread_name_prefix="decode")
    try:
        for done in pool.map(work, starts):
            if progress:
                progress(done, count)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _earlier(folder: Path, kind: str, form: StorageFormat) -> dict[bytes, tuple[np.ndarray, float]]:
    """identity -> (image, aspect) of every photo that is kept in the same form."""
    cached: dict[bytes, tuple[np.ndarray, float]] = {}
    for cache_file in folder.glob(f"{kind}-*{SUFFIX}"):
        entry = read(cache_file, form)
        if entry is not None:
            digests, aspects = entry.identities, entry.aspects
            cached.update((digests[i].tobytes(), (entry.images[i], aspects[i])) for i in np.flatnonzero(entry.ok))
    return cached
