"""A checkpoint for other programs: an ONNX file, or a plain state dict as the course's own scripts load it."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgcls.checkpoints.format import load_checkpoint
from imgcls.errors import InstallError
from imgcls.files import write_bytes

if TYPE_CHECKING:
    from torch import Tensor

OPSET = 18
IMAGES_COMPARED = 200  # images on which the two are compared


@dataclass(frozen=True)
class OnnxReport:
    """`difference`: the largest between any two logits of ONNX Runtime and PyTorch on `images` images."""

    opset: int
    images: int
    difference: float


def export_state_dict(path: Path, out: Path) -> None:
    """`torch.load(out, weights_only=True)` gives what `load_state_dict` wants. Raises CheckpointError, StorageError."""
    import torch

    model, _ = load_checkpoint(path)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    write_bytes(out, file.getvalue())


def export_onnx(path: Path, out: Path, stored: Tensor) -> OnnxReport:
    """float (N, C, size, size) "images", normalised as the checkpoint says -> float (N, classes) "logits".

    stored: uint8 (N, C, storage_size, storage_size), real images on which what was written is compared with PyTorch.
    Raises CheckpointError, InstallError where the extra libraries are missing, StorageError.
    """
    import torch

    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  torch.onnx needs it
    except ImportError:
        raise InstallError(
            "Exporting to ONNX needs more libraries: run `{command}`.",
            command="pip install -r requirements-onnx.txt",
        ) from None
    model, meta = load_checkpoint(path)
    inputs = meta.preprocess.to_input(stored[:IMAGES_COMPARED])
    with warnings.catch_warnings(), _silent(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (inputs[:2],),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    assert program is not None  # it is with dynamo=True
    proto = program.model_proto
    onnx.checker.check_model(proto)
    content = proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = model(inputs)
    outputs = torch.from_numpy(session.run(None, {"images": inputs.numpy()})[0])
    write_bytes(out, content)
    opset = next(o.version for o in proto.opset_import if o.domain in ("", "ai.onnx"))
    return OnnxReport(opset, len(inputs), float((outputs - expected).abs().max()))


@contextlib.contextmanager
def _silent():
    """torch.onnx tells of its passes, which nobody asked for."""
    previous_level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous_level)
