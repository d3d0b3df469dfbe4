"""An ONNX file of a classifier: the weights of its layers, in the order in which images pass them, and what it answers.

It is read as weights: a network of this lab's that gives the same answers takes them, and can then be looked into and
learnt on from as any other. Graphs of the usual layers alone are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from imgcls.errors import InstallError, WeightsError

if TYPE_CHECKING:
    import onnx

MAX_SIDE = 1024  # pixels of its images
MAX_WINDOW = 64  # of a convolution or a pool, its stride and its padding
OPERATORS = frozenset(
    "Conv BatchNormalization Relu LeakyRelu Tanh Sigmoid HardSigmoid HardSwish Clip MaxPool AveragePool "
    "GlobalAveragePool ReduceMean Flatten Reshape Squeeze Unsqueeze Shape Gather Slice Concat Constant Cast Identity "
    "Dropout Gemm MatMul Add Sub Mul Div Softmax LogSoftmax Transpose".split()
)
NORMALISATION = ("weight", "bias", "running_mean", "running_var")  # the order of BatchNormalization's inputs


@dataclass(frozen=True)
class OnnxFile:
    """state: tensors called by the number of their layer; channels, side: of its images, 0 where the graph does not
    say; batch: how many images it takes at once."""

    name: str
    state: dict[str, Tensor]
    channels: int
    side: int
    batch: int
    graph: onnx.ModelProto

    def answer(self, image: Tensor) -> Tensor:
        """float (1, C, H, W) -> float (classes,), by ONNX Runtime where it is installed. Raises WeightsError."""
        images = image.expand(self.batch, -1, -1, -1).numpy()
        name = _images_input(self.graph).name
        try:
            try:
                import onnxruntime

                run: Any = onnxruntime.InferenceSession(self.graph.SerializeToString())
            except ImportError:
                from onnx.reference import ReferenceEvaluator

                run = ReferenceEvaluator(self.graph)
            return torch.as_tensor(run.run(None, {name: images})[0]).float().reshape(self.batch, -1)[0]
        except Exception as error:  # of one or the other program, whatever it does not like
            raise WeightsError(
                "{file} cannot be run ({reason}).", file=self.name, reason=" ".join(str(error).split())[:120]
            ) from None


def read_onnx(path: Path) -> OnnxFile:
    """Raises WeightsError where it is damaged or holds more than the usual layers, InstallError without `onnx`."""
    try:
        import onnx
        from onnx import numpy_helper
        from onnx.external_data_helper import load_external_data_for_model, uses_external_data
    except ImportError:
        raise InstallError("{file} is an ONNX file: pip install imgcls[onnx] reads it.", file=path.name) from None
    try:
        model = onnx.load(path, load_external_data=False)
        if any(uses_external_data(tensor) for tensor in model.graph.initializer):
            load_external_data_for_model(model, str(path.parent))  # which takes no file from elsewhere
        tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in model.graph.initializer}
    except Exception as error:  # protobuf's, numpy's, or of the file that the weights are in
        raise WeightsError(
            "{file} cannot be read ({reason}): copy it again, with the file of its weights where it has one.",
            file=path.name, reason=" ".join(str(error).split())[:120],
        ) from None  # fmt: skip
    _check(path, model)
    tensors = _constants(model, tensors)
    shape = [dim.dim_value for dim in _images_input(model).type.tensor_type.shape.dim]
    batch, channels, side = (shape[0], shape[1], shape[2]) if len(shape) == 4 else (0, 0, 0)
    if len(shape) != 4 or (shape[2] != shape[3]) or channels not in (0, 1, 3) or side > MAX_SIDE or batch > 64:
        raise WeightsError(
            "{file} takes {shape}, and not square images with their channels first: export it from PyTorch.",
            file=path.name, shape=" x ".join(map(str, shape)) or "no images",
        )  # fmt: skip
    state = _layers(model, tensors)
    if not state:
        raise WeightsError("{file} holds no layers with weights.", file=path.name)
    return OnnxFile(path.name, state, channels, side, batch or 1, model)


def _images_input(model: onnx.ModelProto) -> Any:
    """Older files list their weights among the inputs, too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return next((value for value in model.graph.input if value.name not in weights), model.graph.input[0])


def _check(path: Path, model: onnx.ModelProto) -> None:
    unknown = sorted({node.op_type for node in model.graph.node if node.op_type not in OPERATORS or node.domain})
    if unknown or not model.graph.input or not model.graph.node:
        raise WeightsError(
            "{file} has layers that this lab does not read ({names}): where it was made, save the weights with "
            "torch.save(model.state_dict(), 'weights.pth').",
            file=path.name, names=", ".join(unknown)[:120] or "-",
        )  # fmt: skip
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("kernel_shape", "strides", "pads", "dilations") and any(
                abs(number) > MAX_WINDOW for number in attribute.ints
            ):
                raise WeightsError("{file} is no network of images: a window is too large.", file=path.name)


def _constants(model: onnx.ModelProto, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With those that lie in nodes of their own."""
    from onnx import numpy_helper

    found = {
        node.output[0]: torch.from_numpy(numpy_helper.to_array(attribute.t).copy())
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    known = tensors | found
    for node in model.graph.node:  # equal tensors are written once, and passed on
        if node.op_type == "Identity" and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]
    return known


def _layers(model: onnx.ModelProto, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by layer and kind, as PyTorch lays them out: a linear layer's weight is (out, in)."""
    state: dict[str, Tensor] = {}
    linear_of: dict[str, str] = {}  # the output of a product without bias -> its layer
    found: dict[str, Tensor | None]
    for number, node in enumerate(model.graph.node):
        layer, inputs = f"{number:05}", [tensors.get(name) for name in node.input]
        if node.op_type == "BatchNormalization":
            found = dict(zip(NORMALISATION, inputs[1:5], strict=False))
        elif node.op_type == "Conv":
            found = dict(zip(("weight", "bias"), inputs[1:3], strict=False))
        elif node.op_type == "Gemm" and inputs[1] is not None:
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            found = {"weight": inputs[1] if transposed else inputs[1].T}
            if len(inputs) > 2:
                found["bias"] = inputs[2]
        elif node.op_type == "MatMul" and len(inputs) > 1 and inputs[1] is not None and inputs[1].dim() == 2:
            found = {"weight": inputs[1].T}
            linear_of[node.output[0]] = layer
        elif node.op_type == "Add" and (layer := _linear_before(node, linear_of)):
            found = {"bias": next((tensor for tensor in inputs if tensor is not None and tensor.dim() == 1), None)}
        else:
            continue
        state |= {f"{layer}.{kind}": t.float().contiguous() for kind, t in found.items() if t is not None}
    return state


def _linear_before(node: Any, linear_of: Mapping[str, str]) -> str:
    return next((linear_of[name] for name in node.input if name in linear_of), "")
