"""Checkpoints that the page itself can compute: their weights as bytes, named by their content.

A LeNet's forward pass takes a browser less than a frame. What is sent is a safetensors file of the weights, the
calibration, the class names and the preprocessing, and nothing of the settings: those may name folders of this
computer. What its units do on many images is made when it is first asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from imgcls import __version__
from imgcls.checkpoints.epochs import epochs_of, read_epoch
from imgcls.checkpoints.format import EXTRA, Meta, read_meta
from imgcls.errors import CheckpointError, ImgclsError
from imgcls.inference.predictor import CONFIDENT_FROM
from imgcls.web.shared import scripts
from imgcls.web.shared.run_cache import RunCache, key, stamp_of
from imgcls.web.shared.work_gate import network
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np

CACHE_ENTRIES = 16  # checkpoints, 300 KB each
NAMES_KEPT = 512  # names of files: several times those that are listed
FileState = tuple[Path, int, int]  # path, when it was written (ns), bytes
T = TypeVar("T")

FEATURES = 84  # that go into the last layer
TENSOR_NAMES = ("weight", "bias")
TRAIL = 400 + 120 + FEATURES  # that go into all linear layers


def for_page(meta: Meta) -> bool:
    """Whether the page has this network's forward pass: a LeNet, whatever its activation and pooling."""
    return meta.model == "lenet"


def check_for_page(path: Path, meta: Meta) -> None:
    """Raises CheckpointError where the page cannot compute it."""
    if not for_page(meta):
        raise CheckpointError(
            "{path} holds a {model}: only a LeNet becomes a page of its own. `{onnx}` and `{state_dict}` take every "
            "network.",
            path=path,
            model=meta.model,
            onnx="export onnx",
            state_dict="export state-dict",
        )


def page_bytes(path: Path, *, half: bool = False) -> bytes:
    """The checkpoint at `path` as the page reads it: a safetensors file, its weights in half precision where asked.

    Made without torch, which takes seconds to import: the first answer of a lab just started does not wait for it.
    Raises CheckpointError.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load, save

    meta = read_meta(path)
    try:
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise CheckpointError("{path} cannot be read ({reason}): copy it again.", path=path, reason=error) from None
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    expected = _shapes(meta)
    if misfit := next((name for name, shape in expected.items() if shapes.get(name) != shape), None):
        reason = f"{misfit}: {shapes.get(misfit)}, {expected[misfit]}"
        raise CheckpointError(
            "{path} does not fit the {model} it says it holds: {reason}", path=path, model=meta.model, reason=reason
        )
    sent = {name: tensors[name].astype(np.float16 if half else np.float32) for name in expected}
    sent |= _calibration(tensors, len(meta.classes))
    description = meta.model_dump(
        mode="json", include={"model", "options", "classes", "preprocess", "run", "kind", "epoch", "metrics"}
    )
    has_epochs = len(epochs_of(path.parent)) > 1
    return save(
        sent,
        {
            "page": json.dumps(
                description | {"name": path.parent.name, "sure": CONFIDENT_FROM, "epochs_kept": has_epochs}
            )
        },
    )


def _shapes(meta: Meta) -> dict[str, tuple[int, ...]]:
    """LeNet's, as models/lenet.py has them."""
    units = {"fc1": (120, 400), "fc2": (FEATURES, 120), "fc3": (len(meta.classes), FEATURES)}
    maps = {"conv1": (6, meta.preprocess.channels, 5, 5), "conv2": (16, 6, 5, 5)}
    weights = {**maps, **units}
    return {f"{name}.{kind}": s if kind == "weight" else s[:1] for name, s in weights.items() for kind in TENSOR_NAMES}


def _calibration(tensors: Mapping[str, np.ndarray], classes: int) -> dict[str, np.ndarray]:
    """What inference/calibration.py keeps, without neighbours; nothing where it is not there or does not fit."""
    shapes = {name.removeprefix(EXTRA): tensor.shape for name, tensor in tensors.items() if name.startswith(EXTRA)}
    width, points, hidden = (
        shapes.get(name, (0,))[0] if shapes.get(name) else 0 for name in ("whitening", "labels", "detector_bias_1")
    )
    expected = {
        "temperature": (1,),
        "threshold": (1,),
        "means": (classes, width),
        "whitening": (width, FEATURES),
        "shift": (width,),
        "axes": (2, FEATURES),
        "origin": (2,),
        "points": (points, 2),
        "labels": (points,),
    }
    if "detector_bias_1" in shapes:
        expected |= {
            "detector_weight_1": (hidden, TRAIL + classes),
            "detector_bias_1": (hidden,),
            "detector_weight_2": (1, hidden),
            "detector_bias_2": (1,),
        }
    if any(shapes.get(name) != shape for name, shape in expected.items()):
        return {}
    return {EXTRA + name: tensors[EXTRA + name] for name in expected}


def epochs_bytes(path: Path) -> bytes | None:
    """Every epoch that was kept beside the checkpoint at `path`, its tensors named "3/conv1.weight", half precision."""
    from safetensors.torch import save

    shapes = {name: tuple(t.shape) for name, t in network(path).model.state_dict().items()}
    tensors, epoch_numbers = {}, []
    for epoch in epochs_of(path.parent):
        try:
            tensors_of_epoch = read_epoch(path.parent, epoch, shapes)
        except CheckpointError:  # of another run in this folder, or just going
            continue
        epoch_numbers.append(epoch)
        tensors |= {f"{epoch}/{name}": tensor for name, tensor in tensors_of_epoch.items()}
    return save(tensors, {"page": json.dumps({"epochs": epoch_numbers})}) if epoch_numbers else None


def units_bytes(path: Path, workspace: Workspace) -> bytes:
    """What the units of the checkpoint at `path` do on images of its own data set; see inference/explain.py.
    Raises ImgclsError where the data are not here."""
    import torch
    from safetensors.torch import save

    from imgcls.data.evaluation_sets import load_for_evaluation
    from imgcls.inference.explain import IMAGES, units_of
    from imgcls.runs.evaluations import settings_of

    predictor, trained = network(path), settings_of(path)
    meta = predictor.meta
    split, _ = load_for_evaluation(
        trained.dataset, workspace, trained=trained, preprocess=meta.preprocess, classes=meta.classes
    )
    places = torch.arange(len(split))[:: max(1, len(split) // IMAGES)][:IMAGES]
    stored, _, _ = next(split.read([places], leave_out_broken=True))
    return save(units_of(predictor, stored), {"page": "{}"})


def units_if_there(path: Path, workspace: Workspace) -> bytes | None:
    """None where its data set is not here."""
    try:
        return units_bytes(path, workspace)
    except ImgclsError:
        return None


class PageWeights:
    """`name` of a chosen checkpoint, `content` of a name. A name is asked for while the first page is built, which does
    not wait for torch: it is made of the file and of the scripts that read it, and the content when it is asked for.

    A name stands for one content: a run that saves anew makes another name, and the old one is answered no more.
    """

    def __init__(self, cache: RunCache) -> None:
        self.cache = cache
        self._lock = threading.Lock()
        self._names: OrderedDict[FileState, str] = OrderedDict()
        self._contents: OrderedDict[str, bytes] = OrderedDict()

    def name(self, chosen: str | None) -> str | None:
        """What to ask for; None where the page cannot compute this network. Raises CheckpointError."""
        path = self.cache.checkpoint(chosen)
        if not for_page(read_meta(path)):
            return None
        state = (path, *stamp_of(path))
        with self._lock:
            if state in self._names:
                self._names.move_to_end(state)
                return self._names[state]
        made_by = f"{__version__} {scripts.digest()} {path.parent.name} "
        try:
            name = hashlib.sha256(made_by.encode() + path.read_bytes()).hexdigest()[:32]
        except OSError as error:
            raise CheckpointError("{path} cannot be read ({reason}).", path=path, reason=error.strerror) from None
        if (path, *stamp_of(path)) == state:  # otherwise it was written anew meanwhile: whose name it is nobody knows
            with self._lock:
                self._names[state] = name
                while len(self._names) > NAMES_KEPT:
                    self._names.popitem(last=False)
        return name

    def content(self, name: str) -> bytes | None:
        """None where no checkpoint has that name (any more), or its file is broken."""
        with self._lock:
            if name in self._contents:
                self._contents.move_to_end(name)
                return self._contents[name]
        try:
            content = self.made_of(name, page_bytes)
        except CheckpointError:
            return None
        if content is not None:
            with self._lock:
                self._contents[name] = content
                while len(self._contents) > CACHE_ENTRIES:
                    self._contents.popitem(last=False)
        return content

    def units(self, name: str) -> bytes | None:
        """None where there is no such checkpoint, or its data set is not here."""
        return self.made_of(name, lambda path: units_if_there(path, self.cache.workspace))

    def found(self, name: str) -> tuple[Path | None, tuple[int, ...]]:
        """The checkpoint's file, and the epochs that are kept beside it: a run that goes on adds some."""
        path = self.path(name)
        return path, tuple(epochs_of(path.parent)) if path else ()

    def epochs(self, name: str) -> bytes | None:
        """None where there is no such checkpoint, or no epochs beside it."""
        return self.made_of(name, epochs_bytes)

    def made_of(self, name: str, make: Callable[[Path], T | None]) -> T | None:
        """What `make` makes of the file of that name; None where there is none, or another one by the end."""
        path = self.path(name)
        if path is None:
            return None
        made = make(path)
        return made if self._is_called(path, name) else None

    def path(self, name: str) -> Path | None:
        """The checkpoint's file."""
        if path := self._known(name):
            return path
        for info in self.cache.checkpoints():  # a page older than this server asks
            with contextlib.suppress(CheckpointError):
                if self.name(key(info)) == name:
                    return info.path
        return None

    def _known(self, name: str) -> Path | None:
        with self._lock:
            paths = [path for (path, *_), known in self._names.items() if known == name]
        return next((path for path in paths if self._is_called(path, name)), None)

    def _is_called(self, path: Path, name: str) -> bool:
        """Whether the file is still the one that was given the name."""
        state = (path, *stamp_of(path))
        with self._lock:
            return self._names.get(state) == name
