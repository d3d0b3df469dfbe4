"""Programs that run a frozen backbone in PyTorch's place on a processor, where that is faster and says the same.

They are asked for when enough images are to go forward to pay for exporting the backbone, are compared with PyTorch on
a few images, and are timed against it in turns. Whatever goes wrong, PyTorch runs it.
"""

from __future__ import annotations

import logging
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from imgcls.messages import Message
from imgcls.models import onnx_graph
from imgcls.models.forward import in_micro_batches
from imgcls.models.transfer import folded, split_backbone

if TYPE_CHECKING:
    import numpy as np

TORCH = "torch"
LARGEST_DIFFERENCE = 1e-3  # of the largest feature
CLEARLY = 1.05  # times as fast as PyTorch: what is nearly as fast changes from one trial to the next
TURNS, TURN_S = 5, 0.06  # trials of each, and the length of one
TRIALS_S = 1.0  # after which no further turn begins
# Multiplications of the images that are tried, at least TRIED of them: few go forward at another pace than many.
# ResNet18 at 64 pixels, ONNX Runtime against PyTorch: 1.64 times as fast in fours, 1.23 in sixteens, 1.11 in batches of
# 64.
TRIED, TRIED_WORK = 4, 4e9
# Multiplications for which exporting, opening and trying pay, one or two seconds where nothing is kept yet: two
# thousand images of EfficientNet-Lite0's at 160 pixels, which take PyTorch sixteen seconds of a core. Counted, not
# timed: whether a run asks at all does not depend on the moment.
WORTH = 4e11
Run = Callable[["np.ndarray"], "np.ndarray"]


@dataclass(frozen=True)
class Choice:
    """`run`: images -> features; `name`: "torch", or program and version; `rates`: images/s of each that was tried;
    `difference`: of its features from PyTorch's, as a share of the largest; `bytes`: that it holds."""

    run: Callable[[Tensor], Tensor]
    name: str = TORCH
    rates: dict[str, float] = field(default_factory=dict)
    difference: float = 0.0
    bytes: int = 0

    @property
    def message(self) -> Message | None:
        """One line for the log; None where nothing was tried."""
        if self.name != TORCH:
            return Message(
                "the frozen layers run on {program}, {factor:.2f} times as fast as PyTorch here (features equal within "
                "{difference:.0e})",
                program=self.name,
                factor=self.rates.get(self.name, 0.0) / max(self.rates.get(TORCH, 0.0), 1e-9),
                difference=max(self.difference, 1e-7),
            )
        return None


class Elsewhere:
    """A backbone run by another program, with the threads that torch has now: float (N, C, H, W) -> (N, F)."""

    def __init__(self, run: Run, model: nn.Module) -> None:
        self._run, self.spec, self.threads = run, getattr(model, "spec", None), torch.get_num_threads()

    def __call__(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self._run(images.contiguous().numpy()))


def _onnx_runtime(content: bytes) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what goes wrong is an exception as well
    # Threads that wait by spinning take the core from whoever has work (see imgcls/__init__.py).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> np.ndarray:
        (features,) = session.run([onnx_graph.OUTPUT], {onnx_graph.INPUT: images})
        return cast("np.ndarray", features)  # its type also has maps and sequences

    return run


def _onnx_runtime_version() -> str:
    import onnxruntime

    return f"ONNX Runtime {onnxruntime.__version__}"


def _openvino(content: bytes) -> Run:
    """In single precision: its bf16 is faster still, and not equal."""
    openvino = _import_openvino()
    core, local = openvino.Core(), threading.local()
    precise = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads(), "NUM_STREAMS": 1}
    compiled = core.compile_model(core.read_model(content), "CPU", precise)

    def run(images: np.ndarray) -> np.ndarray:
        if not hasattr(local, "request"):  # one must not be asked by two threads at once
            local.request = compiled.create_infer_request()
        return local.request.infer({0: images}, share_inputs=True)[0].copy()  # the next answer lies in the same place

    return run


def _openvino_version() -> str:
    return f"OpenVINO {_import_openvino().__version__.partition('-')[0]}"


def _import_openvino() -> Any:
    """Without the package that reports to its makers, in whose place it has one that does nothing."""
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)
    return import_module("openvino")


PROGRAMS: tuple[tuple[Callable[[], str], Callable[[bytes], Run]], ...] = (
    (_onnx_runtime_version, _onnx_runtime),
    (_openvino_version, _openvino),
)


def installed() -> dict[str, Callable[[bytes], Run]]:
    """By name and version, those that can be imported."""
    found = {}
    for version, opened in PROGRAMS:
        try:
            found[version()] = opened
        except Exception:  # missing, or built for another system: importing it raises whatever it likes
            continue
    return found


def multiplications(network: nn.Module, image: Tensor) -> int:
    """Of convolutions and linear layers, for one image (1, C, H, W)."""
    count = 0

    def add(layer: nn.Module, _given: object, output: Tensor) -> None:
        nonlocal count
        weight = layer.weight
        assert isinstance(weight, Tensor)
        count += output.numel() * weight[0].numel()

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    try:
        with torch.inference_mode():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return count


def equal(model: nn.Module, sample: Tensor, *, folder: Path) -> list[Choice]:
    """All that run the network without its head and say the same, PyTorch first; nothing is timed."""
    frozen = folded(model)
    plain = Choice(split_backbone(frozen)[0])
    with torch.inference_mode():
        return [plain, *_sound(frozen, plain, sample, folder, installed())]


def fastest(
    model: nn.Module, sample: Tensor, *, images: float, folder: Path, began: str = "", worth: float | None = None
) -> Choice:
    """What runs the network without its head, in evaluation mode, fastest here and with torch's number of threads.

    sample: images as the network gets them, some of a usual batch's, or noise of their form; images: how many are to go
    forward; folder: where graphs are kept; began: the name of an earlier choice, which is kept where that program is
    here and equal, and not timed again.
    """
    frozen = folded(model)
    plain = Choice(split_backbone(frozen)[0])
    least = WORTH if worth is None else worth
    if sample.device.type != "cpu" or not len(sample) or began == TORCH:
        return plain
    work = multiplications(frozen, sample[:1])
    if not began and images * work < least:
        return plain
    sample = sample[: max(TRIED, int(TRIED_WORK / work))]
    programs = {name: opened for name, opened in installed().items() if began in ("", name)}
    with torch.inference_mode():
        sound = list(_sound(frozen, plain, sample, folder, programs)) if programs else []
        if began or not sound:
            return sound[0] if sound else plain
        return _quickest([plain, *sound], sample)


def _sound(
    frozen: nn.Module, plain: Choice, sample: Tensor, folder: Path, programs: dict[str, Callable[[bytes], Run]]
) -> Iterator[Choice]:
    """Those programs whose features are PyTorch's. `frozen`: the network, folded."""
    expected = in_micro_batches(plain.run, sample)
    shape = tuple(sample.shape[1:])
    file = onnx_graph.kept_at(frozen, shape, folder)
    content, new = onnx_graph.read(file), False
    for name, opened in programs.items():
        choice = content and _tried(name, opened, content, frozen, sample, expected)
        if not choice and not new:  # nothing is kept, or what is kept is cut off or another's
            try:
                content, new = onnx_graph.exported(frozen, shape), True
            except Exception as error:  # the exporter raises whatever it stumbles on
                logging.getLogger(__name__).debug("not exported: %s", error)
                return
            choice = _tried(name, opened, content, frozen, sample, expected)
            if choice:
                onnx_graph.keep(content, file)
        if choice:
            yield choice


def _tried(
    name: str, opened: Callable[[bytes], Run], content: bytes, frozen: nn.Module, sample: Tensor, expected: Tensor
) -> Choice | None:
    try:
        run = Elsewhere(opened(content), frozen)
        features = in_micro_batches(run, sample)
    except Exception as error:  # a damaged file, an operator it does not have: they raise whatever they like
        logging.getLogger(__name__).debug("%s: %s", name, error)
        return None
    if features.shape != expected.shape:
        return None
    difference = float((features - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
    return Choice(run, name, {}, difference, len(content)) if difference <= LARGEST_DIFFERENCE else None


def _quickest(choices: list[Choice], sample: Tensor) -> Choice:
    """Timed in turns; PyTorch, the first, where none is clearly faster."""
    turns, began = list[list[float]](), time.perf_counter()
    while len(turns) < TURNS and (not turns or time.perf_counter() - began < TRIALS_S):
        turns.append([_rate(choice.run, sample) for choice in choices])
    factors = [statistics.median(turn[i] / turn[0] for turn in turns) for i in range(len(choices))]
    best = max(range(len(choices)), key=factors.__getitem__)
    chosen = choices[best if factors[best] >= CLEARLY else 0]
    rates = {choice.name: statistics.median(turn[i] for turn in turns) for i, choice in enumerate(choices)}
    return Choice(chosen.run, chosen.name, rates, chosen.difference, chosen.bytes)


def _rate(run: Callable[[Tensor], Tensor], sample: Tensor) -> float:
    began, count = time.perf_counter(), 0
    while not count or time.perf_counter() - began < TURN_S:
        in_micro_batches(run, sample)
        count += len(sample)
    return count / (time.perf_counter() - began)
