"""A checkpoint: one safetensors file that carries all that using it needs.

Weights under the network's own tensor names; architecture, settings, class names, preprocessing, metrics, epoch and
library versions as JSON in the file's metadata. No pickle is written or read. A file is written beside its place,
flushed to the disk and renamed, so that a reader finds the old one or the new one, whole. Knows neither data sets
nor training; what only a resume needs is in `resume_state.py`.
"""

from __future__ import annotations

import errno
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from imgcls.checkpoints.header import Header, read_header
from imgcls.errors import CheckpointError
from imgcls.files import replacing
from imgcls.imaging.preprocess import Preprocess
from imgcls.models.weight_header import EXTRA, KEY
from imgcls.workspace import PROJECT

if TYPE_CHECKING:
    import torch
    from torch import nn

PLAIN, WITH_OPTIONS = 1, 2  # formats: of a network as it has always been, and of one with options
NEWEST = WITH_OPTIONS

Name = Annotated[str, Field(max_length=300)]


class Meta(BaseModel):
    """What a checkpoint says of itself. Settings stay a plain mapping, so that older and newer files load.

    options: of the network, where they are not as usual (models/registry.py); an earlier version, which would build
    another network, refuses such a file by its `format`.
    labels: the class names in other languages, e.g. {"zh": ("丁鲷", ...)}, in the order of `classes`.
    manifest: digest of the list of images that it was trained with (data/manifest.py), which lies beside the run's log;
    fingerprint: of their division, as earlier versions knew it.
    weights: the file in the project's weight/ that holds the tensors, where this one holds none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int = PLAIN
    model: Annotated[str, Field(max_length=100)]
    options: dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=40)]] = {}
    classes: tuple[Name, ...] = Field(min_length=1, max_length=100_000)
    labels: dict[str, tuple[Name, ...]] = {}
    preprocess: Preprocess
    weights: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,80}\.safetensors)?$")
    run: str = ""
    kind: str = "best"
    epoch: float = 0
    step: int = 0
    metrics: dict[str, float | None] = {}
    settings: dict[str, Any] = {}
    data: dict[str, Any] = {}
    fingerprint: str = ""
    manifest: Annotated[str, Field(max_length=100)] = ""
    versions: dict[str, str] = {}
    created: float = Field(default_factory=time.time)

    @model_validator(mode="before")
    @classmethod
    def _format_of_options(cls, values: Any) -> Any:
        """Whoever writes options writes the format that an earlier version refuses."""
        if isinstance(values, dict) and values.get("options"):
            return {"format": WITH_OPTIONS, **values}
        return values

    @model_validator(mode="after")
    def _a_label_a_class(self) -> Meta:
        if any(len(names) != len(self.classes) for names in self.labels.values()):
            raise ValueError("labels must name every class")
        return self

    def names(self, language: str = "en") -> tuple[str, ...]:
        """The class names in `language` where the checkpoint has them, its own names otherwise."""
        return self.labels.get(language, self.classes)


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
    return _meta(path, read_header(path).metadata)


def _meta(path: Path, metadata: Mapping[str, str]) -> Meta:
    if KEY not in metadata:
        raise CheckpointError(
            "{path} holds weights but does not say of which network: run `python -m imgcls adopt {path}`, "
            "or put it in weight/ to learn on from it.",
            path=path,
        )
    try:
        meta = Meta.model_validate_json(metadata[KEY])
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "format"
        raise CheckpointError(
            "{path} has a description this lab cannot read (at '{where}').", path=path, where=where[:100]
        ) from None
    if meta.format > NEWEST:
        raise CheckpointError("{path} was made by a newer version of this lab: update this one.", path=path)
    return meta


def load_checkpoint(path: Path | str) -> tuple[nn.Module, Meta]:
    """The network in eval mode on the CPU, every tensor accounted for, and what the file says of itself.

    Shapes are compared with the header's before anything is built: a file that lies costs nothing.
    """
    path = Path(path)
    header = read_header(path)
    meta = _meta(path, header.metadata)
    if meta.weights:  # of a checkpoint that ships: the tensors lie in weight/, which may hold them for several
        header = read_header(weights_of(meta))
    model = _meta_model(path, meta, header)
    state = read_tensors(weights_of(meta) if meta.weights else path)
    whole = model.state_dict()  # which also knows its layers' versions, as MNASNet asks for
    for name, tensor in state.items():
        if not name.startswith(EXTRA):
            whole[name] = tensor.to(torch_float(tensor), copy=True)
    model.load_state_dict(whole, assign=True)
    return model.eval(), meta


def _meta_model(path: Path, meta: Meta, header: Header) -> nn.Module:
    """The network that `meta` describes, without memory. CheckpointError where the header's shapes are not its."""
    from imgcls.models.meta_model import meta_model, misfit
    from imgcls.models.registry import REGISTRY, knows_options
    from imgcls.plugins import VARIABLE

    if meta.model not in REGISTRY or not knows_options(meta.model, meta.options):
        raise CheckpointError(
            "{path} holds a '{model}', a network that is not known here: if a module of your own registers it, name "
            "that module in {variable}.",
            variable=VARIABLE,
            path=path,
            model=" ".join([meta.model[:60], *(f"{k}={v}" for k, v in meta.options.items())])[:120],
        )
    form = meta.preprocess
    try:
        shape = {"channels": form.channels, "classes": len(meta.classes), "image_size": form.size}
        model = meta_model(meta.model, **shape, options=meta.options)
    except (RuntimeError, ValueError, AssertionError, ArithmeticError):  # images of a size that it cannot be built for
        mismatch = ("image_size", str(form.size), "")
    else:
        mismatch = misfit(model, {name: shape for name, shape in header.shapes.items() if not name.startswith(EXTRA)})
    if mismatch:
        name, in_file, here = mismatch
        raise CheckpointError(
            "{path} does not fit the {model} it says it holds: '{name}' is {there} there and {here} here.",
            path=path,
            model=meta.model,
            name=name[:100],
            there=in_file or "-",
            here=here or "-",
        )
    return model


def weights_of(meta: Meta) -> Path:
    """The file in the project's own weight/ with the tensors of a checkpoint that ships without."""
    return PROJECT / "weight" / meta.weights


def torch_float(tensor: torch.Tensor) -> torch.dtype:
    """float32 for what lies in half precision; whole numbers stay."""
    import torch

    return torch.float32 if tensor.is_floating_point() else tensor.dtype


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
