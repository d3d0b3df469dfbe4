"""A data set made by hand: classes are named, photos put into each, and all of it saved as a folder under data/.

    data/.collect/<token>/<class>/<number>.jpg
    data/.collect/<token>/<class>/<number>-b<first>.jpg    taken in one burst with number <first>
    data/.collect/<token>/.trash/<class>/...               deleted, and can be had back

Until it is saved it is a draft: a folder that nobody but the holder of its token finds, so that a refresh or a restart
loses no photo. Saving moves the draft to data/<name> in one step. Photos of one burst are nearly the same photo: their
names say so, and grouping.py keeps them on one side of a split.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from imgcls.data.catalog import new_folder
from imgcls.data.folder_parts import split_name
from imgcls.data.image_folders import scan
from imgcls.errors import DatasetError
from imgcls.filenames import checked
from imgcls.files import free_bytes
from imgcls.imaging.image_files import natural_key
from imgcls.workspace import Workspace

FORGOTTEN = 14 * 24 * 3600.0  # seconds after which a draft that nobody touched goes
EMPTY = 3600.0  # the same for one without a photo
VISITOR = ".visitor"


@dataclass(frozen=True)
class CollectLimits:
    """classes and photos: of one draft; drafts: of one visitor; all_drafts and total (bytes): of the whole lab."""

    classes: int = 50
    photos: int = 5000
    drafts: int = 200
    all_drafts: int = 1000
    total: int = 50_000_000_000


def check_room(draft: Path, limits: CollectLimits, visitor: str) -> None:
    """Raises DatasetError where this visitor, or the lab, has as many drafts as may be, `draft` not counted."""
    drafts = [path for path in draft.parent.glob("*") if path.name != draft.name]
    mine = hashed(visitor)
    own = sum(_visitor(path) == mine for path in drafts) if len(drafts) >= limits.drafts else 0
    if own >= limits.drafts:
        raise DatasetError("There are {count} unsaved data sets of yours already: save or clear one first.", count=own)
    if len(drafts) >= limits.all_drafts or sum(map(_bytes, drafts)) >= limits.total:
        raise DatasetError("This lab has no room for another unsaved data set: try again later.")


def hashed(visitor: str) -> str:
    return blake2b(visitor.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _visitor(draft: Path) -> str:
    try:
        return (draft / VISITOR).read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def clear_forgotten(folder: Path) -> None:
    if not folder.is_dir():
        return
    for draft in folder.iterdir():
        try:
            touched = max(p.stat().st_mtime for p in (draft, *draft.iterdir()))
            empty = next(draft.glob("*/*.jpg"), None) is None
        except OSError:
            continue
        if time.time() - touched > (EMPTY if empty else FORGOTTEN):
            shutil.rmtree(draft, ignore_errors=True)


FOLDER = ".collect"
TOKEN = re.compile(r"[0-9a-f]{32}")
MAX_PHOTO_PX = 1024  # longest side kept, in pixels: networks take at most half of it
QUALITY = 92
TRASH, MADE = ".trash", ".made"


class Draft:
    """A data set in the making. Every method raises DatasetError with one sentence and then has changed nothing."""

    def __init__(
        self, workspace: Workspace, token: str, limits: CollectLimits | None = None, *, visitor: str = ""
    ) -> None:
        if not TOKEN.fullmatch(token):
            raise DatasetError("This draft is not there any more: start a new one.")
        self.workspace, self.token, self.limits, self.visitor = workspace, token, limits or CollectLimits(), visitor

    @classmethod
    def new(cls, workspace: Workspace, limits: CollectLimits | None = None, *, visitor: str = "") -> Draft:
        """An empty draft; nothing is written before its first class. Forgotten drafts are cleared away.

        visitor: who asks, such as an address; only a hash of it is kept, to count the drafts of each.
        """
        clear_forgotten(workspace.data / FOLDER)
        return cls(workspace, secrets.token_hex(16), limits, visitor=visitor)

    @property
    def folder(self) -> Path:
        return self.workspace.data / FOLDER / self.token

    def classes(self) -> dict[str, list[str]]:
        """{class: names of its photos, in the order taken}, classes in the order named."""
        if not self.folder.is_dir():
            return {}
        inside = (p for p in self.folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        named = sorted(inside, key=lambda p: (_made(p), p.name))
        return {p.name: sorted((f.name for f in p.glob("*.jpg")), key=natural_key) for p in named}

    def add_class(self, name: str) -> None:
        name = checked(name.strip())
        if (split := split_name(name)) and not split.before:
            raise DatasetError("A class cannot be called {name}: that name means a part of a data set.", name=name)
        classes = self.classes()
        if name.casefold() in (other.casefold() for other in classes):
            raise DatasetError("There is a class {name} already.", name=name)
        if len(classes) >= self.limits.classes:
            raise DatasetError("A collected data set can have at most {most} classes.", most=self.limits.classes)
        if not classes:
            check_room(self.folder, self.limits, self.visitor)
        try:
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / MADE).write_text(f"{len(classes)} {time.time()}", "utf-8")
            (self.folder / VISITOR).write_text(hashed(self.visitor), "utf-8")
        except OSError as error:
            raise DatasetError(
                "{folder} cannot be written ({reason}).", folder=self.workspace.data, reason=error.strerror
            ) from None

    def remove_class(self, name: str) -> None:
        """The class and its photos go to the draft's trash: `restore` has each of them back."""
        folder = self._class(name)
        for photo in self.classes()[name]:
            self.remove(name, photo)
        shutil.rmtree(folder)

    def add(self, name: str, photo: Image.Image, *, burst: str = "") -> str:
        """Keeps an upright RGB photo; returns its name. burst: the name of the first photo of the same burst."""
        folder = self._class(name)
        photos = self.classes()
        if sum(map(len, photos.values())) >= self.limits.photos:
            raise DatasetError(
                "A collected data set can have at most {most} photos: save this one.", most=self.limits.photos
            )
        if free_bytes(self.workspace.data) < 0:
            raise DatasetError("The disk is nearly full: free some space.")
        photo = photo.convert("RGB")
        photo.thumbnail((MAX_PHOTO_PX, MAX_PHOTO_PX), Image.Resampling.LANCZOS)
        gone = (path.name for path in (self.folder / TRASH / name).glob("*.jpg"))  # an undo finds its number free
        number = max(map(_number, (*photos[name], *gone)), default=0) + 1
        first = f"-b{_number(burst):04d}" if burst in photos[name] else ""
        temporary = folder / f".{secrets.token_hex(4)}"
        try:
            photo.save(temporary, "JPEG", quality=QUALITY)
            path = _claimed(folder, number, first)
            os.replace(temporary, path)
        except OSError as error:
            raise DatasetError(
                "{folder} cannot be written ({reason}).", folder=self.workspace.data, reason=error.strerror
            ) from None
        finally:
            temporary.unlink(missing_ok=True)
        return path.name

    def remove(self, name: str, photo: str) -> None:
        """To the draft's trash, of which the oldest go when it holds as many as a draft may."""
        path = self.photo(name, photo)
        trash = self.folder / TRASH
        try:
            (trash / name).mkdir(parents=True, exist_ok=True)
            os.replace(path, trash / name / photo)
        except OSError as error:
            raise DatasetError(
                "{folder} cannot be written ({reason}).", folder=self.workspace.data, reason=error.strerror
            ) from None
        photos = sorted(trash.glob("*/*.jpg"), key=lambda p: p.stat().st_ctime)
        for oldest in photos[: -self.limits.photos]:
            oldest.unlink(missing_ok=True)

    def restore(self, name: str, photo: str) -> Path:
        """Has a deleted photo back, its class too. Returns where it lies."""
        trash = self.folder / TRASH
        if name not in _names_in(trash) or photo not in _names_in(trash / name):
            raise DatasetError("This photo is not there any more.")
        if name not in self.classes():
            self.add_class(name)
        try:
            os.replace(trash / name / photo, self.folder / name / photo)
        except OSError as error:
            raise DatasetError(
                "{folder} cannot be written ({reason}).", folder=self.workspace.data, reason=error.strerror
            ) from None
        return self.folder / name / photo

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


def _names_in(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _number(photo: str) -> int:
    """0013-b0012.jpg -> 13"""
    digits = photo.split(".")[0].split("-")[0]
    return int(digits) if digits.isdecimal() else 0


def _claimed(folder: Path, number: int, first: str) -> Path:
    """The first free name from `number` on: two students may add to one class at once."""
    while True:
        try:
            path = folder / f"{number:04d}{first}.jpg"
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
        number, when = (folder / MADE).read_text("utf-8").split()
        return float(when), float(number)
    except (OSError, ValueError):
        return (0.0, 0.0)
