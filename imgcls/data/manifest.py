"""Which images a run is about, as a value: each by its path, its content, its class and its split.

A run writes its manifest before its first step, `train_logs/<run>/manifest.jsonl.gz`; the digest of it stands in the
run's checkpoints. Whoever asks later which images a network has learnt from, or was validated on, reads it: nobody
divides anew, and nobody guesses from counts.

    {"format": 1, "dataset": "flowers", "classes": ["daisy", "rose"], "left_out": [...], "lacking": {...}, ...}
    {"split": "train", "path": "rose/0012.jpg", "class": 1, "digest": "9f2c..."}      a photo, by its content
    {"split": "val", "path": "mnist/train/43054", "class": 7}    of a built-in set: its place in the file
    {"split": "earlier", "id": "9f2c..."}                learnt by a network that the run started from

Where nobody knows which images such a network has learnt, the first line names their data set: "earlier_unknown".
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from imgcls.data.content_digests import content_digests
from imgcls.data.folder_problems import listed
from imgcls.files import write_bytes
from imgcls.messages import Message, joined, plural
from imgcls.workspace import Workspace

FILE = "manifest.jsonl.gz"
FORMAT = 1
SPLITS = ("train", "val", "test")
EARLIER, UNKNOWN = "earlier", "earlier_unknown"
FROM_ELSEWHERE = ""  # in `earlier_unknown`: the network came without a word of its data
GZIP_LEVEL = 1  # 70,000 lines in 25 ms; level 9 takes ten times as long for a third less


@dataclass(frozen=True)
class ManifestSplit:
    """paths: below the data set's folder, or "mnist/train/43054", the place in a built-in set's own file; labels: the
    class index that each image stands for; folder: where photos lie, whose content is read when it is first asked for.

    known_digests: of the photos' content, where they are known already; "" for an image of a built-in set.
    """

    paths: tuple[str, ...]
    labels: tuple[int, ...]
    folder: Path | None = field(default=None, compare=False)
    known_digests: tuple[str, ...] | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def digests(self) -> tuple[str, ...]:
        if self.known_digests is not None:
            return self.known_digests
        if self.folder is None:
            return ("",) * len(self.paths)
        return content_digests([self.folder / path for path in self.paths], self.folder)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """What tells one image from another, whatever it is called: its content, or its place in a built-in set."""
        if self.folder is None and self.known_digests is None:
            return self.paths
        return tuple(digest or path for path, digest in zip(self.paths, self.digests, strict=True))

    def take(self, indices: list[int]) -> ManifestSplit:
        digests = self.known_digests
        return ManifestSplit(
            tuple(self.paths[i] for i in indices),
            tuple(self.labels[i] for i in indices),
            self.folder,
            None if digests is None else tuple(digests[i] for i in indices),
        )


@dataclass(frozen=True)
class LeftOut:
    """An image that belongs to the data set and to no split, and why."""

    path: str
    reason: Message

    def as_dict(self) -> dict[str, Any]:
        return {"path": self.path, "reason": self.reason.as_dict()}


@dataclass(frozen=True)
class Changes:
    """What became of a run's images, by path. `moved`: to another class or split."""

    gone: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gone or self.unreadable or self.replaced or self.moved or self.new)

    @property
    def message(self) -> Message:
        """ "2 images are gone, e.g. rose/03.jpg; 1 image is new, e.g. rose/99.jpg"."""
        sentences = []
        if self.gone:
            sentences.append(
                plural(
                    "{count} image is gone (e.g. {example})",
                    "{count} images are gone (e.g. {example})",
                    count=len(self.gone),
                    example=self.gone[0],
                )
            )
        if self.unreadable:
            sentences.append(
                plural(
                    "{count} image cannot be read any more (e.g. {example})",
                    "{count} images cannot be read any more (e.g. {example})",
                    count=len(self.unreadable),
                    example=self.unreadable[0],
                )
            )
        if self.replaced:
            sentences.append(
                plural(
                    "{count} image has been replaced by another (e.g. {example})",
                    "{count} images have been replaced by others (e.g. {example})",
                    count=len(self.replaced),
                    example=self.replaced[0],
                )
            )
        if self.moved:
            sentences.append(
                plural(
                    "{count} image is in another class or split (e.g. {example})",
                    "{count} images are in another class or split (e.g. {example})",
                    count=len(self.moved),
                    example=self.moved[0],
                )
            )
        if self.new:
            sentences.append(
                plural(
                    "{count} image is new (e.g. {example})",
                    "{count} images are new (e.g. {example})",
                    count=len(self.new),
                    example=self.new[0],
                )
            )
        return joined(sentences)


@dataclass(frozen=True)
class Manifest:
    """splits: "train", "val" and perhaps "test"; left_out: images that no split has; earlier: ids of images that a
    network which the run started from has learnt, and the run itself has not; earlier_unknown: the data sets of which
    such a network has learnt nobody knows which images, FROM_ELSEWHERE where not even the set is known."""

    dataset: str
    classes: tuple[str, ...]
    splits: Mapping[str, ManifestSplit]
    left_out: tuple[LeftOut, ...] = ()
    earlier: frozenset[str] = frozenset()
    earlier_unknown: frozenset[str] = frozenset()

    @cached_property
    def digest(self) -> str:
        """The same for the same images in the same order, classes and splits, wherever they lie."""
        hasher = blake2b(json.dumps(self.classes).encode(), digest_size=16)
        for name, split in self.splits.items():
            lines = zip(split.paths, split.labels, split.digests, strict=True)
            text = f"\n{name}\n" + "\n".join(f"{path}\0{label}\0{digest}" for path, label, digest in lines)
            hasher.update(text.encode("utf-8", "surrogatepass"))
        if self.earlier:
            hasher.update("\n".join(("", EARLIER, *sorted(self.earlier))).encode("utf-8", "surrogatepass"))
        if self.earlier_unknown:
            hasher.update("\n".join(("", UNKNOWN, *sorted(self.earlier_unknown))).encode("utf-8", "surrogatepass"))
        return hasher.hexdigest()

    @cached_property
    def trained(self) -> frozenset[str]:
        """Ids of the images of the training split."""
        return frozenset(self.splits["train"].ids)

    @cached_property
    def learnt(self) -> frozenset[str]:
        """Ids of all images that the run's network has learnt from, by itself or before."""
        return self.earlier | self.trained

    @cached_property
    def validated(self) -> frozenset[str]:
        """Ids of the images by which the best epoch was chosen."""
        return frozenset(self.splits["val"].ids)

    @property
    def lacking(self) -> dict[str, tuple[str, ...]]:
        """The classes that a split has no image of; only splits that lack some."""
        classes_of = {name: set(split.labels) for name, split in self.splits.items()}
        missing = {
            name: tuple(title for i, title in enumerate(self.classes) if i not in present)
            for name, present in classes_of.items()
        }
        return {name: titles for name, titles in missing.items() if titles}

    def after(self, lineage: Lineage) -> Manifest:
        """With what the networks have learnt that the run starts from."""
        return replace(self, earlier=lineage.learnt - self.trained, earlier_unknown=lineage.unknown)

    def changes_to(self, current: Manifest) -> Changes:
        """What a person has to know where `now` has another digest."""
        before, after = _by_path(self), _by_path(current)
        common, broken = [path for path in before if path in after], {left_out.path for left_out in current.left_out}
        lost = [path for path in before if path not in after]
        return Changes(
            gone=tuple(path for path in lost if path not in broken),
            unreadable=tuple(path for path in lost if path in broken),
            replaced=tuple(path for path in common if before[path][0] != after[path][0]),
            moved=tuple(path for path in common if before[path][1:] != after[path][1:]),
            new=tuple(path for path in after if path not in before),
        )

    def write(self, path: Path) -> None:
        """Atomically. Raises StorageError."""
        header = {
            "format": FORMAT,
            "dataset": self.dataset,
            "classes": self.classes,
            "images": {name: len(split) for name, split in self.splits.items()},
            "lacking": self.lacking,
            "left_out": [left_out.as_dict() for left_out in self.left_out],
            UNKNOWN: sorted(self.earlier_unknown),
            "digest": self.digest,
        }
        lines = [json.dumps(header)]
        for name, split in self.splits.items():
            start = f'{{"split": "{name}", "path": '
            for image_path, label, digest in zip(split.paths, split.labels, split.digests, strict=True):
                end = f', "digest": "{digest}"}}' if digest else "}"
                lines.append(f'{start}{json.dumps(image_path)}, "class": {label}{end}')
        lines += [json.dumps({"split": EARLIER, "id": image_id}) for image_id in sorted(self.earlier)]
        write_bytes(path, gzip.compress(("\n".join(lines) + "\n").encode(), GZIP_LEVEL, mtime=0))

    @classmethod
    def read(cls, path: Path) -> Manifest | None:
        """None where there is none, or where it is damaged or of a newer version."""
        try:
            first, *rest = gzip.decompress(path.read_bytes()).decode().splitlines()
            header = json.loads(first)
            if header["format"] > FORMAT:
                return None
            columns: dict[str, tuple[list[str], list[int], list[str]]] = {
                name: ([], [], []) for name in header["images"]
            }
            earlier = []
            for line in rest:
                row = json.loads(line)
                if row["split"] == EARLIER:
                    earlier.append(str(row["id"]))
                    continue
                paths, labels, digests = columns[row["split"]]
                paths.append(row["path"])
                labels.append(int(row["class"]))
                digests.append(row.get("digest", ""))
            manifest = cls(
                header["dataset"],
                tuple(header["classes"]),
                {
                    name: ManifestSplit(tuple(paths), tuple(labels), known_digests=tuple(digests))
                    for name, (paths, labels, digests) in columns.items()
                },
                tuple(
                    LeftOut(left_out["path"], Message.from_dict(left_out["reason"])) for left_out in header["left_out"]
                ),
                frozenset(earlier),
                frozenset(str(name) for name in header.get(UNKNOWN, ())),
            )
            return (
                manifest if manifest.digest == header["digest"] and {"train", "val"} <= set(manifest.splits) else None
            )
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError):
            return None


@dataclass(frozen=True)
class Lineage:
    """What the networks have seen that a run starts from: ids of the images they learnt from, and of those they were
    validated on, by the name of the last one. unknown: data sets of which nobody knows what they have learnt."""

    name: str
    learnt: frozenset[str] = frozenset()
    validated: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.learnt)

    @classmethod
    def of(cls, name: str, manifest: Manifest) -> Lineage:
        return cls(name, manifest.learnt, manifest.validated - manifest.learnt, manifest.earlier_unknown)

    @property
    def notes(self) -> tuple[Message, ...]:
        """What a person should know before trusting a figure of a run that starts from them."""
        if not self.unknown:
            return ()
        return (
            Message(
                "Which images {checkpoint} has learnt from is not known: if they are among these, the figures are too "
                "good.",
                checkpoint=self.name,
            ),
        )


def lacking_notes(lacking: Mapping[str, Sequence[str]]) -> tuple[Message, ...]:
    """That the validation accuracy says nothing of some classes; lacking: as `Manifest.lacking`."""
    classes = lacking.get("val", ())
    if not classes:
        return ()
    return (
        plural(
            "There is no validation image of {classes}: the accuracy says nothing of this class.",
            "There is no validation image of {classes}: the accuracy says nothing of these classes.",
            count=len(classes),
            classes=listed(classes),
        ),
    )


def digest_in(path: Path) -> str:
    """What the file says of itself, from its first line; "" where there is none to read."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return str(json.loads(file.readline())["digest"])
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
        return ""


def manifest_file(run: str, workspace: Workspace) -> Path:
    """In the run's log; what a browser has trained has none, and its manifest lies beside its checkpoint."""
    beside = page_manifest_file(run, workspace)
    return beside if beside.is_file() else workspace.train_logs / run / FILE


def page_manifest_file(run: str, workspace: Workspace) -> Path:
    return workspace.checkpoints / run / FILE


def _by_path(manifest: Manifest) -> dict[str, tuple[str, str, int]]:
    """path -> (id, split, label)."""
    return {
        path: (image_id, name, label)
        for name, split in manifest.splits.items()
        for path, image_id, label in zip(split.paths, split.ids, split.labels, strict=True)
    }
