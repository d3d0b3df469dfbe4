"""A data set made by hand: classes are named, photos put into each, and all of it saved as a folder under data/.

    data/.collect/<token>/<class>/<number>.jpg

Until it is saved it is a draft: a folder that nobody but the holder of its token finds, so that a refresh or a restart
loses no photo. Saving moves the draft to data/<name> in one step. Knows no page.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from imgcls.data.catalog import new_folder, own_folders
from imgcls.data.image_folders import PARTS, scan
from imgcls.errors import DatasetError
from imgcls.filenames import checked
from imgcls.files import DELETED
from imgcls.imaging.reading import natural_key
from imgcls.workspace import Workspace

FOLDER = ".collect"
TOKEN = re.compile(r"[0-9a-f]{32}")
SIDE = 1024  # longest side kept, in pixels: networks take at most half of it
QUALITY = 92
FREE_KEPT = 2**30  # bytes of the disk
FORGOTTEN = 14 * 24 * 3600.0  # seconds after which a draft that nobody touched goes
DRAFTS = 200


@dataclass(frozen=True)
class CollectLimits:
    classes: int = 50
    photos: int = 5000


class Draft:
    """A data set in the making. Every method raises DatasetError with one sentence and then has changed nothing."""

    def __init__(self, workspace: Workspace, token: str, limits: CollectLimits | None = None) -> None:
        if not TOKEN.fullmatch(token):
            raise DatasetError("This draft is not there any more: start a new one.")
        self.workspace, self.token, self.limits = workspace, token, limits or CollectLimits()

    @classmethod
    def new(cls, workspace: Workspace, limits: CollectLimits | None = None) -> Draft:
        """An empty draft; nothing is written before its first class. Forgotten drafts are cleared away."""
        _clear(workspace.data / FOLDER)
        return cls(workspace, secrets.token_hex(16), limits)

    @property
    def folder(self) -> Path:
        return self.workspace.data / FOLDER / self.token

    def classes(self) -> dict[str, list[str]]:
        """{class: names of its photos, in the order taken}, classes in the order named."""
        if not self.folder.is_dir():
            return {}
        named = sorted((p for p in self.folder.iterdir() if p.is_dir()), key=lambda p: (_made(p), p.name))
        return {p.name: sorted((f.name for f in p.glob("*.jpg")), key=natural_key) for p in named}

    def add_class(self, name: str) -> None:
        name = checked(name.strip())
        if name.lower() in PARTS:
            raise DatasetError("A class cannot be called {name}: that name means a part of a data set.", name=name)
        known = self.classes()
        if name.casefold() in (other.casefold() for other in known):
            raise DatasetError("There is a class {name} already.", name=name)
        if len(known) >= self.limits.classes:
            raise DatasetError("A collected data set can have at most {most} classes.", most=self.limits.classes)
        if not known and len(list((self.workspace.data / FOLDER).glob("*"))) >= DRAFTS:
            raise DatasetError("There are {count} unsaved data sets already: save or clear one first.", count=DRAFTS)
        try:
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / ".made").write_text(f"{len(known)} {time.time()}", "utf-8")
        except OSError as error:
            raise DatasetError(
                "{folder} cannot be written ({reason}).", folder=self.workspace.data, reason=error.strerror
            ) from None

    def remove_class(self, name: str) -> None:
        shutil.rmtree(self._class(name))

    def add(self, name: str, photo: Image.Image) -> str:
        """Keeps an upright RGB photo; returns its name."""
        folder = self._class(name)
        photos = self.classes()
        if sum(map(len, photos.values())) >= self.limits.photos:
            raise DatasetError(
                "A collected data set can have at most {most} photos: save this one.", most=self.limits.photos
            )
        if shutil.disk_usage(self.workspace.data).free < FREE_KEPT:
            raise DatasetError("The disk is nearly full: free some space.")
        photo = photo.convert("RGB")
        photo.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        number = max((int(Path(n).stem) for n in photos[name] if Path(n).stem.isdigit()), default=0) + 1
        temporary = folder / f".{secrets.token_hex(4)}"
        try:
            photo.save(temporary, "JPEG", quality=QUALITY)
            path = _claimed(folder, number)
            os.replace(temporary, path)
        except OSError as error:
            raise DatasetError(
                "{folder} cannot be written ({reason}).", folder=self.workspace.data, reason=error.strerror
            ) from None
        finally:
            temporary.unlink(missing_ok=True)
        return path.name

    def remove(self, name: str, photo: str) -> None:
        self.photo(name, photo).unlink()

    def photo(self, name: str, photo: str) -> Path:
        if photo not in self.classes().get(name, ()):
            raise DatasetError("This photo is not there any more.")
        return self.folder / name / photo

    def save(self, name: str) -> Path:
        """The draft becomes data/<name>: whole or not at all."""
        into = new_folder(name.strip(), self.workspace)
        classes = self.classes()
        if len(classes) < 2:
            raise DatasetError("A data set needs at least two classes: add another one.")
        for named, photos in classes.items():
            if len(photos) < 2:
                raise DatasetError(
                    "{name} has {count} of the 2 photos it needs at least: take some more.",
                    name=named,
                    count=len(photos),
                )
        scan(self.folder, name=f"data/{into.name}")
        try:
            os.rename(self.folder, into)
        except OSError as error:
            raise DatasetError(
                "{folder} cannot be written ({reason}).", folder=self.workspace.data, reason=error.strerror
            ) from None
        _tidy(into)  # only now: a draft that could not be moved is still whole
        return into

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _class(self, name: str) -> Path:
        if name not in self.classes():
            raise DatasetError("There is no class {name}: add it first.", name=name)
        return self.folder / name


def delete(name: str, workspace: Workspace) -> None:
    """Remove one's own data set from data/. Raises DatasetError for any other name."""
    if name not in own_folders(workspace):
        raise DatasetError(
            "{name} is not a data set of your own in {folder}: it stays.", name=name, folder=workspace.data
        )
    gone = workspace.data / f"{DELETED}{secrets.token_hex(6)}"
    try:
        os.rename(workspace.data / name, gone)  # at once gone for everybody, however long the files take
    except OSError as error:
        raise DatasetError(
            "{folder} cannot be written ({reason}).", folder=workspace.data, reason=error.strerror
        ) from None
    if gone.is_symlink():  # the folder that a link led to stays
        gone.unlink(missing_ok=True)
    shutil.rmtree(gone, ignore_errors=True)


def _claimed(folder: Path, number: int) -> Path:
    """The first free name from `number` on: two students may add to one class at once."""
    while True:
        try:
            path = folder / f"{number:04d}.jpg"
            path.open("xb").close()
            return path
        except FileExistsError:
            number += 1


def _tidy(folder: Path) -> None:
    """A saved set keeps its photos only; what cannot be removed harms nobody."""
    for path in (*folder.glob("*/.*"), *folder.glob(".*")):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _made(folder: Path) -> tuple[float, float]:
    try:
        number, when = (folder / ".made").read_text("utf-8").split()
        return float(when), float(number)
    except (OSError, ValueError):
        return (0.0, 0.0)


def _clear(folder: Path) -> None:
    if not folder.is_dir():
        return
    for draft in folder.iterdir():
        try:
            touched = max(p.stat().st_mtime for p in (draft, *draft.iterdir()))
        except OSError:
            continue
        if time.time() - touched > FORGOTTEN:
            shutil.rmtree(draft, ignore_errors=True)
