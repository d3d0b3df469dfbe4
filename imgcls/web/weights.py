"""Checkpoints that the page itself can compute: their weights as bytes, named by their content.

A LeNet's forward pass takes a browser less than a frame. What is sent is a safetensors file of float tensors with the
class names and the preprocessing, and nothing of the settings: those may name folders of this computer.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from pathlib import Path

from imgcls.checkpoints.format import Meta, load_checkpoint, read_meta
from imgcls.errors import CheckpointError
from imgcls.web.cache import RunCache, key

KEPT = 16  # checkpoints, 250 KB each


def for_page(meta: Meta) -> bool:
    """Whether the page has this network's forward pass."""
    return meta.model == "lenet"


def page_bytes(path: Path) -> bytes:
    """The checkpoint at `path` as the page reads it. Raises CheckpointError."""
    from safetensors.torch import save

    model, meta = load_checkpoint(path)
    said = meta.model_dump(mode="json", include={"model", "classes", "preprocess", "run", "kind", "epoch", "metrics"})
    tensors = {name: tensor.float().contiguous() for name, tensor in model.state_dict().items()}
    return save(tensors, {"page": json.dumps(said | {"temperature": 1.0})})


class PageWeights:
    """`name` of a chosen checkpoint, `content` of a name; a file is read once until it changes."""

    def __init__(self, cache: RunCache) -> None:
        self.cache = cache
        self._lock = threading.Lock()
        self._names: dict[tuple[Path, int, int], str] = {}
        self._contents: OrderedDict[str, bytes] = OrderedDict()

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
            self._contents[name] = content
            while len(self._contents) > KEPT:
                self._contents.popitem(last=False)
        return name

    def content(self, name: str) -> bytes | None:
        """None where no checkpoint has that name (any more)."""
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
