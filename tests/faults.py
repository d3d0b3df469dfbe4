"""A disk that fails once: the n-th opening, write, flush, rename or new folder below a place ends in an error."""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch

KINDS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}


class Disk:
    """`count`: what has been asked of it; `failed`: what the error came to, None where there was none."""

    def __init__(self, root: Path, at: int, number: int) -> None:
        self.root, self.at, self.number = os.fspath(root), at, number
        self.count, self.failed = 0, None

    def ask(self, what: str, path: Any) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):
            name = os.path.abspath(os.fsdecode(path))
            if not name.startswith(self.root) or name.endswith(".lock"):
                return
        self.count += 1
        if self.count == self.at:
            self.failed = f"{what} {path}"
            self.fail(what, path)

    def fail(self, what: str, path: Any) -> None:
        raise OSError(self.number, os.strerror(self.number), os.fspath(path) if path else None)


class _File:
    """A file whose writes are asked for."""

    def __init__(self, file: Any, disk: Disk, path: Any) -> None:
        self._file, self._disk, self._path = file, disk, path

    def write(self, content: Any) -> int:
        self._disk.ask("write", self._path)
        return self._file.write(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)


@contextlib.contextmanager
def failing_disk(root: Path, at: int, number: int) -> Iterator[Disk]:
    """Below `root`, from now on. at: 0 only counts."""
    disk = Disk(root, at, number)
    real = {"open": io.open, "fsync": os.fsync, "replace": os.replace, "rename": os.rename, "mkdir": os.mkdir,
            "serialize": safetensors.torch.serialize_file}  # fmt: skip

    def open_file(path: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if not set(mode) & set("wax+") or isinstance(path, int):
            return real["open"](path, mode, *arguments, **named)
        before = disk.count
        disk.ask("open", path)
        file = real["open"](path, mode, *arguments, **named)
        return _File(file, disk, path) if disk.count > before else file

    def fsync(number: int) -> None:
        disk.ask("fsync", _path_of(number))
        real["fsync"](number)

    def serialize(tensors: Any, path: Any, *arguments: Any, **named: Any) -> None:
        disk.ask("write", path)
        real["serialize"](tensors, path, *arguments, **named)

    def renaming(name: str) -> Any:
        def rename(source: Any, target: Any, **named: Any) -> None:
            disk.ask(name, target)
            real[name](source, target, **named)

        return rename

    def mkdir(path: Any, *arguments: Any, **named: Any) -> None:
        if not os.path.isdir(path):
            disk.ask("mkdir", path)
        real["mkdir"](path, *arguments, **named)

    builtins.open = io.open = open_file  # type: ignore[assignment]
    os.fsync, os.mkdir = fsync, mkdir
    os.replace, os.rename = renaming("replace"), renaming("rename")
    safetensors.torch.serialize_file = serialize
    try:
        yield disk
    finally:
        builtins.open = io.open = real["open"]
        os.fsync, os.mkdir, os.replace, os.rename = real["fsync"], real["mkdir"], real["replace"], real["rename"]
        safetensors.torch.serialize_file = real["serialize"]


def _path_of(number: int) -> Any:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return None
