"""Every built-in data set: one row each. Importing this imports no torch; reading a set does.

To add a data set, add a row to DATASETS, or call `register` from your own code. A kind of images says how such images
look and reach a network; a folder of photos is of the kind "photos" and needs no row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imgcls.errors import DatasetError
from imgcls.filenames import is_option_name
from imgcls.imaging.preprocess import ResizeMode
from imgcls.messages import N_, Message
from imgcls.progress import Progress
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

Arrays = dict[str, "tuple[Tensor, Tensor]"]
PHOTOS = "photos"


@dataclass(frozen=True)
class ImageKind:
    """How images of a kind are stored, and how a drawing or a photo is brought to that form (see Preprocess)."""

    channels: Literal[1, 3]
    side: int
    resize_mode: ResizeMode


# Photos are stored at the network's own size and reach it as its row says.
IMAGE_KINDS: dict[str, ImageKind] = {
    "digits": ImageKind(channels=1, side=28, resize_mode="digit"),
    # Letters and kana: no digit's ink is looked for in them, and no mirrored one is another of its kind.
    "characters": ImageKind(channels=1, side=28, resize_mode="garment"),
    "garments": ImageKind(channels=1, side=28, resize_mode="garment"),
    "tiny": ImageKind(channels=3, side=32, resize_mode="square"),
}


@dataclass(frozen=True)
class Download:
    """A file to fetch. `members`: of an archive, the paths in it that are unpacked into the set's folder, each under
    its last part."""

    name: str
    md5: str
    members: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(member.rsplit("/", 1)[-1] for member in self.members) or (self.name,)


@dataclass(frozen=True)
class Source:
    """What a reader gets. `cache`: a folder for what takes long to make; `progress`: called with (done, in all)."""

    spec: DatasetSpec
    folder: Path
    cache: Path
    progress: Progress | None = None

    def file(self, name: str) -> Path:
        """The packed file, or the one that torchvision unpacks it to."""
        packed, plain = self.folder / name, self.folder / name.removesuffix(".gz")
        return plain if plain.is_file() and not packed.is_file() else packed


@dataclass(frozen=True, kw_only=True)
class Renderings:
    """Of a set whose images are rendered from drawings: `each` images of every one of `drawings`, image i showing
    drawing i % drawings. The last drawings, one in `validation_every`, are the validation split: other hands.

    read_labels: (file) -> a label for each drawing; render: (file, count, validation_every, seed) -> images and labels
    of some training drawings, without making all.
    """

    drawings: int
    each: int
    validation_every: int
    read_labels: Callable[[Path], list[int]]
    render: Callable[[Path, int, int, int], tuple[Tensor, Tensor]]

    @property
    def training_drawings(self) -> int:
        return self.drawings - self.drawings // self.validation_every


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """All that the lab has to know of a data set.

    kind: a name in IMAGE_KINDS; classes: in the order of the labels; counts: images of "train" and, where there is one,
        of "test". The validation split is held out of the training images.
    folder: where its files lie, below data/. files: those that ship; downloads: those to fetch instead, from the first
        of `urls` that answers. Without either the set needs no files.
    read: Source -> {"train" and "test": (uint8 (N, C, H, W), int64 (N,))}; raises DatasetError naming a broken file.
    mirrors: whether an image seen in a mirror is still one of its class; recipes flip no others.
    side: of its images in pixels, where it is not the kind's.
    version: of images that are not in files which never change: what was kept of another version is made anew.
    renderings: of a set that is rendered from drawings.
    parts: of two sets joined, their names; the other fields are then the first one's.
    other_folders: names below data/ under which other programs keep it; nobody's own data set is called so.
    """

    name: str
    title: str
    kind: str
    classes: tuple[str, ...]
    counts: dict[str, int]
    read: Callable[[Source], Arrays]
    folder: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    downloads: tuple[Download, ...] = ()
    mirrors: bool = True
    side: int = 0
    version: str = ""
    renderings: Renderings | None = None
    parts: tuple[str, ...] = ()
    other_folders: tuple[str, ...] = field(default=(), repr=False)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the files that have to be in its folder."""
        return self.files + tuple(name for download in self.downloads for name in download.files)

    @property
    def storage_side(self) -> int:
        return self.side or IMAGE_KINDS[self.kind].side

    def in_workspace(self, workspace: Workspace) -> Path:
        """Where its files lie, or are to be put."""
        return workspace.shipped("data", *self.folder)

    def source(self, workspace: Workspace, progress: Progress | None = None) -> Source:
        return Source(self, self.in_workspace(workspace), workspace.data / ".imgcls-cache", progress)

    def is_here(self, workspace: Workspace) -> bool:
        source = self.source(workspace)
        return all(source.file(name).is_file() for name in self.required)

    def require(self, workspace: Workspace) -> None:
        """Raises DatasetError where the set is not here, with the way to get it."""
        if not self.is_here(workspace):
            raise DatasetError("{name} is not here: {how}", name=self.name, how=self.how_to_get(workspace))

    def how_to_get(self, workspace: Workspace) -> Message:
        if not self.downloads:
            return Message("copy {folder} again from where the lab came from.", folder=self.in_workspace(workspace))
        names, folder = ", ".join(self.required), workspace.data.joinpath(*self.folder)
        if any(download.members for download in self.downloads):
            return Message(
                "run `python -m imgcls fetch {name}`, or put {files} out of {url} into {folder} by hand; a folder "
                "of its images with a folder for each class does as well.",
                name=self.name,
                files=names,
                url=self.urls[0] + self.downloads[0].name,
                folder=folder,
            )
        return Message(
            "run `python -m imgcls fetch {name}`, or put {files} into {folder}.",
            name=self.name,
            files=names,
            folder=folder,
        )


def _reader(module: str, function: str, **options: object) -> Callable[[Source], Arrays]:
    """`function` of a module in `imgcls.data`, imported when the set is read."""
    return partial(_read, module, function, options)


def _read(module: str, function: str, options: dict[str, object], source: Source) -> Arrays:
    return getattr(import_module(f"imgcls.data.{module}"), function)(source, **options)


def _pen_labels(file: Path) -> list[int]:
    return import_module("imgcls.data.pen_digits").read_drawings(file)[1]


def _pen_sample(file: Path, count: int, validation_every: int, seed: int) -> tuple[Tensor, Tensor]:
    module = import_module("imgcls.data.pen_digits")
    return module.load_some_pen_digits(file, count=count, validation_every=validation_every, seed=seed)


def _idx_files(train: str, test: str, digests: tuple[str, str, str, str]) -> tuple[Download, ...]:
    """Images and labels of two idx sets, in torchvision's order of digests."""
    names = [f"{stem}-{kind}-ubyte.gz" for stem in (train, test) for kind in ("images-idx3", "labels-idx1")]
    return tuple(Download(name, md5) for name, md5 in zip(names, digests, strict=True))


DIGITS = tuple("0123456789")
CIFAR_FILES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
MNIST_COUNTS = {"train": 60_000, "test": 10_000}
PEN = Renderings(drawings=7494, each=3, validation_every=10, read_labels=_pen_labels, render=_pen_sample)

MNIST = DatasetSpec(
    name="mnist",
    title="MNIST",
    kind="digits",
    classes=DIGITS,
    counts=MNIST_COUNTS,
    folder=("MNIST", "raw"),
    files=tuple(download.name for download in _idx_files("train", "t10k", ("", "", "", ""))),
    read=_reader("readers", "read_idx_set", train="train", test="t10k"),
    mirrors=False,
)
PEN_DIGITS = DatasetSpec(
    name="pen-digits",
    title=N_("pen-digits"),
    kind="digits",
    classes=DIGITS,
    counts={"train": PEN.drawings * PEN.each},
    folder=("pen-digits",),
    files=("pen-digits-train.json.gz",),
    read=_reader("pen_digits", "read_renderings"),
    mirrors=False,
    renderings=PEN,
)


def joined(title: str, *specs: DatasetSpec) -> DatasetSpec:
    """Two sets of the same classes as one, called by their names with a '+' between."""
    first = specs[0]
    return DatasetSpec(
        name="+".join(spec.name for spec in specs),
        title=title,
        kind=first.kind,
        classes=first.classes,
        counts={
            split: sum(spec.counts.get(split, 0) for spec in specs)
            for split in {split: None for spec in specs for split in spec.counts}
        },
        read=first.read,
        mirrors=all(spec.mirrors for spec in specs),
        side=first.side,
        parts=tuple(spec.name for spec in specs),
    )


DATASETS: dict[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        MNIST,
        PEN_DIGITS,
        joined("MNIST + pen-digits", MNIST, PEN_DIGITS),
        # Addresses and digests of this and the following: torchvision.datasets.
        DatasetSpec(
            name="fashion-mnist",
            title="Fashion-MNIST",
            kind="garments",
            classes=(
                "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
            ),
            counts=MNIST_COUNTS,
            folder=("FashionMNIST", "raw"),
            urls=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            downloads=_idx_files(
                "train",
                "t10k",
                (
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                    "25c81989df183df01b3e8a0aad5dffbe",
                    "bef4ecab320f06d8554ea6380940ec79",
                    "bb300cfdad3c16e7a12a480ee83cd310",
                ),
            ),
            read=_reader("readers", "read_idx_set", train="train", test="t10k"),
        ),
        DatasetSpec(
            name="cifar10",
            title="CIFAR-10",
            kind="tiny",
            classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
            counts={"train": 50_000, "test": 10_000},
            folder=("cifar-10-batches-bin",),
            urls=("https://www.cs.toronto.edu/~kriz/",),
            # The binary version: the Python one is a pickle, and no pickle is ever opened.
            downloads=(
                Download(
                    "cifar-10-binary.tar.gz",
                    "c32a1d4ab5d03f1284b67883e8d87530",
                    tuple(f"cifar-10-batches-bin/{file}" for files in CIFAR_FILES.values() for file in files),
                ),
            ),
            read=_reader("readers", "read_cifar10", files=CIFAR_FILES),
            other_folders=("cifar-10-batches-py",),
        ),
        DatasetSpec(
            name="kmnist",
            title="KMNIST",
            kind="characters",
            classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            counts=MNIST_COUNTS,
            folder=("KMNIST", "raw"),
            urls=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            downloads=_idx_files(
                "train",
                "t10k",
                (
                    "bdb82020997e1d708af4cf47b453dcf7",
                    "e144d726b3acfaa3e44228e80efcd344",
                    "5c965bf0a639b31b8f53240b1b52f4d7",
                    "7320c461ea6c1c855c0b718fb2a4b134",
                ),
            ),
            read=_reader("readers", "read_idx_set", train="train", test="t10k"),
            mirrors=False,
        ),
        DatasetSpec(
            name="emnist-letters",
            title=N_("EMNIST letters"),
            kind="characters",
            classes=tuple("abcdefghijklmnopqrstuvwxyz"),  # capital and small ones are one class
            counts={"train": 124_800, "test": 20_800},
            folder=("EMNIST", "raw"),
            urls=("https://biometrics.nist.gov/cs_links/EMNIST/",),
            downloads=(
                Download(
                    "gzip.zip",
                    "58c8d27c78d21e728a6bc7b3cc06412e",
                    tuple(
                        f"gzip/emnist-letters-{split}-{kind}-ubyte.gz"
                        for split in ("train", "test")
                        for kind in ("images-idx3", "labels-idx1")
                    ),
                ),
            ),
            read=_reader(
                "readers",
                "read_idx_set",
                train="emnist-letters-train",
                test="emnist-letters-test",
                first_label=1,
                transposed=True,
            ),
            mirrors=False,
        ),
        DatasetSpec(
            name="svhn",
            title="SVHN",
            kind="tiny",
            classes=DIGITS,
            counts={"train": 73_257, "test": 26_032},
            folder=("SVHN",),
            urls=("http://ufldl.stanford.edu/housenumbers/",),
            downloads=(
                Download("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
                Download("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
            ),
            read=_reader("readers", "read_svhn"),
            mirrors=False,
        ),
    )
}  # fmt: skip


REGISTERED: list[str] = []  # names of the rows that were added from outside


def register(spec: DatasetSpec) -> DatasetSpec:
    """Add a row for this process, or replace one that was added. Raises DatasetError where the name is another's, or a
    field cannot be so."""
    fault = _first_fault(spec)
    if fault:
        raise DatasetError("The data set {name} cannot be registered: {why}", name=spec.name[:80], why=fault)
    DATASETS[spec.name] = spec
    if spec.name not in REGISTERED:
        REGISTERED.append(spec.name)
    return spec


def _first_fault(spec: DatasetSpec) -> Message | None:
    if not is_option_name(spec.name):
        return Message("its name must be letters, digits, '.', '_' or '-'.")
    if spec.name in DATASETS and spec.name not in REGISTERED:
        return Message("there is one of that name already.")
    if spec.kind not in IMAGE_KINDS:
        return Message(
            "its kind is {kind}, but must be one of {kinds}.", kind=spec.kind[:60], kinds=", ".join(IMAGE_KINDS)
        )
    if len(spec.classes) < 2 or len(set(spec.classes)) != len(spec.classes):
        return Message("it needs at least two classes, each with another name.")
    if spec.counts.get("train", 0) < 2 or not set(spec.counts) <= {"train", "test"}:
        return Message("its counts must say how many images 'train' has, and perhaps 'test'.")
    if spec.downloads and not spec.urls:
        return Message("it has files to fetch, but no address.")
    return None


def is_builtin(name: str) -> bool:
    """Whether a row describes it; any other name is a folder's."""
    return name in DATASETS


def dataset_spec(name: str) -> DatasetSpec:
    """The row. Raises DatasetError that lists the names."""
    if name not in DATASETS:
        raise DatasetError(
            "There is no built-in data set '{name}': choose one of {names}.", name=name[:80], names=", ".join(DATASETS)
        )
    return DATASETS[name]


def parts_of(name: str) -> tuple[DatasetSpec, ...]:
    """The rows of a built-in set: of two joined, both."""
    spec = dataset_spec(name)
    return tuple(DATASETS[name] for name in spec.parts) or (spec,)


def kind_of(dataset: str) -> str:
    return DATASETS[dataset].kind if dataset in DATASETS else PHOTOS


def classes_of(dataset: str) -> tuple[str, ...]:
    return dataset_spec(dataset).classes


def has_test(dataset: str) -> bool:
    """Whether a built-in set brings a test split."""
    return "test" in dataset_spec(dataset).counts


def absent(dataset: str, workspace: Workspace) -> str | None:
    """The first part of a built-in set whose files are not all here; None where they are."""
    return next((spec.name for spec in parts_of(dataset) if not spec.is_here(workspace)), None)


def to_fetch(dataset: str, workspace: Workspace) -> str | None:
    """The built-in set that has to be fetched before `dataset` can be used; None where it is here, is a folder, or
    cannot be fetched."""
    name = absent(dataset, workspace) if is_builtin(dataset) else None
    return name if name and DATASETS[name].downloads else None


def fetchable_names() -> list[str]:
    return [name for name, spec in DATASETS.items() if spec.downloads]


def reserved_names() -> set[str]:
    """Names under data/ that are not a person's own: built-in sets and the folders they are kept in."""
    names = set(DATASETS)
    for spec in DATASETS.values():
        names |= {*spec.folder[:1], *spec.other_folders}
    return names
