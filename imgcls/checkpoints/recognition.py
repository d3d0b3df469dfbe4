"""Which network is in a file of weights: told by tensor names and shapes, or by the shapes in their order alone.

A network under foreign names has the same shapes in the same order, so its tensors are called by ours. Where its last
layer or its whole classifier was replaced by several linear layers (models/deep_head.py), all the rest is the same.
What is a plain chain of convolutions and linear layers gets a forward pass written out (models/chain.py): where it is
padded and pooled follows from the sizes. Nothing in a file of tensors says which activation it had; see `guesses`. An
ONNX file's graph is run once, to see which form answers as it does; nothing else is executed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcls.checkpoints.foreign_state import by_layer, network_alone, plain_layers
from imgcls.checkpoints.format import read_meta
from imgcls.checkpoints.header import read_header
from imgcls.errors import CheckpointError
from imgcls.models.chain import ChainLayers, Convolution
from imgcls.models.deep_head import DeepHead, inputs, place_name
from imgcls.models.layers import first_convolution, head_name
from imgcls.models.meta_model import meta_model, misfit
from imgcls.models.onnx_file import OnnxFile, read_onnx
from imgcls.models.registry import MODELS, OTHERS, REGISTRY, ModelSpec
from imgcls.models.weight_files import read_state
from imgcls.models.weight_header import KEY

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
LIKELY = 0.6  # how far a network's number of parameters may be from the file's: another head is no more
COUNTER = "num_batches_tracked"
GREY_SIDES = (28, 32, 64)  # of images that a chain may have learnt from, the likeliest first
COLOUR_SIDES = (32, 28, 64, 96, 128, 150, 160, 180, 200, 224, 256)
OTHER_SIDES = (48, 40, 50, 56, 60, 84, 100, 112, 120, 144, 192, 240, 299)  # and of either, where no likelier one fits
MOST_CONVOLUTIONS = 8  # of a chain whose pools are guessed
MOST_GUESSES = 8  # forms of one chain
MOST_CLASSES = 100_000
SAME = 1e-3  # of the largest number: so far the answers of two programs may lie apart


@dataclass(frozen=True)
class RecognisedNetwork:
    """What a file is. `size`: side of its images where the shapes tell, 0 otherwise. `options`: of the network where it
    is not as usual. `guessed`: whether its forward pass was found by sizes alone; `proved`: whether it was seen to give
    the answers that the file's own graph gives."""

    model: str
    channels: int
    classes: int
    size: int = 0
    options: dict[str, str] = field(default_factory=dict, hash=False)
    guessed: bool = False
    proved: bool = False


def recognise(file: Path, *, size: int = 0) -> tuple[RecognisedNetwork, dict[str, Tensor]]:
    """The network in a file and its tensors; size: side of its images, where somebody knows it. Raises WeightsError, or
    CheckpointError where it is no network here."""
    best, state = candidates(file, size=size)[0]
    return best, state


def candidates(file: Path, *, size: int = 0) -> list[tuple[RecognisedNetwork, dict[str, Tensor]]]:
    """All that the file may be, the likeliest first: one, but for a chain. Raises as `recognise`."""
    if file.suffix == ".safetensors" and file.is_file() and KEY in read_header(file).metadata:
        raise CheckpointError(
            "{file} is a checkpoint of this lab already: copy it to checkpoints/{run}/best.safetensors.",
            file=file.name,
            run=read_meta(file).run or file.stem,
        )
    if file.suffix.lower() == ".onnx" and file.is_file():
        return [_of_graph(read_onnx(file), size)]
    state = {name: tensor for name, tensor in read_state(file).items() if not name.startswith(AUXILIARY)}
    for own in (state, network_alone(state)):
        if found := _networks(own, file, size) or (size and _networks(own, file, 0)):
            return found
    raise _unknown(file.name, state)


def _unknown(file: str, state: dict[str, Tensor]) -> CheckpointError:
    return CheckpointError(
        "{file} is no network that this lab knows: its {count} tensors begin with {names}. Known are torchvision's, "
        "this lab's own, and plain chains of convolutions, pools, batch normalisations and linear layers.",
        file=file,
        count=len(state),
        names=", ".join(list(state)[:3])[:200],
    )


def _of_graph(file: OnnxFile, size: int) -> tuple[RecognisedNetwork, dict[str, Tensor]]:
    """The network, in whatever form, that answers as the file's graph does. Raises CheckpointError."""
    found = _networks(file.state, Path(file.name), size or file.side)
    for recognised, state in found:
        side = file.side or recognised.size or size or REGISTRY[recognised.model].default_size
        image = torch.rand(1, recognised.channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
        expected = file.answer(image)
        for form in guesses(recognised):
            shape = {"channels": form.channels, "classes": form.classes, "image_size": side}
            try:
                model = meta_model(form.model, **shape, options=form.options)
                whole = {name: torch.zeros(like.shape, dtype=like.dtype) for name, like in model.state_dict().items()}
                model.load_state_dict({**whole, **state}, assign=True)
                with torch.inference_mode():
                    logits = model.eval()(image)[0]
            except (RuntimeError, ValueError):  # images of this size leave the network nothing to look at
                continue
            if _same_answer(logits, expected):
                return replace(form, size=side, proved=True), state
    if found:
        raise CheckpointError(
            "{file} has the layers of {model} and does not answer as it does: where it was made, save the weights with "
            "torch.save(model.state_dict(), 'weights.pth').",
            file=file.name,
            model=REGISTRY[found[0][0].model].title,
        )
    raise _unknown(file.name, file.state)


def _same_answer(logits: Tensor, expected: Tensor) -> bool:
    """A graph may end with a softmax, or its logarithm; this lab's networks do not."""
    ways = (logits, logits.softmax(0), logits.log_softmax(0))
    return any(
        way.shape == expected.shape and float((way - expected).abs().max()) <= SAME * float(expected.abs().max())
        for way in ways
    )


def _networks(state: dict[str, Tensor], file: Path, size: int) -> list[tuple[RecognisedNetwork, dict[str, Tensor]]]:
    """As `candidates`; nothing where none is known."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if not name.endswith(COUNTER)}
    parameters = sum(tensor.numel() for tensor in state.values())
    for spec in _likely(parameters):
        recognised = _fits(spec, shapes)
        if recognised:
            return [(recognised, state)]
    for spec in _likely(parameters):
        renamed = _fits_in_order(spec, shapes)
        if renamed:
            recognised, names = renamed
            return [(recognised, {names[name]: tensor for name, tensor in state.items() if name in names})]
    for spec in _likely(parameters):
        folded = _fits_folded(spec, state)
        if folded:
            return [folded]
    for spec in _likely(parameters, other_head=True):
        deep = _fits_with_head(spec, shapes, file)
        if deep:
            recognised, names = deep
            return [(recognised, {names[name]: tensor for name, tensor in state.items() if name in names})]
    plain = plain_layers(state)
    shapes = {name: tuple(tensor.shape) for name, tensor in plain.items() if not name.endswith(COUNTER)}
    return [
        (recognised, dict(zip(names, (plain[name] for name in shapes), strict=True)))
        for recognised, names in _chains(shapes, size)
    ]


def guesses(recognised: RecognisedNetwork) -> list[RecognisedNetwork]:
    """The network with each activation and pool that it may have had, the likeliest first."""
    if recognised.proved or "activation" not in REGISTRY[recognised.model].options:
        return [recognised]
    usual = {"activation": "relu", "pool": "max"}
    values = {"activation": ("relu", "tanh", "sigmoid"), "pool": ("max", "avg")}
    own = [name for name in usual if name in REGISTRY[recognised.model].options]
    options = [dict(zip(own, way, strict=True)) for way in itertools.product(*(values[name] for name in own))]
    return [
        replace(recognised, options={k: v for k, v in options_of_guess.items() if v != usual[k]})
        for options_of_guess in options
    ]


def _likely(parameters: int, *, other_head: bool = False) -> Iterator[ModelSpec]:
    """The lab's own first, then by how near their size is; of a VGG nine tenths are the head."""
    yield from (*MODELS, *OTHERS)
    rest = [spec for spec in REGISTRY.values() if spec not in MODELS and spec not in OTHERS]
    near = sorted(rest, key=lambda spec: abs(spec.parameters - parameters))
    for spec in near:
        head_heavy = other_head and spec.name.startswith("vgg") and parameters <= spec.parameters
        if head_heavy or abs(spec.parameters - parameters) <= LIKELY * spec.parameters:
            yield spec


@lru_cache(maxsize=256)
def _plain(spec: ModelSpec, channels: int) -> nn.Module:
    """Kept: a file is compared with some dozens of networks, in three ways."""
    return meta_model(spec.name, channels=channels, classes=2, image_size=spec.default_size)


def _as_many_convolutions(spec: ModelSpec, shapes: dict[str, tuple[int, ...]]) -> bool:
    ours = sum(tensor.dim() == 4 for tensor in _plain(spec, 3).state_dict().values())
    return ours == sum(len(shape) == 4 for shape in shapes.values())


def _fits(spec: ModelSpec, shapes: dict[str, tuple[int, ...]]) -> RecognisedNetwork | None:
    """The network with as many channels and classes as the file has, if all its tensors are there and no other."""
    plain = _plain(spec, 3)
    head, first = head_name(plain) + ".weight", first_convolution(plain)[0] + ".weight"
    if len(shapes.get(head, ())) < 2 or len(shapes.get(first, ())) != 4:
        return None
    classes, channels = shapes[head][0], shapes[first][1]
    if channels not in (1, 3) or not 1 <= classes <= MOST_CLASSES:
        return None
    size = 0
    positions = shapes.get("encoder.pos_embedding")
    if positions and len(positions) == 3:
        size = round(max(0, positions[1] - 1) ** 0.5) * spec.multiple
        if not spec.smallest <= size <= 1024:
            return None
    model = meta_model(spec.name, channels=channels, classes=classes, image_size=size or spec.default_size)
    counted = {name: () for name in model.state_dict() if name.endswith("num_batches_tracked")}
    return None if misfit(model, {**shapes, **counted}) else RecognisedNetwork(spec.name, channels, classes, size)


def _fits_in_order(
    spec: ModelSpec, shapes: dict[str, tuple[int, ...]]
) -> tuple[RecognisedNetwork, dict[str, str]] | None:
    """The network whose tensors have the file's shapes in the file's order, and our name for each of the file's."""
    theirs = list(shapes.items())
    first = next((shape for _, shape in theirs if len(shape) == 4), None)
    last = next((shape for _, shape in reversed(theirs) if len(shape) >= 2), None)
    if not first or not last or first[1] not in (1, 3):
        return None
    channels, classes = first[1], last[0]
    if not 1 <= classes <= MOST_CLASSES or spec.multiple > 1:  # a transformer's parts are not told by their shapes
        return None
    if not _as_many_convolutions(spec, shapes):
        return None
    plain = meta_model(spec.name, channels=channels, classes=classes, image_size=spec.default_size)
    ours = [(name, tuple(tensor.shape)) for name, tensor in plain.state_dict().items() if not name.endswith(COUNTER)]
    if [(name.rpartition(".")[2], shape) for name, shape in ours] != [
        (name.rpartition(".")[2], shape) for name, shape in theirs
    ]:
        return None
    return RecognisedNetwork(spec.name, channels, classes), {
        name: own for (name, _), (own, _) in zip(theirs, ours, strict=True)
    }


def _fits_folded(spec: ModelSpec, state: dict[str, Tensor]) -> tuple[RecognisedNetwork, dict[str, Tensor]] | None:
    """The network whose batch normalisations were multiplied into the convolutions before them, as exports for running
    have them: normalisations that change nothing but add the bias."""
    first = next((tensor for tensor in state.values() if tensor.dim() == 4), None)
    last = next((tensor for tensor in reversed(state.values()) if tensor.dim() == 2), None)
    if first is None or last is None or first.shape[1] not in (1, 3) or len(last) > MOST_CLASSES or spec.multiple > 1:
        return None
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if not _as_many_convolutions(spec, shapes):
        return None
    plain = meta_model(spec.name, channels=first.shape[1], classes=len(last), image_size=spec.default_size)
    layers = list(by_layer(state).values())
    whole: dict[str, Tensor] = {}
    added: Tensor | None = None  # the bias of a convolution that has none of its own, for the normalisation behind it
    for name, module in plain.named_modules():
        own = {kind: tensor for kind, tensor in module.state_dict().items() if "." not in kind and kind != COUNTER}
        if not own:
            continue
        normalises = isinstance(module, nn.BatchNorm2d)
        if added is not None and not normalises:
            return None
        if normalises and (added is not None or not layers or "running_mean" not in layers[0]):
            found = _neutral(torch.zeros(module.num_features) if added is None else added, module.eps)
            added = None
        elif layers and "weight" in layers[0]:
            found = layers.pop(0)
            added = found.get("bias") if "bias" not in own else None
            found = {"bias": found["weight"].new_zeros(len(found["weight"])), **found}  # exports leave zeros out
        else:
            return None
        if any(kind not in found or found[kind].shape != like.shape for kind, like in own.items()):
            return None
        whole |= {f"{name}.{kind}": found[kind] for kind in own}
    if layers or added is not None:
        return None
    return RecognisedNetwork(spec.name, first.shape[1], len(last)), whole


def _neutral(bias: Tensor, epsilon: float) -> dict[str, Tensor]:
    """A batch normalisation that only adds."""
    ones = torch.ones_like(bias)
    return {"weight": ones, "bias": bias, "running_mean": 0 * ones, "running_var": ones - epsilon}


def _fits_with_head(
    spec: ModelSpec, shapes: dict[str, tuple[int, ...]], file: Path
) -> tuple[RecognisedNetwork, dict[str, str]] | None:
    """The network with several linear layers where its last one was, or its classifier, and our name for each tensor.
    Raises CheckpointError where what stands there is something else."""
    theirs = list(shapes.items())
    first = next((shape for _, shape in theirs if len(shape) == 4), None)
    if not first or first[1] not in (1, 3) or not spec.features or spec.options:
        return None
    if not _as_many_convolutions(spec, shapes):
        return None
    plain = _plain(spec, first[1])
    for place in ("mlp", "top"):
        replaced = place_name(plain, place)
        wide = inputs(plain, replaced) if replaced else 0
        kept = [
            (name, tuple(tensor.shape))
            for name, tensor in plain.state_dict().items()
            if not name.endswith(COUNTER) and not name.startswith(replaced + ".")
        ]
        if not wide or not _same_in_order(kept, theirs[: len(kept)], names=spec.multiple > 1):
            continue
        layers = theirs[len(kept) :]
        if not layers or layers[0][1][1:] != (wide,):
            continue
        widths = _linear_widths(layers, wide)
        if widths is None:
            raise CheckpointError(
                "{file} is {model} with a head of its own, which has more than linear layers with biases: {names}. "
                "Only linear layers with one activation between them are read.",
                file=file.name,
                model=spec.title,
                names=", ".join(name for name, _ in layers)[:200],
            )
        head = DeepHead(spec.name, place, tuple(widths[:-1]))
        if head.name not in REGISTRY or widths[-1] > MOST_CLASSES:
            continue
        recognised = RecognisedNetwork(head.name, first[1], widths[-1])
        model = meta_model(head.name, channels=first[1], classes=widths[-1], image_size=spec.default_size)
        ours = [name for name in model.state_dict() if not name.endswith(COUNTER)]
        return recognised, dict(zip(shapes, ours, strict=True))
    return None


def _same_in_order(
    ours: list[tuple[str, tuple[int, ...]]], theirs: list[tuple[str, tuple[int, ...]]], *, names: bool
) -> bool:
    """Whether shapes and the last words of names agree; with `names` the whole names: a transformer's parts are not
    told by their shapes."""
    if names:
        return ours == theirs
    return [(n.rpartition(".")[2], s) for n, s in ours] == [(n.rpartition(".")[2], s) for n, s in theirs]


def _linear_widths(layers: list[tuple[str, tuple[int, ...]]], wide: int) -> list[int] | None:
    """What each linear layer gives, where they are nothing but linear layers that fit each other."""
    widths = []
    for (name, weight), (other, bias) in itertools.zip_longest(layers[::2], layers[1::2], fillvalue=("", ())):
        if (name.rpartition(".")[2], other.rpartition(".")[2]) != ("weight", "bias"):
            return None
        if len(weight) != 2 or weight[1] != wide or bias != weight[:1]:
            return None
        wide = weight[0]
        widths.append(wide)
    return widths


def _chains(shapes: dict[str, tuple[int, ...]], size: int) -> Iterator[tuple[RecognisedNetwork, list[str]]]:
    """Every form of a plain chain that fits, the likeliest first, with its tensors' names in the file's order."""
    layers = _layers(shapes)
    if layers is None:
        return
    convolutions, linear = layers
    channels, classes = linear.channels, linear.widths[-1][0]
    hidden = tuple(out for out, _ in linear.widths[:-1])
    flat, maps = linear.widths[0][1], convolutions[-1].maps
    sides = (size,) if size else (*(GREY_SIDES if channels == 1 else COLOUR_SIDES), *OTHER_SIDES)
    ways = itertools.product(sides, _pools(len(convolutions)), _paddings(convolutions))
    fitting = []
    for number, (side, pools, padded) in enumerate(ways):
        features: list[Convolution | str] = []
        for convolution, pool in zip(padded, pools, strict=True):
            features += [convolution, "m"] if pool else [convolution]
        chain = ChainLayers(tuple(features), hidden)
        if maps * chain.side(side) ** 2 == flat:
            fitting.append((number, chain, side))
        elif maps == flat and chain.side(side):
            fitting.append((10_000 + number, replace(chain, features=(*features, "g")), side))
    for _, chain, side in sorted(fitting, key=lambda candidate: candidate[0])[:MOST_GUESSES]:
        if chain.name not in REGISTRY:
            continue
        recognised = RecognisedNetwork(chain.name, channels, classes, side, guessed=True)
        model = meta_model(chain.name, channels=channels, classes=classes, image_size=side)
        names = [name for name in model.state_dict() if not name.endswith(COUNTER)]
        if len(names) == len(shapes):
            yield recognised, names


@dataclass(frozen=True)
class _Linear:
    channels: int  # of the images
    widths: tuple[tuple[int, int], ...]  # (out, in) of each linear layer


def _layers(shapes: dict[str, tuple[int, ...]]) -> tuple[tuple[Convolution, ...], _Linear] | None:
    """The layers of a plain chain; None where the shapes are anything else."""
    convolutions: list[Convolution] = []
    widths: list[tuple[int, int]] = []
    channels = wide = 0
    for tensors in by_layer(shapes).values():
        weight, others = tensors.get("weight", ()), set(tensors) - {"weight", "bias"}
        if len(weight) == 4 and not widths and not others:
            if weight[2] != weight[3] or (convolutions and weight[1] != wide):
                return None
            channels, wide = channels or weight[1], weight[0]
            convolutions.append(Convolution(wide, weight[2], bias="bias" in tensors))
        elif len(weight) == 1 and others == {"running_mean", "running_var"} and weight == (wide,) and not widths:
            convolutions[-1] = replace(convolutions[-1], normalised=True)
        elif len(weight) == 2 and "bias" in tensors and not others and (not widths or weight[1] == widths[-1][0]):
            widths.append((weight[0], weight[1]))
        else:
            return None
    if channels not in (1, 3) or not widths or not 1 <= len(convolutions) <= MOST_CONVOLUTIONS:
        return None
    return tuple(convolutions), _Linear(channels, tuple(widths))


def _pools(count: int) -> list[tuple[bool, ...]]:
    """Behind which convolutions a pool may stand: all, the last, every second, all but the last; then any other."""
    usual = [(True,) * count, (*(False,) * (count - 1), True), tuple(i % 2 == 1 for i in range(count))]
    usual += [(*(True,) * (count - 1), False), (False,) * count]
    return list(dict.fromkeys([*usual, *itertools.product((True, False), repeat=count)]))


def _paddings(convolutions: tuple[Convolution, ...]) -> list[tuple[Convolution, ...]]:
    """None, such that sides stay, and such that they stay at the first."""
    same = tuple(replace(c, padding=c.kernel // 2) for c in convolutions)
    return list(dict.fromkeys([convolutions, same, (same[0], *convolutions[1:])]))
