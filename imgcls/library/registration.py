"""Networks, data sets, optimizers and augmentations of your own, known to training, evaluation, the terminal and the
page of this process. Code of yours is tried when it is registered, not first in the middle of a run.

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

from imgcls import augmentations, optimizers
from imgcls.augmentations import AugmentationSpec
from imgcls.data.registry import IMAGE_KINDS, Arrays, DatasetSpec, Source
from imgcls.data.registry import register as register_row
from imgcls.errors import DatasetError, SettingsError
from imgcls.filenames import shown
from imgcls.files import storage_error
from imgcls.messages import Message
from imgcls.models import registry
from imgcls.models.registry import ModelSpec
from imgcls.optimizers import Hyperparameters, OptimizerSpec
from imgcls.workspace import Workspace, typed_path

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

TRIAL_CLASSES = 7
TRIAL_IMAGES = 2
TRIAL_SIDE = 16  # pixels
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
    parameters = _parameters_of(spec)
    return registry.register(replace(spec, parameters=spec.parameters or parameters))


def _parameters_of(spec: ModelSpec) -> int:
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


def register_optimizer(spec: OptimizerSpec) -> OptimizerSpec:
    """Make an optimizer of your own available by its name.

    Args:
        spec: `OptimizerSpec(name="adagrad", title="Adagrad", lr=0.01, build=build)`, where `build(groups,
            hyperparameters)` returns a torch.optim.Optimizer of these parameter groups; hyperparameters has lr,
            weight_decay, momentum and nesterov.

    Registering a name again replaces your own optimizer. Returns the spec, the tensors that it keeps for each parameter
    counted. Raises SettingsError where the name is taken, or where a step of it fails.
    """
    state_copies = _optimizer_state_copies(spec)
    return optimizers.register(replace(spec, state_copies=spec.state_copies or state_copies))


def _optimizer_state_copies(spec: OptimizerSpec) -> int:
    """Tensors of a parameter's size that it keeps, after two steps. Raises SettingsError where these fail."""
    import torch
    from torch import nn

    weight = nn.Parameter(torch.ones(TRIAL_CLASSES, TRIAL_IMAGES))
    hyperparameters = Hyperparameters(lr=spec.lr, weight_decay=spec.weight_decay, momentum=0.9, nesterov=True)
    try:
        optimizer = spec.build([{"params": [weight], "lr": spec.lr}], hyperparameters)
        for _ in range(2):
            optimizer.zero_grad()
            weight.square().sum().backward()
            optimizer.step()
        state = optimizer.state_dict()["state"]
    except Exception as error:  # whatever its author's code raises
        raise SettingsError(
            "The optimizer {name} cannot be registered: two steps of it failed ({kind}: {reason}).",
            name=shown(spec.name),
            kind=type(error).__name__,
            reason=error,
        ) from error
    kept = [value for values in state.values() for value in values.values() if isinstance(value, torch.Tensor)]
    return sum(value.numel() for value in kept) // weight.numel()


def register_augmentation(spec: AugmentationSpec) -> AugmentationSpec:
    """Make a random change of training images of your own available by its name; it can be combined with others.

    Args:
        spec: `AugmentationSpec(name="dim", title="Darker", stage="input", apply=dim)`, where `dim(images, aspects,
            generator, preprocess)` returns images of the same shape, changed by random numbers of `generator` alone.
            `AugmentationSpec` has what the other stages take.

    Registering a name again replaces your own augmentation. Returns the spec. Raises SettingsError where the name is
    taken, or where it does not do that.
    """
    fault = _augmentation_fault(spec)
    if fault:
        raise SettingsError("The augmentation {name} cannot be registered: {why}", name=shown(spec.name), why=fault)
    return augmentations.register(spec)


def _augmentation_fault(spec: AugmentationSpec) -> Message | None:
    """What is wrong with it, as the rest of a sentence: it is tried on small images, twice by the same numbers."""
    import torch

    if spec.stage not in augmentations.STAGES:
        return Message("its stage must be one of {stages}.", stages=", ".join(augmentations.STAGES))
    try:
        first, second = _augmented(spec), _augmented(spec)
    except Exception as error:  # whatever its author's code raises
        return Message("it failed on small images ({kind}: {reason}).", kind=type(error).__name__, reason=error)
    side = TRIAL_SIDE if spec.stage == "stored" else TRIAL_SIDE * 2
    expected = [(TRIAL_IMAGES, 3, side, side)]
    expected += [(TRIAL_IMAGES, TRIAL_CLASSES)] if spec.stage == "batch" else []
    shapes = [tuple(getattr(value, "shape", ())) for value in first]
    if shapes != expected:
        return Message(
            "it makes {shapes}, but must make {expected}.",
            shapes=", ".join(map(str, shapes)),
            expected=", ".join(map(str, expected)),
        )
    if not all(torch.equal(one, other) for one, other in zip(first, second, strict=True)):
        return Message("its random numbers must come from the generator alone, so that a run can be repeated.")
    return None


def _augmented(spec: AugmentationSpec) -> tuple[torch.Tensor, ...]:
    """What it makes of small images that are always the same."""
    import torch

    from imgcls.imaging.preprocess import HALF, Preprocess

    draw = torch.Generator().manual_seed(0)
    side = TRIAL_SIDE if spec.stage in ("stored", "resize") else TRIAL_SIDE * 2
    images = torch.randint(0, 256, (TRIAL_IMAGES, 3, side, side), generator=draw, dtype=torch.uint8)
    generator = torch.Generator().manual_seed(1)
    if spec.stage == "batch":
        shares = torch.eye(TRIAL_CLASSES)[:TRIAL_IMAGES]
        return tuple(spec.apply(images.float(), shares, generator))
    preprocess = Preprocess(
        channels=3, resize_mode="square", storage_size=TRIAL_SIDE, size=TRIAL_SIDE * 2, mean=HALF * 3, std=HALF * 3
    )
    aspects = torch.ones(TRIAL_IMAGES) if spec.whole_photo else None
    given = images if spec.stage == "stored" else images.float()
    return (spec.apply(given, aspects, generator, preprocess),)


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
            on paper, cut out and centred as MNIST's is; "characters": grey images of letters or
            other signs, brought to 28x28 pixels and never mirrored.

    Registering a torch Dataset again replaces your own. Returns the name. Raises DatasetError.
    """
    if isinstance(dataset, DatasetSpec):
        return register_row(dataset).name
    if isinstance(images, str | os.PathLike):
        return _link(dataset, typed_path(images))
    if images is None:
        raise DatasetError(
            "The data set {name} cannot be registered without images: give a folder or a torch Dataset.",
            name=str(dataset)[:80],
        )
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
        version=_version(dataset, splits),
        mirrors=kind not in ("digits", "characters"),
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

    kind, side = IMAGE_KINDS[source.spec.kind], source.spec.storage_side
    half = HALF * kind.channels
    form = Preprocess(
        channels=kind.channels, resize_mode=kind.resize_mode, storage_size=side, size=side, mean=half, std=half
    )
    arrays, done, total = {}, 0, sum(source.spec.counts.values())
    for split, items in splits.items():
        images, labels = [], []
        for i in range(len(items)):
            image, label = _item(items, i, source.spec.name, split)
            images.append(form.to_stored(image))
            labels.append(label)
            done += 1
            if source.progress:
                source.progress(done, total)
        arrays[split] = (torch.stack(images), torch.tensor(labels, dtype=torch.int64))
    return arrays


def _item(items: Images, place: int, name: str, split: str) -> tuple[Image.Image, int]:
    """Raises DatasetError where it is no image with its label, whatever the person's own code raises."""
    from imgcls.library.nets import as_picture

    try:
        image, label = items[place]
        return as_picture(image), int(label)
    except Exception as error:
        raise DatasetError(
            "Item {place} of {name} ({split}) is not an image with its label: {why}",
            place=place,
            name=name,
            split=split,
            why=f"{type(error).__name__}: {error}"[:200],
        ) from error


def _version(name: str, splits: dict[str, Images]) -> str:
    """Of a sample of the items: another sample is another version."""
    digest = blake2b(digest_size=12)
    for split, items in splits.items():
        count = len(items)
        digest.update(f"{split} {count}".encode())
        for i in range(0, count, max(1, count // SAMPLE_IMAGES)):
            image, label = _item(items, i, name, split)
            digest.update(image.tobytes() + str(label).encode())
    return digest.hexdigest()
