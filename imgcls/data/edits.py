"""Putting one's own data set right: an image moves to another class or is deleted, and both can be undone; what a
person has looked at and found right is remembered.

    data/<name>/.audit.json      what was found right, and the changes that can be undone
    data/<name>/.trash/<id>/     deleted images

Only files that the data set itself lists are touched, and they never leave its folder. Sets that ship stay as they are.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from filelock import FileLock

from imgcls.data.catalog import folder_of
from imgcls.data.image_folders import class_name, scan
from imgcls.data.registry import is_builtin
from imgcls.errors import DatasetError
from imgcls.filenames import numbered, shown
from imgcls.files import storage_error, write_bytes
from imgcls.workspace import Workspace

RECORD, TRASH = ".audit.json", ".trash"
CHANGES = 1000  # that can be undone; the oldest are forgotten, and what they deleted is gone


@dataclass(frozen=True)
class Change:
    """What was done to one image: paths below the data set's folder; `after` lies in the trash where it was deleted."""

    id: str
    before: str
    after: str

    @property
    def deleted(self) -> bool:
        return self.after.startswith(TRASH)


@dataclass
class Record:
    """right: path -> what was found right about it (see `dismissal_key`); changes: the newest last."""

    right: dict[str, list[str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """An empty one where there is none, or where it cannot be read."""
        try:
            written = json.loads((folder / RECORD).read_text("utf-8"))
            right = {str(path): [str(s) for s in dismissed] for path, dismissed in written["right"].items()}
            return cls(right, [Change(str(c["id"]), str(c["before"]), str(c["after"])) for c in written["changes"]])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, folder: Path) -> None:
        content = {"right": self.right, "changes": [asdict(change) for change in self.changes]}
        write_bytes(folder / RECORD, json.dumps(content, indent=1).encode())

    def is_right(self, path: str, kind: str, about: str) -> bool:
        return dismissal_key(kind, about) in self.right.get(path, ())


def dismissal_key(kind: str, about: str) -> str:
    """One thing that can be right about an image: a label ("label rose"), a twin ("duplicate a/1.jpg"), an oddity."""
    return f"{kind} {about}".strip()


def dismiss(dataset: str, path: str, kind: str, about: str, workspace: Workspace) -> None:
    """Remember that a person has looked: the audit does not say it again. about: the label, or the other file."""
    with _set(dataset, workspace) as (folder, record):
        _listed(folder, path)
        dismissed = record.right.setdefault(path, [])
        if dismissal_key(kind, about) not in dismissed:
            dismissed.append(dismissal_key(kind, about))
        record.write(folder)


def undismiss(dataset: str, path: str, kind: str, about: str, workspace: Workspace) -> None:
    """Takes `dismiss` back."""
    with _set(dataset, workspace) as (folder, record):
        dismissed = record.right.get(path, [])
        if dismissal_key(kind, about) in dismissed:
            dismissed.remove(dismissal_key(kind, about))
            record.write(folder)


def move_to_class(dataset: str, path: str, label: str, workspace: Workspace) -> Change:
    """The image becomes one of class `label`, in the same part. Raises DatasetError, and has then changed nothing."""
    with _set(dataset, workspace) as (folder, record):
        classes = _listed(folder, path)
        if not scan(folder).sorted:
            raise DatasetError(
                "The labels of {name} do not come from its folders: change them where they stand.", name=dataset
            )
        if label not in classes:
            raise DatasetError("There is no class {name}: add it first.", name=shown(label))
        # root/<part>/<class>/...: the class's folder is the sibling of the image's own.
        # Letter case tells no classes apart, as for scan.
        own, folded, wanted = Path(path).parts, {name.casefold() for name in classes}, label.casefold()
        at = next(i for i, component in enumerate(own) if class_name(component).casefold() in folded)
        if class_name(own[at]).casefold() == wanted:
            raise DatasetError("{name} is of class {label} already.", name=shown(path), label=label)
        beside = [f.name for f in folder.joinpath(*own[:at]).iterdir() if f.is_dir()]
        target = folder.joinpath(*own[:at], next((n for n in beside if class_name(n).casefold() == wanted), label))
        return _move(folder, record, path, target / own[-1])


def delete(dataset: str, path: str, workspace: Workspace) -> Change:
    """The image goes to the data set's own trash. Raises DatasetError, and has then changed nothing."""
    with _set(dataset, workspace) as (folder, record):
        _listed(folder, path)
        return _move(folder, record, path, folder / TRASH / secrets.token_hex(6) / Path(path).name)


def undo(dataset: str, change: str, workspace: Workspace) -> Change:
    """Takes back the change of that id. Raises DatasetError where it is not known, or its file has gone on."""
    with _set(dataset, workspace) as (folder, record):
        done = next((c for c in record.changes if c.id == change), None)
        if (
            done is None
            or not (_is_inside(done.before) and _is_inside(done.after))  # the record is a file: it may be forged
            or not (folder / done.after).is_file()
            or os.path.lexists(folder / done.before)
        ):
            raise DatasetError("This cannot be undone any more: the image has changed since.")
        _rename(folder / done.after, folder / done.before)
        record.changes.remove(done)
        record.write(folder)
        if done.deleted:
            shutil.rmtree((folder / done.after).parent, ignore_errors=True)
        return done


def _move(folder: Path, record: Record, path: str, target: Path) -> Change:
    number, free = 2, target
    while os.path.lexists(free):
        number, free = number + 1, target.with_name(numbered(target.name, number))
    change = Change(secrets.token_hex(8), path, free.relative_to(folder).as_posix())
    record.changes.append(change)
    forgotten, record.changes = record.changes[:-CHANGES], record.changes[-CHANGES:]
    record.write(folder)  # first: what is deleted and not written down could not be had back
    _rename(folder / path, free)
    for old in forgotten:
        if old.deleted:
            shutil.rmtree((folder / old.after).parent, ignore_errors=True)
    return change


def _is_inside(path: str) -> bool:
    components = PurePosixPath(path).parts
    return (
        bool(components)
        and ".." not in components
        and not PurePosixPath(path).is_absolute()
        and ":" not in components[0]
    )


def _rename(path: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    except OSError as error:
        raise storage_error(target, error) from None


def _listed(folder: Path, path: str) -> tuple[str, ...]:
    """The set's classes. Raises DatasetError where `path` is not one of its images: nothing else can be named."""
    photos = scan(folder)
    if not any(path == photo.relative_to(folder).as_posix() for files in photos.splits.values() for photo, _ in files):
        raise DatasetError("{name} is not an image of this data set (any more).", name=shown(path))
    return photos.classes


@contextmanager
def _set(dataset: str, workspace: Workspace) -> Iterator[tuple[Path, Record]]:
    """One's own data set, for one change at a time."""
    if is_builtin(dataset):
        raise DatasetError("{name} came with the lab: it is not changed.", name=dataset)
    folder = folder_of(dataset, workspace)
    try:
        held = FileLock(folder / ".audit.lock").acquire()
    except OSError as error:
        raise storage_error(folder, error) from None
    with held:
        yield folder, Record.read(folder)
