"""A frozen backbone as an ONNX graph: exported once for whatever networks share it, and kept in the workspace.

What is kept is known by the backbone's weights and form and by the versions that made it. Whoever opens such a file
compares what it says with PyTorch (runtimes.py), so that one which is cut off or another's is made anew.
"""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import torch
from torch import nn

from imgcls.errors import StorageError
from imgcls.files import write_bytes
from imgcls.models.layers import head_name, within
from imgcls.models.transfer import Backbone

OPSET = 18
VERSION = 1
SUFFIX = ".onnx"
KEPT_FILES = 8  # EfficientNet-Lite0's takes 14 MB, ResNet18's 45
KEPT_BYTES = 500_000_000  # of all of them together; the longest unused go first
INPUT, OUTPUT = "images", "features"
_exporting = threading.Lock()  # torch.onnx keeps what it is doing in globals


def kept_at(model: nn.Module, shape: tuple[int, ...], folder: Path) -> Path:
    """Where the graph of the folded network without its head lies for images of `shape` (C, H, W), whether it is there
    or not: networks that differ in their heads alone have the same one."""
    head = head_name(model)
    form = [VERSION, OPSET, torch.__version__, shape, type(model).__qualname__]
    digest = blake2b(repr(form).encode(), digest_size=12)
    for name, module in model.named_modules():
        if not list(module.children()) and not within(name, [head]):
            digest.update(f"{name} {module}\0".encode())
    for name, tensor in model.state_dict().items():
        if not within(name, [head]):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\0".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return folder / f"{digest.hexdigest()}{SUFFIX}"


def exported(model: nn.Module, shape: tuple[int, ...]) -> bytes:
    """Of a folded network: float (N, C, H, W) "images" -> float (N, F) "features", what goes into the head.

    The older of torch's two exporters: half a second where the newer takes several, whose compiler has to be imported
    first. Raises ImportError without `onnx`, and whatever it cannot express as an error of torch's own.
    """
    import onnx  # noqa: F401  torch.onnx needs it

    backbone = Backbone(model).eval()
    file = io.BytesIO()
    with _exporting, warnings.catch_warnings(), torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            backbone,
            (torch.zeros(2, *shape),),
            file,  # pyright: ignore[reportArgumentType]  # this exporter takes it
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
        )
    return file.getvalue()


def read(file: Path) -> bytes | None:
    """What is kept, None where nothing is; being read it counts as used."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    with suppress(OSError):
        file.touch()
    return content


def keep(content: bytes, file: Path) -> None:
    """Written beside its place and renamed; where that cannot be done it is exported again the next time."""
    with suppress(StorageError):
        write_bytes(file, content)
        _evict(file.parent)


def _evict(folder: Path) -> None:
    entries = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            entries.append((path.stat().st_mtime, path.stat().st_size, path))
    held = 0
    for number, (_, size, path) in enumerate(sorted(entries, reverse=True)):
        held += size
        if number and (number >= KEPT_FILES or held > KEPT_BYTES):
            with suppress(OSError):
                path.unlink()
