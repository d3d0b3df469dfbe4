"""A tar, packed or not, seen as a zip is: its regular files by name and size, so that one judge looks at both."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import IO

from imgcls.data.zip_entries import UTF8_FLAG, ZipLimits, too_many
from imgcls.errors import DatasetError


class TarArchive:
    """`infolist` and `open` as zipfile has them. What is no regular file, a link above all, counts as a link."""

    def __init__(self, path: Path | str, called: str, limits: ZipLimits) -> None:
        """Raises DatasetError before more is listed than `limits` allow; a packed tar is read through for that."""
        self._tar = tarfile.open(path, "r:*")
        self._members: dict[int, tarfile.TarInfo] = {}
        self._listed: list[zipfile.ZipInfo] = []
        packed, total = os.path.getsize(path), 0
        for member in self._tar:
            total += member.size
            if len(self._listed) >= limits.files:
                raise too_many(called, len(self._listed) + 1, limits)
            if total > limits.total:
                raise DatasetError(
                    "{file} unpacks to {size:.1f} GB and at most {most:.1f} GB are allowed: split it.",
                    file=called,
                    size=total / 1e9,
                    most=limits.total / 1e9,
                )
            info = zipfile.ZipInfo(member.name + ("/" if member.isdir() else ""))
            info.flag_bits, info.file_size = UTF8_FLAG, member.size
            info.external_attr = (stat.S_IFREG if member.isreg() or member.isdir() else stat.S_IFLNK) << 16
            self._listed.append(info)
            self._members[id(info)] = member
        for info in self._listed:  # a tar is packed as a whole: each file's share of it
            info.compress_size = packed * info.file_size // max(1, total)

    def infolist(self) -> list[zipfile.ZipInfo]:
        return self._listed

    def open(self, info: zipfile.ZipInfo) -> IO[bytes]:
        file = self._tar.extractfile(self._members[id(info)])
        if file is None:
            raise EOFError(info.filename)
        return file

    def __enter__(self) -> TarArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
