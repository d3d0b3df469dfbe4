"""A folder of photos -> its classes, its parts and what is odd about it, by names alone: no image is opened.

Understands `root/<class>/*`, `root/<split>/<class>/*` and `root/<class>/<split>/*` under the names that others give
splits (folder_parts.py), and images whose labels stand in their names or in a table (file_labels.py); any of them
inside more folders (what a zip of a folder unpacks to). What was understood is noted where it is not plain, and what is
doubtful is refused. Knows nothing of pixels, tensors or settings.
"""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imgcls.data.file_labels import FileLabels, is_generic, name_labels, table_labels, tables_in
from imgcls.data.folder_parts import PLAIN, find_parts, folders_in, images_in, see_through, split_name
from imgcls.data.folder_problems import Problem, Scan, listed
from imgcls.errors import DatasetError
from imgcls.imaging.image_files import find_images, is_image_name, is_litter, natural_key
from imgcls.messages import Message, Setting, plural, readable

MAX_FILES = 1_000_000
MAX_CLASSES = 1_000
MIN_CLASSES = 2


@dataclass(frozen=True)
class PhotoFolder:
    """`root`: where the classes or parts lie, wrappers seen through; `splits`: part -> [(path, class index)]; `sorted`:
    an image's class is the folder that it lies in, so that moving it changes its class.

    `splits` always has "train"; "val" and "test" only where the folder brings them.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    splits: dict[str, list[tuple[Path, int]]]
    problems: tuple[Problem, ...] = ()
    sorted: bool = True

    @property
    def notes(self) -> tuple[Message, ...]:
        return tuple(problem.message for problem in self.problems)


@dataclass(frozen=True)
class _Labelled:
    """A folder's images: class names and [(path, class index)]; `how`: a note, where no folders are the classes."""

    names: tuple[str, ...]
    files: list[tuple[Path, int]]
    how: Message | None = None


def scan(root: Path, *, name: str | None = None, least: int = MIN_CLASSES) -> PhotoFolder:
    """The photos under `root`. Raises DatasetError where there is nothing that can be trained on.

    Classes are sorted naturally ("2" before "10"); a class holds every image below its folder, as torchvision's
    ImageFolder has it. A path in `splits` starts with `root` as it was given. name: what to call it in sentences.
    least: classes that it must have; one is enough to measure a network on.
    """
    name = name or f"{root.parent.name}/{root.name}".lstrip("/")
    if not root.is_dir():
        raise DatasetError("There is no folder {root}: check its name.", root=root)
    found = Scan(name)
    inner = see_through(root)
    parts = find_parts(inner, found)
    tables = tables_in(root)
    if parts is None:
        whole = _labelled(inner, name, tables, found)
        if len(whole.names) < least:
            _too_few(whole.names, inner, found)
        classes, splits, by_folder = _by_class_first(whole, inner, found)
        by_folder = by_folder and whole.how is None
    else:
        classes, splits, by_folder = _split(parts, tables, found)
        if len(classes) < least:
            _too_few(classes, inner, found)
    _other_files(inner, found)
    return PhotoFolder(name, inner, classes, splits, tuple(found.problems), by_folder)


def folder_state(root: Path) -> Iterator[tuple[str, int, int]]:
    """Name below `root`, size and time (nanoseconds) of every image there, behind links too; nothing is read."""
    start = os.path.join(root, "")
    for path in find_images(root):
        try:
            stat = os.stat(path)
        except OSError:
            continue
        yield str(path).removeprefix(start), stat.st_size, stat.st_mtime_ns


def _split(
    parts: dict[str, Path], tables: list[Path], found: Scan
) -> tuple[tuple[str, ...], dict[str, list[tuple[Path, int]]], bool]:
    train = _labelled(see_through(parts["train"], in_split=True), f"{found.name}/{parts['train'].name}", tables, found)
    if not train.names:
        _no_classes_in_train(parts, found)
    classes, splits, by_folder = train.names, {"train": train.files}, train.how is None
    place = {name.casefold(): i for i, name in enumerate(classes)}
    for part in ("val", "test"):
        if part not in parts:
            continue
        folder = parts[part]
        made = _labelled(see_through(folder, in_split=True), f"{found.name}/{folder.name}", tables, found)
        if not any(name.casefold() in place for name in made.names):
            found.note(
                "part-without-classes",
                Message(
                    "{name}/{folder} is left out: it has none of the classes that train has.",
                    name=found.name,
                    folder=folder.name,
                ),
            )
            continue
        unknown = [name for name in made.names if name.casefold() not in place]
        if unknown:
            raise DatasetError(
                "{name}/{folder} has the class {unknown}, which train has not: rename it, or add it to train.",
                name=found.name,
                folder=folder.name,
                unknown=unknown[0],
            )
        splits[part] = [(path, place[made.names[i].casefold()]) for path, i in made.files]
        by_folder = by_folder and made.how is None
        there = {name.casefold() for name in made.names}
        missing = [name for name in classes if name.casefold() not in there]
        if missing:
            found.note(
                "class-missing-in-part",
                Message(
                    "{name}/{folder} has no images of {classes}.",
                    name=found.name,
                    folder=folder.name,
                    classes=listed(missing),
                ),
            )
    for part, files in splits.items():
        if parts[part].name.casefold() not in PLAIN:
            found.note("split", _understood(part, parts[part].name, classes, files))
    return classes, splits, by_folder


def _understood(part: str, folder: str, classes: tuple[str, ...], files: list[tuple[Path, int]]) -> Message:
    return Message(
        "{folder} is used as {part}: {classes} classes, {count:,} images.",
        folder=folder,
        part=Setting("part", part),
        classes=len({i for _, i in files}) if part != "train" else len(classes),
        count=len(files),
    )


def _no_classes_in_train(parts: dict[str, Path], found: Scan) -> None:
    if all(images_in(folder) and not folders_in(folder) for folder in parts.values()):
        raise DatasetError(
            "In {name} the images lie directly in {folders}: make a folder for each class inside, e.g. {first}/cats.",
            name=found.name,
            folders=listed(sorted(f.name for f in parts.values())),
            first=parts["train"].name,
        )
    raise DatasetError(
        "{name}/{folder} has no class folders with images: add them.", name=found.name, folder=parts["train"].name
    )


def _labelled(root: Path, shown: str, tables: list[Path], found: Scan) -> _Labelled:
    """The images of one folder with their labels: from class folders, a table beside them, or their names."""
    names, files = _classes(root, shown, found)
    if len(names) >= MIN_CLASSES:
        given = table_labels([path for path, _ in files], tables) if tables else None
        if given is None or _agree(given, files):
            _check_versions(root, shown)
            return _Labelled(names, files)
    else:
        images = list(find_images(root))
        given = table_labels(images, tables)
        if given is None and all(is_generic(name) or split_name(name) for name in names):
            given = name_labels(images)
        if given is None:
            return _Labelled(names, files)
    found.forget("loose-images", "empty-class")
    how = _how(given, shown)
    found.note("labels", how)
    if given.unnamed:
        found.note(
            "unlabelled",
            plural(
                "{name} has {count} image without a label: left out.",
                "{name} has {count} images without a label: left out.",
                count=given.unnamed,
                name=shown,
            ),
        )
    return _Labelled(given.names, given.files, how)


def _agree(table: FileLabels, files: list[tuple[Path, int]]) -> bool:
    """Whether the table says of the images in each folder the same, and of two folders not: they are the classes."""
    folder_of = dict(files)
    pairs = {(folder_of[path], label) for path, label in table.files}
    return len(pairs) == len({folder for folder, _ in pairs}) == len({label for _, label in pairs})


def _how(labels: FileLabels, shown: str) -> Message:
    known = {"name": shown, "classes": len(labels.names), "count": len(labels.files), "listed": listed(labels.names)}
    if labels.table is None:
        return Message(
            "{name}: the labels are what the file names begin with: {classes} classes ({listed}), {count:,} images.",
            **known,
        )
    return Message(
        "{name}: the labels stand in {table}: {classes} classes ({listed}), {count:,} images.",
        table=labels.table.name,
        **known,
    )


def _by_class_first(
    whole: _Labelled, root: Path, found: Scan
) -> tuple[tuple[str, ...], dict[str, list[tuple[Path, int]]], bool]:
    """`cats/train/1.jpg`: each class with its own splits."""
    inside = [] if whole.how else [names for names in map(_subfolders, folders_in(root)) if names]
    shared = set.intersection(*map(set, inside)) if len(inside) > 1 else set()
    if not _are_splits(shared):
        return whole.names, {"train": whole.files}, True
    known = {name: split.split for name in shared if (split := split_name(name))}
    return whole.names, _splits_within(whole.files, root, known, found), False


def _are_splits(names: set[str]) -> bool:
    """Whether they are names of splits, train among them."""
    splits = [split_name(name) for name in names]
    return all(s and not s.before for s in splits) and any(s and s.split == "train" for s in splits)


def _check_versions(root: Path, shown: str) -> None:
    """Folders that share their sub-folders' names are versions of one data set, or splits under names unknown here:
    DatasetError, they must not be learnt as classes."""
    inside = {folder: names for folder in folders_in(root) if len(names := _subfolders(folder)) > 1}
    for one, other in itertools.combinations(inside, 2):
        shared = set(inside[one]) & set(inside[other])
        if len(shared) < 2 or 2 * len(shared) < max(len(inside[one]), len(inside[other])) or _are_splits(shared):
            continue
        alike = [folder for folder in inside if shared & set(inside[folder])]
        raise DatasetError(
            "In {name} the folders {folders} hold the same folders ({shared}): they look like versions or parts of "
            "one data set, not like classes. Use one of them as the data set, e.g. {name}/{first}, or, where they are "
            "classes, put their images directly into them.",
            name=shown,
            folders=listed([folder.name for folder in alike]),
            shared=listed(sorted((inside[one][name] for name in shared), key=natural_key)),
            first=one.name,
        )


def _subfolders(folder: Path) -> dict[str, str]:
    """Folders with images in `folder`: name, folded -> name."""
    return {f.name.casefold(): f.name for f in folders_in(folder) if next(find_images(f), None) is not None}


def _splits_within(
    files: list[tuple[Path, int]], root: Path, known: dict[str, str], found: Scan
) -> dict[str, list[tuple[Path, int]]]:
    made: dict[str, list[tuple[Path, int]]] = {"train": []}
    for path, label in files:
        parts = path.relative_to(root).parts
        split = known.get(parts[1].casefold(), "train") if len(parts) > 2 else "train"
        made.setdefault(split, []).append((path, label))
    for name, split in sorted(known.items()):
        classes = tuple(str(i) for i in {label for _, label in made[split]})
        found.note("split", _understood(split, name, classes, made[split]))
    return {split: made[split] for split in ("train", "val", "test") if split in made}


def _classes(root: Path, shown: str, found: Scan) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
    """Class names and [(path, class index)] of the folders in `root`; a folder without images is no class."""
    names: list[str] = []
    taken: set[str] = set()
    photos: list[tuple[Path, int]] = []
    empty: list[str] = []
    elsewhere: list[Path] = []
    for folder in folders_in(root):
        name = class_name(folder.name)
        if name.casefold() in taken:  # Cat and cat are one folder on Windows and macOS
            raise DatasetError("{place} has two folders called {name}: join them into one.", place=shown, name=name)
        closed: list[Path] = []
        inside = list(find_images(folder, closed=closed, leave_out=elsewhere))
        for one in closed:
            found.note("closed-folder", _closed(one.relative_to(root).as_posix(), shown))
        found.files += len(inside)
        if found.files > MAX_FILES:
            raise DatasetError("{name} has more than {most:,} images: use fewer.", name=found.name, most=MAX_FILES)
        if not inside:
            empty.append(name)
            continue
        photos.extend((path, len(names)) for path in inside)
        names.append(name)
        taken.add(name.casefold())
    if len(names) > MAX_CLASSES:
        raise DatasetError(
            "{name} has {count} classes and at most {most:,} are allowed: use fewer.",
            name=found.name,
            count=len(names),
            most=MAX_CLASSES,
        )
    if elsewhere:
        found.note(
            "links-back",
            Message(
                "{name} has a link that leads back into the data set ({example}): left out.",
                name=shown,
                example=os.path.relpath(elsewhere[0], root).replace(os.sep, "/"),
            ),
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


def _closed(folder: str, shown: str) -> Message:
    return Message("{name}/{folder} may not be read and is left out: check who may.", name=shown, folder=folder)


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
    """Says which files are there that no one will read."""
    kinds: Counter[str] = Counter()
    for _, folders, files in os.walk(root):
        folders[:] = [f for f in folders if not is_litter(f)]
        kinds.update(os.path.splitext(f)[1].lower() for f in files if not is_image_name(f) and not is_litter(f))
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
