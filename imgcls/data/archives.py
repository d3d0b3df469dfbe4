"""A zip or a tar of photos -> a folder under data/: whole or not at all, and nothing outside that folder.

Which entries are taken is zip_entries' to say. Whether the folder can be trained on is asked of image_folders before it
appears.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path

from imgcls.data.catalog import new_folder
from imgcls.data.image_folders import scan
from imgcls.data.tar_entries import TarArchive, is_tar
from imgcls.data.zip_entries import Archive, PackedFile, ZipLimits, wanted_entries
from imgcls.errors import DatasetError
from imgcls.files import free_bytes, temporary_name
from imgcls.workspace import Workspace

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
OTHER_ARCHIVES = {b"Rar!": "RAR", b"7z\xbc\xaf": "7z", b"\x28\xb5\x2f\xfd": "zstd", b"MSCF": "CAB"}
BLOCK = 1 << 20


def unpack(
    zip_path: Path | str,
    name: str,
    workspace: Workspace,
    *,
    limits: ZipLimits | None = None,
    skipped: list[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Makes the new data set `name` of the images in a zip or tar, and returns its folder.

    skipped: a list that receives the names of entries that were left out. progress: called with (images done, in all).
    Raises DatasetError with one sentence where the zip cannot be used or the name is taken; nothing is left then.
    """
    limits, skipped = limits or ZipLimits(), [] if skipped is None else skipped
    called = Path(zip_path).name
    into = new_folder(name, workspace)
    into.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(into)
    try:
        with ExitStack() as opened:
            archive = _opened(Path(zip_path), called, limits, opened)
            entries = wanted_entries(archive, called, limits, skipped, tables=True)
            _check_disk(into.parent, sum(info.file_size for info, _ in entries), called)
            temporary.mkdir()
            for done, (info, inner_path) in enumerate(entries, 1):
                _extract(archive, info, temporary / inner_path, called, limits)
                if progress:
                    progress(done, len(entries))
        scan(temporary, name=f"{into.parent.name}/{into.name}")
        os.rename(temporary, into)
    except (zipfile.BadZipFile, tarfile.TarError, BadGzipFile, zlib.error, LZMAError, EOFError):
        raise _unreadable(zip_path, called) from None
    except NotImplementedError:
        raise DatasetError(
            "{file} is packed in a way that cannot be read here: make an ordinary zip of it.", file=called
        ) from None
    except OSError as error:
        if error.errno is None:  # bz2's word for damage
            raise _unreadable(zip_path, called) from None
        raise DatasetError(
            "{file} cannot be unpacked to {folder}: {reason}.", file=called, folder=into, reason=error.strerror or error
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return into


def _opened(path: Path, called: str, limits: ZipLimits, opened: ExitStack) -> Archive:
    """A zip, or a tar: by its ending or its first bytes."""
    if path.name.lower().endswith(TARS) or is_tar(_head(path)):
        return opened.enter_context(TarArchive(path, called, limits))
    file = opened.enter_context(PackedFile(path, called, limits))
    archive = opened.enter_context(zipfile.ZipFile(file))
    file.listed = True
    return archive


def _unreadable(path: Path | str, called: str) -> DatasetError:
    """By its first bytes: another kind of archive, or one that is cut off."""
    head = _head(path)
    kind = next((kind for start, kind in OTHER_ARCHIVES.items() if head.startswith(start)), None)
    if kind:
        return DatasetError(
            "{file} is a {kind} archive, which cannot be read here: unpack it, and make a zip of the folder.",
            file=called,
            kind=kind,
        )
    return DatasetError("{file} is not a whole archive: make or copy it again.", file=called)


def _head(path: Path | str) -> bytes:
    with suppress(OSError), open(path, "rb") as file:
        return file.read(512)  # as much as a tar's first header
    return b""


class ZippedImages:
    """The images in a zip, to be read one by one without unpacking it: `names` in their order, `read(i)` the bytes.

    Raises DatasetError for a zip that `unpack` would refuse; `read` for an entry that is damaged.
    """

    def __init__(self, zip_path: Path | str, limits: ZipLimits | None = None) -> None:
        self.called, limits = Path(zip_path).name, limits or ZipLimits()
        self._file = PackedFile(zip_path, self.called, limits)
        try:
            self._archive = zipfile.ZipFile(self._file)
            self._file.listed = True
            self._entries = wanted_entries(self._archive, self.called, limits, [])
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError):
            self.close()
            raise _unreadable(zip_path, self.called) from None
        except DatasetError:
            self.close()
            raise
        self.names = [inner_path.as_posix() for _, inner_path in self._entries]

    def read(self, index: int) -> bytes:
        info, inner_path = self._entries[index]
        try:
            with self._archive.open(info) as packed:
                content = packed.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, NotImplementedError):
            content = b""
        if len(content) != info.file_size:
            raise DatasetError("{file} is cut off or damaged: save or copy it again.", file=inner_path.name)
        return content

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> ZippedImages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_disk(folder: Path, needed: int, called: str) -> None:
    free = free_bytes(folder)
    if needed > free:
        raise DatasetError(
            "{file} unpacks to {size:.1f} GB and the disk has {free:.1f} GB free: make room.",
            file=called,
            size=needed / 1e9,
            free=max(0, free) / 1e9,
        )


def _extract(archive: Archive, info: zipfile.ZipInfo, inner_path: Path, called: str, limits: ZipLimits) -> None:
    inner_path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(info) as packed, inner_path.open("xb") as file:
        while block := packed.read(BLOCK):
            written += len(block)
            if written > min(info.file_size, limits.single):
                raise DatasetError(
                    "{file} says less than it holds ({entry}): it was not unpacked.", file=called, entry=inner_path.name
                )
            file.write(block)
