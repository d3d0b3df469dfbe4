"""Built-in data sets: fetched where there is a network, and read as uint8 tensors, each by its row.

Knows no settings, no split and no training.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from typing import IO

import torch

from imgcls.data.registry import DATASETS, Arrays, DatasetSpec, Download, dataset_spec, fetchable_names
from imgcls.errors import DatasetError, network_reason
from imgcls.files import storage_error
from imgcls.messages import Message
from imgcls.progress import Progress
from imgcls.workspace import Workspace

BLOCK = 1 << 18  # bytes
_prefetched: dict[str, tuple[tuple, Arrays]] = {}  # by a set's name: its files' times and sizes, what they hold


def prefetch(name: str, workspace: Workspace) -> None:
    """Where a process waits for work: the next `load_arrays` of these files has it at once. Raises DatasetError."""
    _prefetched[name] = _as_they_lie(name, workspace), load_arrays(name, workspace)


def clear_prefetched() -> None:
    """Another set was loaded: free the memory of the prefetched one."""
    _prefetched.clear()


def _as_they_lie(name: str, workspace: Workspace) -> tuple:
    stats = ((path, path.stat()) for path in sorted(dataset_spec(name).in_workspace(workspace).iterdir()))
    return tuple((path.as_posix(), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


def load_arrays(name: str, workspace: Workspace, *, progress: Progress | None = None) -> Arrays:
    """{"train" and, where there is one, "test": (uint8 (N, C, H, W), int64 (N,))}. Raises DatasetError naming a broken
    file."""
    spec = dataset_spec(name)
    spec.require(workspace)
    prefetched = _prefetched.pop(name, None)
    if prefetched and prefetched[0] == _as_they_lie(name, workspace):
        return prefetched[1]
    arrays = spec.read(spec.source(workspace, progress))
    for split, count in spec.counts.items():
        _check(spec, split, count, arrays)
    return arrays


def _check(spec: DatasetSpec, split: str, count: int, arrays: Arrays) -> None:
    """Raises DatasetError where what was read is not what the row says."""
    images, labels = arrays.get(split, (torch.empty(0), torch.empty(0)))
    fits = (
        len(images) == len(labels) == (len(images) if spec.renderings else count)
        and (images.dtype, labels.dtype, images.ndim, labels.ndim) == (torch.uint8, torch.int64, 4, 1)
        and 0 <= int(labels.min()) <= int(labels.max()) < len(spec.classes)
    )
    if not fits:
        raise DatasetError(
            "The files of {name} hold something else than {count} images of its {classes} classes for {split}: get "
            "them again.",
            name=spec.name,
            count=count,
            classes=len(spec.classes),
            split=split,
        )


def fetch(name: str, workspace: Workspace, *, progress: Progress | None = None, base: str | None = None) -> None:
    """Get a set that does not ship. `base`: another address that has the same files (IMGCLS_DATA_MIRROR otherwise). A
    download that is cut, or stopped by what `progress` raises, leaves nothing behind."""
    if name not in DATASETS:
        names = ", ".join(fetchable_names())
        raise DatasetError("There is nothing called {name} to fetch: choose one of {names}.", name=name, names=names)
    spec = DATASETS[name]
    if spec.is_here(workspace):
        return
    if not spec.downloads:
        spec.require(workspace)
    base = base or os.environ.get("IMGCLS_DATA_MIRROR")
    urls = (base.rstrip("/") + "/",) if base else spec.urls
    folder, done_before = workspace.data.joinpath(*spec.folder), 0
    how = spec.how_to_get(workspace)
    try:
        for download in spec.downloads:
            if all((folder / file).is_file() for file in download.files):
                continue
            packed = folder / download.name
            done_before += _download(urls, packed, download.md5, how, _after(done_before, progress))
            if download.members:
                _unpack(packed, download)
    finally:
        _remove_if_empty(folder, workspace.data)


def _remove_if_empty(folder: Path, above: Path) -> None:
    """With those over it, up to `above`: of what did not come nothing is left."""
    with suppress(OSError):  # it holds something, or is not there
        while folder != above:
            folder.rmdir()
            folder = folder.parent


def _unpack(packed: Path, download: Download) -> None:
    """The members beside the archive, which is then deleted."""
    try:
        with ExitStack() as stack:
            for name, member in _members(packed, download, stack):
                temporary = packed.with_name(name + ".tmp")
                with temporary.open("wb") as file:
                    shutil.copyfileobj(member, file, BLOCK)
                os.replace(temporary, packed.with_name(name))
    except OSError as error:
        raise storage_error(packed, error) from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError):
        raise DatasetError("{path} is cut off or not what its name says: get it again.", path=packed) from None
    finally:
        packed.unlink(missing_ok=True)


def _members(packed: Path, download: Download, stack: ExitStack) -> Iterator[tuple[str, IO[bytes]]]:
    """(file name, what is in it) of each wanted member of a tar or zip archive; KeyError where one is missing."""
    if packed.suffix == ".zip":
        zipped = stack.enter_context(zipfile.ZipFile(packed))
        for name, member in zip(download.files, download.members, strict=True):
            with zipped.open(member) as stream:
                yield name, stream
        return
    tar = stack.enter_context(tarfile.open(packed))
    for name, member in zip(download.files, download.members, strict=True):
        stream = tar.extractfile(member)
        if stream is None:
            raise KeyError(member)
        yield name, stream


def _after(done_before: int, progress: Progress | None) -> Progress | None:
    """`progress` of one file after `before` bytes of others."""
    return progress and (lambda done, total: progress(done_before + done, done_before + total))


def _download(urls: tuple[str, ...], path: Path, md5: str, how: Message, progress: Callable | None) -> int:
    """How many bytes it has; from the first address that gives it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for url in urls[:-1]:
        try:
            return _download_from(url + path.name, path, md5, how, progress)
        except DatasetError:
            continue
    return _download_from(urls[-1] + path.name, path, md5, how, progress)


def _download_from(url: str, path: Path, md5: str, how: Message, progress: Callable | None) -> int:
    temporary, digest, done = path.with_name(path.name + ".tmp"), hashlib.md5(usedforsecurity=False), 0
    try:
        with urllib.request.urlopen(url, timeout=30) as answer, temporary.open("wb") as file:
            total = int(answer.headers.get("Content-Length") or 0)
            while block := answer.read(BLOCK):
                file.write(block)
                digest.update(block)
                done += len(block)
                if progress:
                    progress(done, total)
        if digest.hexdigest() != md5:
            raise DatasetError(
                "{file} came cut off or changed ({count:,} bytes): try again, or {how}",
                file=path.name,
                count=done,
                how=how,
            )
        os.replace(temporary, path)
        return done
    except (OSError, HTTPException, ValueError) as error:
        raise DatasetError(
            "{file} could not be fetched from {host}: {reason}. Try again, or {how}",
            file=path.name,
            host=urllib.parse.urlsplit(url).netloc,
            reason=network_reason(error),
            how=how,
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
