"""Which entries of a zip are images to take, and where each goes below the folder.

What a hostile or careless zip can hold is refused (paths that leave, bombs, passwords) or left out (links, zips in
zips, everything that is no image), by the zip's directory alone: nothing is unpacked here.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Protocol

from imgcls.data.file_labels import MAX_BYTES as MAX_TABLE_BYTES
from imgcls.errors import DatasetError
from imgcls.filenames import numbered, sanitize, shown
from imgcls.imaging.image_files import is_image_name, is_litter

MAX_DEPTH = 12
TABLES = (".csv", ".tsv", ".xlsx", "classes.txt", "labels.txt", "annotations.txt", "train.txt", "val.txt", "test.txt")
SPARED_BYTES = 50_000_000  # below this no ratio is a bomb: drawings saved as BMP shrink a thousandfold
UTF8_FLAG, ENCRYPTED_FLAG = 0x800, 0x1
HEADER = struct.Struct("<4s24xHHH12x")  # of an entry in the zip's directory: magic, bytes of name, of extra, of comment
ENTRY_BYTES, EXTRA_BYTES = (
    400,
    1 << 16,
)  # bytes of the directory: an entry with a long name and its extras, and whatever else


@dataclass(frozen=True)
class ZipLimits:
    """files: entries in all; total and single: bytes when unpacked; ratio: unpacked to packed, of the whole zip."""

    files: int = 200_000
    total: int = 4_000_000_000
    single: int = 100_000_000
    ratio: float = 100.0


class PackedFile(io.BufferedReader):
    """A zip's bytes. Its directory is measured and counted before zipfile makes an object of every entry in it: a
    directory of 100 MB would cost 0.8 GB and twelve seconds before anything could be refused."""

    def __init__(self, path: Path | str, called: str, limits: ZipLimits) -> None:
        super().__init__(io.FileIO(path))
        self.called, self.limits, self.listed = called, limits, False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.listed:
            return super().read(size)
        if size is not None and size > self.limits.files * ENTRY_BYTES + EXTRA_BYTES:
            raise too_many(self.called, size // ENTRY_BYTES, self.limits)
        data = super().read(size)
        count, at = 0, 0
        while at + HEADER.size <= len(data):
            magic, *lengths = HEADER.unpack_from(data, at)
            if magic != b"PK\x01\x02":
                break
            count, at = count + 1, at + HEADER.size + sum(lengths)
        if count > self.limits.files:
            raise too_many(self.called, count, self.limits)
        return data


def too_many(called: str, count: int, limits: ZipLimits) -> DatasetError:
    return DatasetError(
        "{file} has {count:,} entries and at most {most:,} are allowed: split it.",
        file=called,
        count=count,
        most=limits.files,
    )


class Archive(Protocol):
    """What a zip and a tar have in common here."""

    def infolist(self) -> list[zipfile.ZipInfo]: ...

    def open(self, info: zipfile.ZipInfo, /) -> IO[bytes]: ...


def wanted_entries(
    archive: Archive, called: str, limits: ZipLimits, skipped: list[str], *, tables: bool = False
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The entries to unpack and where to; refuses the zip for what no honest one holds. tables: with the files that may
    hold the images' labels."""
    entries = archive.infolist()
    to_unpack: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    names_taken: set[str] = set()
    spelt: dict[str, str] = {}
    for info, name in zip(entries, _names(entries), strict=True):
        inner_path = _place(name, called)
        if info.is_dir() or name.endswith(("/", "\\")) or inner_path is None:
            continue
        table = tables and inner_path.name.lower().endswith(TABLES) and info.file_size <= MAX_TABLE_BYTES
        if not (table or is_image_name(inner_path.name)) or stat.S_ISLNK(info.external_attr >> 16):
            skipped.append(name)
            continue
        if info.flag_bits & ENCRYPTED_FLAG:
            raise DatasetError("{file} is protected by a password: make a zip without one.", file=called)
        if info.file_size > limits.single:
            raise DatasetError(
                "{file} has a file of {size:.0f} MB ({entry}) and at most {most:.0f} MB are allowed: leave "
                "it out or make it smaller.",
                file=called,
                size=info.file_size / 1e6,
                entry=shown(name),
                most=limits.single / 1e6,
            )
        inner_path = _one_spelling(inner_path, spelt)
        number, free = 2, inner_path
        while free.as_posix().casefold() in names_taken:
            number, free = number + 1, inner_path.with_name(numbered(inner_path.name, number))
        names_taken.add(free.as_posix().casefold())
        to_unpack.append((info, free))
    _check_size([info for info, _ in to_unpack], called, limits)
    if not any(is_image_name(inner_path.name) for _, inner_path in to_unpack):
        if any(name.lower().endswith(".zip") for name in skipped):
            raise DatasetError(
                "{file} holds no images, only zips, which are not opened: zip a folder that has a folder of images for "
                "each class.",
                file=called,
            )
        raise DatasetError(
            "{file} holds no images: zip a folder that has a folder of images for each class.", file=called
        )
    return to_unpack


def _one_spelling(inner_path: PurePosixPath, spelt: dict[str, str]) -> PurePosixPath:
    """Folders Cat and cat are one, as they are on Windows and macOS: spelt as the first of them."""
    folders: list[str] = []
    for component in inner_path.parts[:-1]:
        way = "/".join((*folders, component)).casefold()
        folders.append(spelt.setdefault(way, component))
    return PurePosixPath(*folders, inner_path.name)


def _check_size(infos: list[zipfile.ZipInfo], called: str, limits: ZipLimits) -> None:
    total, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if total > limits.total:
        raise DatasetError(
            "{file} unpacks to {size:.1f} GB and at most {most:.1f} GB are allowed: split it.",
            file=called,
            size=total / 1e9,
            most=limits.total / 1e9,
        )
    if total > SPARED_BYTES and total > limits.ratio * max(1, packed):
        raise DatasetError(
            "{file} unpacks to {times:.0f} times its size and at most {most:.0f} times is allowed, which "
            "no photographs need: it looks like a zip bomb.",
            file=called,
            times=total / max(1, packed),
            most=limits.ratio,
        )


def _names(entries: list[zipfile.ZipInfo]) -> list[str]:
    """Entries' names as their author saw them.

    Zips that do not say "UTF-8" are in the code page of the machine that made them, which they do not name: UTF-8
    (macOS), a Chinese Windows' GB 18030, or cp437, as which zipfile has read them. All names of a zip are in one. The
    bytes of accented letters in cp437 lie below GB2312's, but two that are an accented letter in UTF-8 can be Chinese
    (猫 is è): Chinese then, because macOS spells accents apart.
    """
    raw = {i: _bytes(info.orig_filename) for i, info in enumerate(entries) if not info.flag_bits & UTF8_FLAG}
    foreign = [name for name in raw.values() if not name.isascii()]
    as_utf8 = [_decoded(name, "utf-8") for name in foreign]
    as_chinese = [_decoded(name, "gb2312") for name in foreign]
    encoding = "cp437"
    letters = "".join(name or "" for name in as_utf8)
    if None not in as_utf8 and (None in as_chinese or max(letters, default="") >= "\u0800"):
        encoding = "utf-8"
    elif any(as_chinese):
        encoding = "gb18030"
    return [(i in raw and _decoded(raw[i], encoding)) or info.orig_filename for i, info in enumerate(entries)]


def _bytes(name: str) -> bytes:
    return name.encode("cp437", "replace")


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _place(name: str, called: str) -> PurePosixPath | None:
    """Where an entry goes below the folder; None for what archivers and file managers leave behind."""
    components = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".")]
    if name.startswith(("/", "\\")) or PureWindowsPath(name).drive or ".." in components:
        raise DatasetError(
            "{file} has the entry '{entry}', which would leave its folder: it was not unpacked.",
            file=called,
            entry=shown(name),
        )
    if len(components) > MAX_DEPTH:
        raise DatasetError(
            "{file} has more than {most} folders inside each other: make a flatter zip.", file=called, most=MAX_DEPTH
        )
    if not components or any(is_litter(component) for component in components):
        return None
    return PurePosixPath(*(sanitize(component) for component in components))
