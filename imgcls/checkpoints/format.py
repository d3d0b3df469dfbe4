"""A checkpoint: one safetensors file that carries all that using it needs.

Weights under the network's own tensor names; architecture, settings, class names, preprocessing, metrics, epoch and
library versions as JSON in the file's metadata. No pickle is written or read. A file is written beside its place,
flushed to the disk and renamed, so that a reader finds the old one or the new one, whole. Knows neither data sets
nor training; what only a resume needs is in `resume.py`.
"""

from __future__ import annotations

import errno
import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imgcls.errors import CheckpointError
from imgcls.files import replacing
from imgcls.imaging.preprocess import Preprocess

if TYPE_CHECKING:
    import torch
    from torch import nn

KEY = "imgcls"
LARGEST = 4 * 2**30  # bytes; a ResNet18 has 45 million
EXTRA = "calibration/"  # tensors beside the weights, which the network itself does not need
LARGEST_HEADER = 100_000_000  # what safetensors itself allows


class Meta(BaseModel):
    """What a checkpoint says of itself. Settings stay a plain mapping, so that older and newer files load."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int = 1
    model: str
    classes: tuple[str, ...] = Field(min_length=1)
    preprocess: Preprocess
    run: str = ""
    kind: str = "best"
    epoch: float = 0
    step: int = 0
    metrics: dict[str, float | None] = {}
    settings: dict[str, Any] = {}
    data: dict[str, Any] = {}
    versions: dict[str, str] = {}
    created: float = Field(default_factory=time.time)


def versions() -> dict[str, str]:
    import torch

    from imgcls import __version__

    return {"imgcls": __version__, "torch": torch.__version__, "python": platform.python_version()}


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Atomically: a temporary file beside `path`, flushed to the disk, renamed over it. StorageError as `replacing`."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        try:
            save_file(whole, temporary, dict(metadata))
        except SafetensorError as error:  # as text: "I/O error: No space left on device (os error 28)"
            raise OSError(errno.ENOSPC, str(error)) from None


def save_checkpoint(
    path: Path, state: Mapping[str, torch.Tensor], meta: Meta, extra: Mapping[str, torch.Tensor] | None = None
) -> None:
    """`extra`: tensors that are not the network's own; they get names of their own."""
    named = {EXTRA + name: tensor for name, tensor in (extra or {}).items()}
    write_tensors(path, {**state, **named}, {KEY: meta.model_dump_json()})


def read_meta(path: Path) -> Meta:
    """The metadata alone, from the file's first bytes: cheap, no torch."""
    try:
        if path.stat().st_size > LARGEST:
            raise CheckpointError(
                "{path} is larger than {most} GiB: it is no checkpoint of this lab.", path=path, most=LARGEST >> 30
            )
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(LARGEST_HEADER, path.stat().st_size):
                raise CheckpointError("{path} is no safetensors file, or is cut off: copy it again.", path=path)
            header = json.loads(file.read(length))
        written = header.get("__metadata__", {}).get(KEY)
        end = 8 + length + max((t["data_offsets"][1] for k, t in header.items() if k != "__metadata__"), default=0)
    except FileNotFoundError:
        raise CheckpointError("There is no checkpoint {path}.", path=path) from None
    except OSError as error:
        raise CheckpointError("{path} cannot be read ({reason}).", path=path, reason=error.strerror) from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise CheckpointError("{path} is no safetensors file, or is cut off: copy it again.", path=path) from None
    if written is None:
        raise CheckpointError(
            "{path} holds weights but does not say of which network: it was not made by this lab; to "
            "learn on from it, put it in weight/ and choose it as pre-trained weights.",
            path=path,
        )
    if end != path.stat().st_size:
        raise CheckpointError(
            "{path} is cut off ({size} of {end} bytes): copy it again.", path=path, size=path.stat().st_size, end=end
        )
    try:
        meta = Meta.model_validate_json(written)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "format"
        raise CheckpointError(
            "{path} has a description this lab cannot read (at '{where}').", path=path, where=where
        ) from None
    if meta.format > Meta.model_fields["format"].default:
        raise CheckpointError("{path} was made by a newer version of this lab: update this one.", path=path)
    return meta


def load_checkpoint(path: Path | str) -> tuple[nn.Module, Meta]:
    """The network in eval mode on the CPU, every tensor accounted for, and what the file says of itself."""
    from imgcls.models.registry import REGISTRY, build

    path = Path(path)
    meta = read_meta(path)
    if meta.model not in REGISTRY:
        raise CheckpointError(
            "{path} holds a '{model}', a network that this version does not know.", path=path, model=meta.model
        )
    state = {name: tensor for name, tensor in read_tensors(path).items() if not name.startswith(EXTRA)}
    model = build(
        meta.model,
        channels=meta.preprocess.channels,
        classes=len(meta.classes),
        image_size=meta.preprocess.size,
    )
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).split("\n")[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointError(
            "{path} does not fit the {model} it says it holds: {reason}", path=path, model=meta.model, reason=first
        ) from None
    return model.eval(), meta


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of the file, the extra ones too."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError("{path} cannot be read ({reason}): copy it again.", path=path, reason=error) from None


def read_extra(path: Path) -> dict[str, torch.Tensor]:
    """The tensors beside the weights, by the names they were saved under; none in an older file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name.removeprefix(EXTRA): file.get_tensor(name) for name in file.keys() if name.startswith(EXTRA)}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError("{path} cannot be read ({reason}): copy it again.", path=path, reason=error) from None


def replace_extra(path: Path, extra: Mapping[str, torch.Tensor]) -> None:
    """The same file with other tensors beside the same weights."""
    meta = read_meta(path)
    state = {name: tensor for name, tensor in read_tensors(path).items() if not name.startswith(EXTRA)}
    save_checkpoint(path, state, meta, extra)
