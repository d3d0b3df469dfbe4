"""Checkpoints that the page itself can compute: their weights as bytes, named by their content.

A LeNet's forward pass takes a browser less than a frame. What is sent is a safetensors file of the weights, the
calibration, the class names and the preprocessing, and nothing of the settings: those may name folders of this
computer. What its units do on many images is made when it is first asked for.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from pathlib import Path

from imgcls.checkpoints.format import Meta, read_meta
from imgcls.errors import CheckpointError, ImgclsError
from imgcls.inference.predictor import SURE, Predictor
from imgcls.web.cache import RunCache, key
from imgcls.workspace import Workspace

KEPT = 16  # checkpoints, 300 KB each, and as many answers to what their units do


def for_page(meta: Meta) -> bool:
    """Whether the page has this network's forward pass."""
    return meta.model == "lenet"


def page_bytes(path: Path) -> bytes:
    """The checkpoint at `path` as the page reads it: a safetensors file. Raises CheckpointError."""
    from safetensors.torch import save

    predictor = Predictor.cached(path)
    meta, calibration = predictor.meta, predictor.calibration
    said = meta.model_dump(mode="json", include={"model", "classes", "preprocess", "run", "kind", "epoch", "metrics"})
    tensors = {name: tensor.float().contiguous() for name, tensor in predictor.model.state_dict().items()}
    for name, tensor in (calibration.tensors() if calibration else {}).items():
        if not name.startswith("neighbour"):
            tensors[f"calibration/{name}"] = tensor.contiguous()
    return save(tensors, {"page": json.dumps(said | {"sure": SURE})})


def units_bytes(path: Path, workspace: Workspace) -> bytes:
    """What the units of the checkpoint at `path` do on images of its own data set; see inference/activations.py.
    Raises ImgclsError where the data are not here."""
    from safetensors.torch import save

    from imgcls.data.datasets import load_for_evaluation
    from imgcls.inference.activations import units_of
    from imgcls.runs.evaluations import settings_of

    predictor, trained = Predictor.cached(path), settings_of(path)
    meta = predictor.meta
    split, _ = load_for_evaluation(
        trained.dataset, workspace, trained=trained, preprocess=meta.preprocess, classes=meta.classes
    )
    return save(units_of(predictor, split.images[:]), {"page": "{}"})


class PageWeights:
    """`name` of a chosen checkpoint, `content` of a name; a file is read once until it changes."""

    def __init__(self, cache: RunCache) -> None:
        self.cache = cache
        self._lock = threading.Lock()
        self._names: dict[tuple[Path, int, int], str] = {}
        self._contents: OrderedDict[str, tuple[Path, bytes]] = OrderedDict()
        self._making = threading.Lock()  # one at a time: it reads a data set
        self._units: OrderedDict[str, bytes] = OrderedDict()

    def name(self, chosen: str | None) -> str | None:
        """What to ask for; None where the page cannot compute this network. Raises CheckpointError."""
        path = self.cache.checkpoint(chosen)
        if not for_page(read_meta(path)):
            return None
        stat = path.stat()
        known = (path, stat.st_mtime_ns, stat.st_size)
        with self._lock:
            name = self._names.get(known)
            if name in self._contents:
                return name
        content = page_bytes(path)
        name = hashlib.sha256(content).hexdigest()[:32]
        with self._lock:
            self._names[known] = name
            self._contents[name] = (path, content)
            while len(self._contents) > KEPT:
                self._contents.popitem(last=False)
        return name

    def content(self, name: str) -> bytes | None:
        """None where no checkpoint has that name (any more)."""
        found = self._find(name)
        return found and found[1]

    def units(self, name: str) -> bytes | None:
        """None where there is no such checkpoint, or its data set is not here."""
        found = self._find(name)
        if found is None:
            return None
        with self._making:
            if name not in self._units:
                try:
                    self._units[name] = units_bytes(found[0], self.cache.workspace)
                except ImgclsError:
                    return None
                while len(self._units) > KEPT:
                    self._units.popitem(last=False)
            return self._units[name]

    def _find(self, name: str) -> tuple[Path, bytes] | None:
        with self._lock:
            if name in self._contents:
                self._contents.move_to_end(name)
                return self._contents[name]
        for info in self.cache.checkpoints():  # a page older than this server asks
            try:
                if self.name(key(info)) == name:
                    return self._contents.get(name)
            except (CheckpointError, OSError):
                continue
        return None
