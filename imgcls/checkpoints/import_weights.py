"""A file of weights from elsewhere -> a checkpoint like any other.

Which network it holds is told by recognition.py; what a file cannot say, the names of its classes and how images were
brought to the network, is given by whoever adopts it, with the recipe's values proposed. Nothing is executed, and
nothing is written before the file was found to fit.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from imgcls.checkpoints.format import Meta, load_checkpoint, read_meta, save_checkpoint, versions
from imgcls.checkpoints.recognition import RecognisedNetwork, candidates
from imgcls.checkpoints.store import brought
from imgcls.data import registry
from imgcls.data.registry import DATASETS
from imgcls.errors import CheckpointError, SettingsError
from imgcls.files import storage_error
from imgcls.imaging.preprocess import HALF, Preprocess
from imgcls.models.meta_model import meta_model
from imgcls.models.registry import REGISTRY
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.settings import NAME
from imgcls.workspace import PROJECT, Workspace

# Kinds of images, each with a data set of that kind.
IMAGE_KINDS = {
    kind: next(name for name, spec in DATASETS.items() if spec.kind == kind) for kind in registry.IMAGE_KINDS
}
IMAGE_KINDS[registry.PHOTOS] = registry.PHOTOS
MAX_CLASS_CHARS = 300  # characters of a class name, as a checkpoint takes them


def likely_kind(recognised: RecognisedNetwork) -> str:
    """The kind of images (see IMAGE_KINDS) that such a network most likely learnt from."""
    small = recognised.model.startswith("lenet") or recognised.model == "resnet18-small" or 0 < recognised.size <= 32
    return "digits" if recognised.channels == 1 else "tiny" if small else "photos"


def check_room(workspace: Workspace, most: int | None) -> None:
    """Raises CheckpointError where visitors have brought `most` checkpoints already."""
    if most is None:
        return
    if len(brought(workspace)) >= most:
        raise CheckpointError(
            "This shared lab has {count} networks of its visitors already: its host can delete some below the queue.",
            count=most,
        )


def proposed(recognised: RecognisedNetwork, *, kind: str = "", changes: dict[str, Any] | None = None) -> Preprocess:
    """How images most likely reached it: the recipe's way for this network on data of `kind` (see IMAGE_KINDS).

    changes: fields of Preprocess to set otherwise. Raises SettingsError.
    """
    kind = kind or likely_kind(recognised)
    if kind not in IMAGE_KINDS:
        raise SettingsError(
            "There is no kind of images called {kind}: choose one of {kinds}.",
            kind=kind[:60],
            kinds=", ".join(IMAGE_KINDS),
        )
    changes, spec = dict(changes or {}), REGISTRY[recognised.model]
    size = changes.get("size") or recognised.size or (spec.default_size if kind == "photos" else 0)
    settings = {"model": recognised.model, "dataset": IMAGE_KINDS[kind], "transfer": "scratch", "image_size": size}
    form = preprocess_for(with_recipe(settings)).model_dump(by_alias=False)
    if form["channels"] != recognised.channels:
        colour = recognised.channels == 3
        form |= {
            "channels": recognised.channels,
            "mean": spec.mean if colour else HALF,
            "std": spec.std if colour else HALF,
        }
    try:
        return Preprocess(**{**form, **changes})
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "mean"
        raise SettingsError("The preprocessing is invalid: {where} has a value it cannot have.", where=where) from None


def proposed_classes(recognised: RecognisedNetwork) -> tuple[str, ...]:
    """ImageNet's thousand where it has a thousand, digits where they are ten and grey; () where nothing is known."""
    if recognised.classes == 1000:
        return read_meta(PROJECT / "checkpoints" / "imagenet" / "best.safetensors").classes
    return tuple("0123456789") if (recognised.classes, recognised.channels) == (10, 1) else ()


def import_weights(
    file: Path,
    workspace: Workspace,
    *,
    classes: Sequence[str],
    name: str = "",
    kind: str = "",
    changes: dict[str, Any] | None = None,
    chosen: RecognisedNetwork | None = None,
) -> Path:
    """The new checkpoint's path. `chosen`: one of what it may be, where that is not the likeliest. Raises ImgclsError
    with nothing written."""
    side = chosen.size if chosen else int((changes or {}).get("size") or 0)
    recognised, state = next(
        (f, s) for f, s in candidates(file, size=side) if chosen is None or f.model == chosen.model
    )
    recognised = chosen or recognised
    names = checked_classes(file, recognised, classes)
    form = proposed(recognised, kind=kind, changes=changes)
    folder = free_folder(name or file.stem, workspace, exact=bool(name))
    whole = _whole(_meta_model(recognised, form).state_dict(), state, file)
    labels = {}
    if recognised.classes == 1000:
        shipped = read_meta(PROJECT / "checkpoints" / "imagenet" / "best.safetensors")
        labels = shipped.labels if shipped.classes == names else {}
    meta = Meta(
        model=recognised.model,
        options=recognised.options,
        classes=names,
        labels=labels,
        preprocess=form,
        run=folder.name,
        settings={
            "model": recognised.model,
            **recognised.options,
            "dataset": IMAGE_KINDS.get(kind, "") if kind != "photos" else "",
        },
        data={"adopted": file.name},
        versions=versions(),
    )
    path = folder / "best.safetensors"
    try:
        folder.mkdir(parents=True)  # ours from here on: somebody else may have found the same name free
    except FileExistsError:
        raise SettingsError(
            "There is a run or checkpoint called {name} already: choose another name.", name=folder.name, field="name"
        ) from None
    except OSError as error:
        raise storage_error(folder, error) from None
    try:
        save_checkpoint(path, whole, meta)
        with torch.inference_mode():
            load_checkpoint(path)[0](torch.zeros(1, form.channels, form.size, form.size))
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, RuntimeError | ValueError):  # images of this size leave the network nothing to look at
            raise SettingsError(
                "{model} cannot take images of {size} pixels.", model=REGISTRY[recognised.model].title, size=form.size
            ) from None
        raise
    return path


def checked_classes(file: Path, recognised: RecognisedNetwork, classes: Sequence[str]) -> tuple[str, ...]:
    """As many different names as the network has classes. Raises SettingsError."""
    names = tuple(label.strip() for label in classes)
    if len(names) != recognised.classes or len(set(names)) != len(names) or not all(names):
        raise SettingsError(
            "{file} holds a {model} with {count} classes: give {count} different names for them, not {given}.",
            file=file.name,
            model=REGISTRY[recognised.model].title,
            count=recognised.classes,
            given=len(set(names) - {""}),
        )
    if any(len(label) > MAX_CLASS_CHARS for label in names):
        raise SettingsError("A class name has at most {most} characters: choose shorter ones.", most=MAX_CLASS_CHARS)
    return names


def network(recognised: RecognisedNetwork, state: dict[str, Tensor], file: Path, form: Preprocess) -> nn.Module:
    """In evaluation mode, without a checkpoint. Raises as `import_weights`."""
    model = _meta_model(recognised, form)
    model.load_state_dict(_whole(model.state_dict(), state, file), assign=True)
    return model.eval()


def _meta_model(recognised: RecognisedNetwork, form: Preprocess) -> nn.Module:
    """SettingsError where a network of guessed sizes would get images of another one."""
    try:
        if recognised.guessed and form.size != recognised.size:
            raise ValueError
        shape = {"channels": recognised.channels, "classes": recognised.classes, "image_size": form.size}
        return meta_model(recognised.model, **shape, options=recognised.options)
    except ValueError:
        raise SettingsError(
            "{model} cannot take images of {size} pixels.", model=REGISTRY[recognised.model].title, size=form.size
        ) from None


def _whole(own: dict[str, Tensor], state: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Every tensor that the network has, in full precision, in memory of its own."""
    whole = {}
    for name, like in own.items():
        tensor = state.get(name)
        if tensor is None:  # how many batches BatchNorm has seen: older files do not say
            whole[name] = torch.zeros(like.shape, dtype=torch.int64)
            continue
        if like.is_floating_point() and not tensor.is_floating_point():
            raise CheckpointError(
                "{file} holds {kind} numbers where weights are: save the network as it was trained, before it is made "
                "smaller.",
                file=file.name,
                kind=str(tensor.dtype).removeprefix("torch."),
            )
        whole[name] = tensor.to(torch.float32 if like.is_floating_point() else like.dtype, copy=True).contiguous()
        if not bool(torch.isfinite(whole[name]).all()):
            raise CheckpointError("{file} holds values that are no numbers: its training diverged.", file=file.name)
    return whole


def free_folder(name: str, workspace: Workspace, *, exact: bool) -> Path:
    """A new run's folder in checkpoints/; another name is found where the file's own is taken."""
    if not exact:
        name = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("._-")[:70] or "adopted"
    if not NAME.fullmatch(name):
        raise SettingsError(
            "The name {name} cannot be used: choose letters, digits, '.', '_' or '-'.", name=name[:100], field="name"
        )
    tries = [name] if exact else [name, *(f"{name}-{n}" for n in range(2, 1000))]
    for candidate in tries:
        folder = workspace.checkpoints / candidate
        if not folder.exists() and not (workspace.train_logs / candidate).exists():
            return folder
    raise SettingsError(
        "There is a run or checkpoint called {name} already: choose another name.", name=name, field="name"
    )
