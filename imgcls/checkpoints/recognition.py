"""Which network is in a file of weights: told by tensor names and shapes alone. Nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from imgcls.checkpoints.format import read_meta
from imgcls.checkpoints.header import read_header
from imgcls.errors import CheckpointError
from imgcls.models.layers import first_convolution, head_name
from imgcls.models.meta_model import misfit, skeleton
from imgcls.models.registry import MODELS, OTHERS, REGISTRY, ModelSpec
from imgcls.models.weight_files import read_state
from imgcls.models.weight_header import KEY

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
LIKELY = 0.6  # how far a network's number of parameters may be from the file's: another head is no more


@dataclass(frozen=True)
class Found:
    """What a file is. `size`: side of its images where the shapes tell (a transformer's), 0 otherwise."""

    model: str
    channels: int
    classes: int
    size: int = 0


def recognise(file: Path) -> tuple[Found, dict[str, Tensor]]:
    """The network in a file and its tensors. Raises WeightsError, or CheckpointError where it is no network here."""
    if file.suffix == ".safetensors" and file.is_file() and KEY in read_header(file).metadata:
        raise CheckpointError(
            "{file} is a checkpoint of this lab already: copy it to checkpoints/{run}/best.safetensors.",
            file=file.name,
            run=read_meta(file).run or file.stem,
        )
    state = {name: tensor for name, tensor in read_state(file).items() if not name.startswith(AUXILIARY)}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    for spec in _likely(sum(tensor.numel() for tensor in state.values())):
        found = _fits(spec, shapes)
        if found:
            return found, state
    raise CheckpointError(
        "{file} is no network that this lab knows: its {count} tensors begin with {names}.",
        file=file.name,
        count=len(state),
        names=", ".join(list(state)[:3])[:200],
    )


def _likely(parameters: int) -> Iterator[ModelSpec]:
    """The lab's own first, then by how near their size is."""
    yield from (*MODELS, *OTHERS)
    rest = [spec for spec in REGISTRY.values() if spec not in MODELS and spec not in OTHERS]
    near = sorted(rest, key=lambda spec: abs(spec.parameters - parameters))
    yield from (spec for spec in near if abs(spec.parameters - parameters) <= LIKELY * spec.parameters)


def _fits(spec: ModelSpec, shapes: dict[str, tuple[int, ...]]) -> Found | None:
    """The network with as many channels and classes as the file has, if all its tensors are there and no other."""
    plain = skeleton(spec.name, channels=3, classes=2, image_size=spec.default_size)
    head, first = head_name(plain) + ".weight", first_convolution(plain)[0] + ".weight"
    if len(shapes.get(head, ())) < 2 or len(shapes.get(first, ())) != 4:
        return None
    classes, channels = shapes[head][0], shapes[first][1]
    if channels not in (1, 3) or not 1 <= classes <= 100_000:
        return None
    size = 0
    positions = shapes.get("encoder.pos_embedding")
    if positions and len(positions) == 3:
        size = round(max(0, positions[1] - 1) ** 0.5) * spec.multiple
        if not spec.smallest <= size <= 1024:
            return None
    made = skeleton(spec.name, channels=channels, classes=classes, image_size=size or spec.default_size)
    counted = {name: () for name in made.state_dict() if name.endswith("num_batches_tracked")}
    return None if misfit(made, {**shapes, **counted}) else Found(spec.name, channels, classes, size)
