"""The file in which decoded photos are kept: written beside its place and renamed when whole, read back mapped.

    images uint8 (N, C, side, side) | aspects float32 (N,) | identities (N, 16) | ok uint8 (N,) | errors, JSON | tail

The tail says how long the rest must be, so that a file which was cut off is not taken for a whole one. Knows neither
where the file lies nor when it is out of date; nothing in it is ever executed.
"""

from __future__ import annotations

import json
import os
import secrets
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgcls.data.photos import StorageFormat
from imgcls.messages import Message

VERSION = 2
DIGEST = 16
BESIDE = 4 + DIGEST + 1  # bytes a photo besides its pixels
TAIL = struct.Struct("<8sqqqq")  # magic, N, bytes an image, bytes of the errors' JSON, version
MAGIC = b"imgclsPH"


@dataclass
class Kept:
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

    def __init__(self, place: Path, identities: np.ndarray, form: StorageFormat) -> None:
        count = len(identities)
        self.place, self.identities, self.form = place, identities, form
        self.aspects, self.ok = np.ones(count, np.float32), np.zeros(count, np.uint8)
        self.errors: list[tuple[int, Message]] = []
        self._images: np.memmap | None = None
        self._temporary = place.with_name(f"{place.stem}-{secrets.token_hex(6)}.tmp")
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
        said = json.dumps([(i, why.as_dict()) for i, why in sorted(self.errors, key=lambda error: error[0])]).encode()
        with self._temporary.open("ab") as file:
            for part in (self.aspects.tobytes(), self.identities.tobytes(), self.ok.tobytes(), said):
                file.write(part)
            file.write(TAIL.pack(MAGIC, len(self.ok), self.form.bytes_each, len(said), VERSION))
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._temporary, self.place)

    def discard(self) -> None:
        """Nothing half-written stays; after `finish` there is nothing left to delete."""
        self._images = None
        with suppress(OSError):
            self._temporary.unlink()


def read(place: Path, form: StorageFormat) -> Kept | None:
    """What is kept at `place` in `form`, or None where the file is missing, cut off or foreign."""
    try:
        with place.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL.size))
            magic, count, each, said, version = TAIL.unpack(file.read(TAIL.size))
            whole = count * (each + BESIDE) + said + TAIL.size
            if (magic, each, version, size) != (MAGIC, form.bytes_each, VERSION, whole) or count < 1:
                return None
            file.seek(count * each)
            aspects = np.frombuffer(file.read(count * 4), np.float32).copy()
            identities = np.frombuffer(file.read(count * DIGEST), np.uint8).reshape(count, DIGEST)
            ok = np.frombuffer(file.read(count), np.uint8).copy()
            errors = [(int(i), Message.from_dict(why)) for i, why in json.loads(file.read(said))]
        if any(not 0 <= i < count for i, _ in errors):
            return None
        shape = (count, form.channels, form.side, form.side)
        # Copy-on-write: tensors want memory that could be written, and the file can never be.
        return Kept(np.memmap(place, np.uint8, "c", shape=shape), aspects, identities, ok, errors)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error):
        return None
