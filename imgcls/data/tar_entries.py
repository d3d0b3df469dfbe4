"""A tar, packed or not, seen as a zip is: its regular files by name and size, so that one judge looks at both."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from imgcls.data.zip_entries import UTF8_FLAG, ZipLimits, too_many
from imgcls.errors import DatasetError

PACKERS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {  # by a packed tar's first bytes, whatever it is called
    b"\x1f\x8b": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    b"BZh": lambda file: cast("IO[bytes]", bz2.BZ2File(file)),
    b"\xfd7zXZ": lambda file: cast("IO[bytes]", lzma.LZMAFile(file)),
}
MAGIC, MAGIC_AT = b"ustar", 257  # of a tar that is not packed
SPARED_BYTES, ENTRY_BYTES = 1_000_000, 4096  # of headers: in all, and for every entry, whose names may be long


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar, or packed as tars are."""
    return head.startswith(tuple(PACKERS)) or head[MAGIC_AT:].startswith(MAGIC)


class _Headers:
    """A tar's bytes. While its entries are listed only headers are read, the rest is skipped; how much is bounded,
    because tarfile reads a long name or an extended header as a whole, and a packed gigabyte of it is small."""

    def __init__(self, stream: IO[bytes], called: str) -> None:
        self.allowed: int | None = SPARED_BYTES
        self._stream, self._called = stream, called
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if self.allowed is not None:
            if not 0 <= size <= self.allowed:
                raise DatasetError(
                    "{file} has longer headers than any tar of photos: make it again, or make a zip of the folder.",
                    file=self._called,
                )
            self.allowed -= size
        data = self._stream.read(size)
        if self.allowed is not None and 0 < len(data) < size:  # tarfile takes half a header for the end
            raise EOFError(self._called)
        return data


class TarArchive:
    """`infolist` and `open` as zipfile has them. What is no regular file, a link above all, counts as a link."""

    def __init__(self, path: Path | str, called: str, limits: ZipLimits) -> None:
        """Raises DatasetError before more is listed than `limits` allow; a packed tar is read through for that."""
        self._members: list[tarfile.TarInfo] = []
        with ExitStack() as opened:
            stream: IO[bytes] = opened.enter_context(open(path, "rb"))
            head = stream.read(MAGIC_AT)
            stream.seek(0)
            for start, packer in PACKERS.items():
                if head.startswith(start):
                    stream = opened.enter_context(packer(stream))
            headers = _Headers(stream, called)
            self._tar = tarfile.TarFile(fileobj=cast("IO[bytes]", headers), encoding="utf-8")
            self._list(headers, called, limits)
            self._opened = opened.pop_all()
        self._listed = self._as_zipped(os.path.getsize(path))
        self._member_of = {id(info): member for info, member in zip(self._listed, self._members, strict=True)}

    def _list(self, headers: _Headers, called: str, limits: ZipLimits) -> None:
        total = 0
        for member in self._tar:
            total += member.size
            if len(self._members) >= limits.files:
                raise too_many(called, len(self._members) + 1, limits)
            if total > limits.total:
                raise DatasetError(
                    "{file} unpacks to {size:.1f} GB and at most {most:.1f} GB are allowed: split it.",
                    file=called,
                    size=total / 1e9,
                    most=limits.total / 1e9,
                )
            self._members.append(member)
            headers.allowed = (headers.allowed or 0) + ENTRY_BYTES
        headers.allowed = None

    def _as_zipped(self, packed: int) -> list[zipfile.ZipInfo]:
        """Where one name is no UTF-8 none is taken for it, but those of extended headers: its author's code page is
        found as a zip's is."""
        total = sum(member.size for member in self._members)
        utf8 = not any(_has_stray_bytes(member.name) for member in self._members)
        listed = []
        for member in self._members:
            name, flags = member.name, UTF8_FLAG
            if not utf8 and ("path" not in member.pax_headers or _has_stray_bytes(name)):
                name, flags = name.encode("utf-8", "surrogateescape").decode("cp437"), 0
            info = zipfile.ZipInfo(name + ("/" if member.isdir() else ""))
            info.flag_bits, info.file_size = flags, member.size
            info.external_attr = (stat.S_IFREG if member.isreg() or member.isdir() else stat.S_IFLNK) << 16
            # A tar is packed as a whole: each file's share of it.
            info.compress_size = packed * info.file_size // max(1, total)
            listed.append(info)
        return listed

    def infolist(self) -> list[zipfile.ZipInfo]:
        return self._listed

    def open(self, info: zipfile.ZipInfo) -> IO[bytes]:
        file = self._tar.extractfile(self._member_of[id(info)])
        if file is None:
            raise EOFError(info.filename)
        return file

    def __enter__(self) -> TarArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        self._opened.close()


def _has_stray_bytes(name: str) -> bool:
    """Whether tarfile could not decode all of it."""
    return any("\udc80" <= letter <= "\udcff" for letter in name)
