"""Pictures that a network got wrong, kept with their right label: a set of them is a folder under data/.

    data/<set>/<class>/<number>-<mark>.png     a drawing; .jpg for a photo
    data/<set>/.corrections.json               {"classes": [...]}: of the checkpoints that it corrects

A data set like any other, so that it can be looked at on the Data tab; a run learns from it beside its own data where
`TrainSettings.corrections` names it. The mark is a hash of what only the keeper's browser knows: who has that may
delete the picture again.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from imgcls.data.catalog import own_folders
from imgcls.data.registry import reserved_names
from imgcls.errors import DatasetError
from imgcls.filenames import inside, sanitize
from imgcls.files import free_bytes, storage_error, temporary_name, write_bytes
from imgcls.workspace import Workspace

MARKER = ".corrections.json"
FILE = re.compile(r"(\d{5})-([0-9a-f]{16})\.(png|jpg)")
MAX_PHOTO_PX = 1024  # longest side kept of a photo
QUALITY = 92


@dataclass(frozen=True)
class Correction:
    """`file`: below the set's folder; `label`: index of its right class."""

    path: Path
    file: str
    label: int


class Corrections:
    """A set, made by its first picture. Methods raise DatasetError or StorageError and change nothing then."""

    def __init__(self, workspace: Workspace, name: str, classes: Sequence[str]) -> None:
        self.folder, self.name, self.classes = inside(workspace.data, name), name, tuple(classes)
        self.workspace = workspace
        if name.casefold() in {reserved.casefold() for reserved in reserved_names()}:
            raise DatasetError("{name} is no set of corrections: choose another name.", name=name)
        if self.folder.exists() and self._written() != self.classes:
            if (self.folder / MARKER).is_file():
                raise DatasetError("{name} has corrections of other classes: choose another name.", name=name)
            raise DatasetError("{name} is no set of corrections: choose another name.", name=name)

    def pictures(self) -> list[Correction]:
        """The newest first."""
        entries = []
        for label, name in enumerate(self.classes):
            folder = self.folder / sanitize(name)
            names = os.listdir(folder) if folder.is_dir() else []
            entries += [Correction(folder / n, f"{folder.name}/{n}", label) for n in names if FILE.fullmatch(n)]
        return sorted(entries, key=lambda entry: entry.path.name, reverse=True)

    def keep(self, picture: Image.Image, label: str, *, token: str, most: int) -> Correction:
        """`picture`: grey as a drawing, or RGB. `most` pictures may be kept in the set."""
        if label not in self.classes:
            raise DatasetError("There is no class {name}.", name=label[:80])
        existing = self.pictures()
        if len(existing) >= most:
            raise DatasetError("{name} is full ({most} pictures): delete some first.", name=self.name, most=most)
        if free_bytes(self.workspace.root) < 0:
            raise DatasetError("The disk is nearly full: free some space.")
        number = max((int(entry.path.name[:5]) for entry in existing), default=0) + 1
        is_drawing = picture.mode == "L"
        folder = self.folder / sanitize(label)
        path = folder / f"{number:05d}-{_mark(token)}.{'png' if is_drawing else 'jpg'}"
        temporary = temporary_name(path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / MARKER).is_file():
                write_bytes(self.folder / MARKER, json.dumps({"classes": self.classes}).encode())
            if is_drawing:
                picture.save(temporary, "PNG")
            else:
                small = picture.convert("RGB")
                small.thumbnail((MAX_PHOTO_PX, MAX_PHOTO_PX), Image.Resampling.LANCZOS)
                small.save(temporary, "JPEG", quality=QUALITY)
            os.replace(temporary, path)
        except OSError as error:
            raise storage_error(path, error) from None
        finally:
            temporary.unlink(missing_ok=True)
        return Correction(path, f"{folder.name}/{path.name}", self.classes.index(label))

    def delete(self, file: str, *, token: str | None) -> None:
        """`token`: as it was kept with; None for whoever may delete any. Nobody deletes with an empty one."""
        correction = next((entry for entry in self.pictures() if entry.file == file), None)
        if correction is None:
            raise DatasetError("This picture is not there any more.")
        written = FILE.fullmatch(correction.path.name)
        if token is not None and not (token and written and hmac.compare_digest(written[2], _mark(token))):
            raise DatasetError("Somebody else has kept this picture: only they, or the lab's host, delete it.")
        correction.path.unlink(missing_ok=True)

    def _written(self) -> tuple[str, ...] | None:
        return written_classes(self.folder)


def written_classes(folder: Path) -> tuple[str, ...] | None:
    """The classes that a set of corrections was made for; None where the folder is none."""
    try:
        classes = json.loads((folder / MARKER).read_text("utf-8"))["classes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return tuple(classes) if isinstance(classes, list) and all(isinstance(name, str) for name in classes) else None


def find(name: str, workspace: Workspace, classes: Sequence[str]) -> Corrections:
    """A set that is there and holds something. Raises DatasetError."""
    if name not in own_folders(workspace):
        raise DatasetError("There is no set of corrections {name} in {folder}.", name=name, folder=workspace.data)
    corrections = Corrections(workspace, name, classes)
    if not corrections.pictures():
        raise DatasetError("{name} holds no correction: keep some first.", name=name)
    return corrections


def _mark(token: str) -> str:
    return blake2b(token.encode("utf-8", "replace"), digest_size=8).hexdigest()
