"""A folder of photos -> its classes, its parts and what is odd about it, by names alone: no image is opened.

Understands `root/<class>/*` and `root/{train,val,test}/<class>/*`, either of them inside one more folder (what a zip
of a folder unpacks to). Knows nothing of pixels, tensors or settings.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from imgcls.data.folder_parts import find_parts, folders_in, images_in, see_through
from imgcls.data.folder_problems import Problem, Scan, listed
from imgcls.errors import DatasetError
from imgcls.imaging.image_files import find_images, is_image_name, is_litter
from imgcls.messages import Message, plural, readable

MAX_FILES = 1_000_000
MAX_CLASSES = 1_000
MIN_CLASSES = 2


@dataclass(frozen=True)
class PhotoFolder:
    """`root`: where the classes or parts lie, wrappers seen through; `splits`: part -> [(path, class index)].

    `splits` always has "train"; "val" and "test" only where the folder brings them.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    splits: dict[str, list[tuple[Path, int]]]
    problems: tuple[Problem, ...] = ()

    @property
    def notes(self) -> tuple[Message, ...]:
        return tuple(problem.message for problem in self.problems)


def scan(root: Path, *, name: str | None = None) -> PhotoFolder:
    """The photos under `root`. Raises DatasetError where there is nothing that can be trained on.

    Classes are sorted naturally ("2" before "10"); a class holds every image below its folder, as torchvision's
    ImageFolder has it. A path in `splits` starts with `root` as it was given. name: what to call it in sentences.
    """
    name = name or f"{root.parent.name}/{root.name}".lstrip("/")
    if not root.is_dir():
        raise DatasetError("There is no folder {root}: check its name.", root=root)
    found = Scan(name)
    inner = see_through(root)
    parts = find_parts(inner, found)
    if parts is None:
        classes, photos = _classes(inner, name, found)
        splits = {"train": photos}
    else:
        classes, splits = _split(parts, found)
    if len(classes) < MIN_CLASSES:
        _too_few(classes, inner, found)
    _other_files(inner, found)
    return PhotoFolder(name, inner, classes, splits, tuple(found.problems))


def _split(parts: dict[str, Path], found: Scan) -> tuple[tuple[str, ...], dict[str, list[tuple[Path, int]]]]:
    classes, train = _classes(parts["train"], f"{found.name}/{parts['train'].name}", found)
    splits = {"train": train}
    place = {name: i for i, name in enumerate(classes)}
    for part in ("val", "test"):
        if part not in parts:
            continue
        names, photos = _classes(parts[part], f"{found.name}/{parts[part].name}", found)
        if not any(name in place for name in names):
            found.note(
                "part-without-classes",
                Message(
                    "{name}/{folder} is left out: it has none of the classes that train has.",
                    name=found.name,
                    folder=parts[part].name,
                ),
            )
            continue
        unknown = [name for name in names if name not in place]
        if unknown:
            raise DatasetError(
                "{name}/{folder} has the class {unknown}, which train has not: rename it, or add it to train.",
                name=found.name,
                folder=parts[part].name,
                unknown=unknown[0],
            )
        splits[part] = [(path, place[names[i]]) for path, i in photos]
        missing = [name for name in classes if name not in names]
        if missing:
            found.note(
                "class-missing-in-part",
                Message(
                    "{name}/{folder} has no images of {classes}.",
                    name=found.name,
                    folder=parts[part].name,
                    classes=listed(missing),
                ),
            )
    return classes, splits


def _classes(root: Path, shown: str, found: Scan) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
    """Class names and [(path, class index)] of the folders in `root`; a folder without images is no class."""
    names: list[str] = []
    photos: list[tuple[Path, int]] = []
    empty: list[str] = []
    for folder in folders_in(root):
        name = class_name(folder.name)
        if name in names:
            raise DatasetError("{place} has two folders called {name}: join them into one.", place=shown, name=name)
        inside = list(find_images(folder))
        found.files += len(inside)
        if found.files > MAX_FILES:
            raise DatasetError("{name} has more than {most:,} images: use fewer.", name=found.name, most=MAX_FILES)
        if not inside:
            empty.append(name)
            continue
        photos.extend((path, len(names)) for path in inside)
        names.append(name)
    if len(names) > MAX_CLASSES:
        raise DatasetError(
            "{name} has {count} classes and at most {most:,} are allowed: use fewer.",
            name=found.name,
            count=len(names),
            most=MAX_CLASSES,
        )
    if empty and names:
        found.note(
            "empty-class",
            Message("{name} has no images of {classes}: left out.", name=shown, classes=listed(empty)),
        )
    loose = images_in(root)
    if loose and names:
        found.note(
            "loose-images",
            plural(
                "{name} has {count} image outside its class folders: left out.",
                "{name} has {count} images outside its class folders: left out.",
                count=loose,
                name=shown,
            ),
        )
    return tuple(names), photos


def class_name(folder: str) -> str:
    """What the class in a folder of that name is called: macOS archives spell é as e plus an accent, and a name from a
    system with other letters may be no text here."""
    return unicodedata.normalize("NFC", readable(folder))


def _too_few(classes: tuple[str, ...], root: Path, found: Scan) -> None:
    if classes:
        raise DatasetError(
            "{name} has 1 class; classification needs at least {least}: make a folder for each class.",
            name=found.name,
            least=MIN_CLASSES,
        )
    loose = images_in(root)
    if loose:
        raise DatasetError(
            plural(
                "{name} has {count} image but no class folders: make a folder for each class and sort the images "
                "into them.",
                "{name} has {count} images but no class folders: make a folder for each class and sort the images "
                "into them.",
                count=loose,
                name=found.name,
            )
        )
    raise DatasetError("{name} has no images: make a folder for each class and put images into them.", name=found.name)


def _other_files(root: Path, found: Scan) -> None:
    """Says which files are there that no one will read, HEIC photos above all."""
    kinds: Counter[str] = Counter()
    for _, folders, files in os.walk(root):
        folders[:] = [f for f in folders if not is_litter(f)]
        kinds.update(os.path.splitext(f)[1].lower() for f in files if not is_image_name(f) and not is_litter(f))
    for kind in (".heic", ".heif"):
        if kinds.pop(kind, 0):
            found.note(
                "heic-photos",
                Message("{name} has HEIC photos, which cannot be read here: save them as JPEG.", name=found.name),
            )
    if kinds:
        count = sum(kinds.values())
        found.note(
            "other-files",
            plural(
                "{name} has {count} file of another kind: left out.",
                "{name} has {count} files of other kinds: left out.",
                count=count,
                name=found.name,
            ),
        )
