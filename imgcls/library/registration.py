"""Networks and data sets of your own, known to training, evaluation, the terminal and the page of this process.

What other processes should know, too (a run that the page starts is one), is registered in a module that IMGCLS_PLUGINS
names: see plugins.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from imgcls.data.registry import IMAGE_KINDS, Arrays, DatasetSpec, Source
from imgcls.data.registry import register as register_row
from imgcls.errors import DatasetError, InputError, SettingsError
from imgcls.files import storage_error
from imgcls.models import registry
from imgcls.models.registry import ModelSpec
from imgcls.workspace import Workspace, typed_path

if TYPE_CHECKING:
    from torch import nn

TRIAL_CLASSES = 7
TRIAL_IMAGES = 2
SAMPLE_IMAGES = 64  # by which one version of a data set is told from another


class Images(Protocol):
    """What a torch Dataset is: item i is (image, label), the image as `Net` takes it."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def register_model(spec: ModelSpec) -> ModelSpec:
    """Make a network of your own available by its name.

    Args:
        spec: `ModelSpec(name="tiny", title="Tiny", native=28, build=build)`, where `build(channels, classes,
            image_size)` returns a torch.nn.Module that maps (N, channels, size, size) to (N, classes). Its other
            fields have usable defaults: the head, for instance, is the last layer with parameters.

    Registering a name again replaces your own network. Returns the spec, its parameters counted. Raises SettingsError
    where the name is taken, or where the module does not do that.
    """
    parameters = _tried(spec)
    return registry.register(replace(spec, parameters=spec.parameters or parameters))


def _tried(spec: ModelSpec) -> int:
    """Parameters of the network, built without memory and run once. Raises SettingsError where it cannot be used."""
    import torch

    try:
        with torch.device("meta"):
            model: nn.Module = spec.build(3, TRIAL_CLASSES, spec.default_size)
            outputs = model.eval()(torch.empty(TRIAL_IMAGES, 3, spec.default_size, spec.default_size))
    except Exception as error:  # whatever its author's code raises
        raise SettingsError(
            "The network {name} cannot be registered: building and running it for images of 3 channels and {size} "
            "pixels failed ({kind}: {reason}).",
            name=registry.printable(spec.name),
            size=spec.default_size,
            kind=type(error).__name__,
            reason=error,
        ) from error
    if tuple(outputs.shape) != (TRIAL_IMAGES, TRIAL_CLASSES):
        raise SettingsError(
            "The network {name} cannot be registered: of {images} images and {classes} classes it makes {shape}, but "
            "must make ({images}, {classes}).",
            name=registry.printable(spec.name),
            images=TRIAL_IMAGES,
            classes=TRIAL_CLASSES,
            shape=tuple(outputs.shape),
        )
    return sum(parameter.numel() for parameter in model.parameters())


@overload
def register_dataset(dataset: DatasetSpec, /) -> str: ...


@overload
def register_dataset(dataset: str, images: str | os.PathLike[str], /) -> str: ...


@overload
def register_dataset(
    dataset: str, images: Images, /, *, test: Images | None = None, classes: Sequence[str] = (), kind: str = "tiny"
) -> str: ...


def register_dataset(
    dataset: Any, images: Any = None, /, *, test: Images | None = None, classes: Sequence[str] = (), kind: str = "tiny"
) -> str:
    """Make a data set of your own available by its name.

    Args:
        dataset: its name; or a `DatasetSpec`, the row that built-in data sets have.
        images: the path of a folder with a folder of images a class: data/ gets a link to it, so that every process
            sees it, now and later. Or a torch Dataset of training images, whose items are (image, label).
        test: a torch Dataset of test images.
        classes: names in the order of the labels; by default `images.classes`.
        kind: "tiny": colour images, brought to 32x32 pixels; "garments": grey images, brought to 28x28; "digits": ink
            on paper, cut out and centred as MNIST's is.

    Registering a torch Dataset again replaces your own. Returns the name. Raises DatasetError.
    """
    if isinstance(dataset, DatasetSpec):
        return register_row(dataset).name
    if isinstance(images, str | os.PathLike):
        return _link(dataset, typed_path(images))
    named = tuple(str(name) for name in classes or getattr(images, "classes", ()))
    splits = {"train": images} if test is None else {"train": images, "test": test}
    if kind not in IMAGE_KINDS:
        raise DatasetError(
            "The data set {name} cannot be registered: its kind is {kind}, but must be one of {kinds}.",
            name=dataset[:80],
            kind=kind[:60],
            kinds=", ".join(IMAGE_KINDS),
        )
    spec = DatasetSpec(
        name=dataset,
        title=dataset,
        kind=kind,
        classes=named,
        counts={split: len(source) for split, source in splits.items()},
        read=partial(_read, splits),
        version=_version(splits),
        mirrors=kind != "digits",
    )
    return register_row(spec).name


def _link(name: str, folder: Path) -> str:
    """data/NAME leads to `folder`. Raises DatasetError where it is no data set, or the name is another's."""
    from imgcls.data.catalog import new_folder
    from imgcls.data.image_folders import scan

    workspace = Workspace.from_environment()
    scan(folder)
    link = workspace.data / name
    if link.is_symlink() and link.resolve() == folder:
        return name
    link = new_folder(name, workspace)
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder, target_is_directory=True)
    except OSError as error:
        raise storage_error(link, error) from None
    return name


def _read(splits: dict[str, Images], source: Source) -> Arrays:
    """Every image as it is stored for networks. Raises DatasetError that names the first one that is none."""
    import torch

    from imgcls.imaging.preprocess import HALF, Preprocess
    from imgcls.library.nets import as_picture

    kind, side = IMAGE_KINDS[source.spec.kind], source.spec.storage_side
    half = HALF * kind.channels
    form = Preprocess(
        channels=kind.channels, resize_mode=kind.resize_mode, storage_size=side, size=side, mean=half, std=half
    )
    arrays, done, total = {}, 0, sum(source.spec.counts.values())
    for split, items in splits.items():
        images, labels = [], []
        for i in range(len(items)):
            try:
                image, label = items[i]
                images.append(form.to_stored(as_picture(image)))
                labels.append(int(label))
            except (InputError, TypeError, ValueError) as error:
                raise DatasetError(
                    "Item {place} of {name} ({split}) is not an image with its label: {why}",
                    place=i,
                    name=source.spec.name,
                    split=split,
                    why=str(error),
                ) from error
            done += 1
            if source.progress:
                source.progress(done, total)
        arrays[split] = (torch.stack(images), torch.tensor(labels, dtype=torch.int64))
    return arrays


def _version(splits: dict[str, Images]) -> str:
    """Of a sample of the items: another sample is another version."""
    from imgcls.library.nets import as_picture

    digest = blake2b(digest_size=12)
    for split, items in splits.items():
        count = len(items)
        digest.update(f"{split} {count}".encode())
        for i in range(0, count, max(1, count // SAMPLE_IMAGES)):
            image, label = items[i]
            digest.update(as_picture(image).tobytes() + str(label).encode())
    return digest.hexdigest()
