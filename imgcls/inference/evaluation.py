"""A checkpoint on a set of images: what it said of each, kept in a file, so that looking again costs nothing.

The caller brings the images; how they are found is not known here. Kept results are tensors and JSON, bounded, and
belong to one checkpoint and one state of the data: a changed file of either has another key.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.checkpoints.format import read_meta, write_tensors
from imgcls.errors import CheckpointError
from imgcls.inference.metrics import ClassificationReport, Outputs, classification_report
from imgcls.inference.predictor import CONFIDENT_FROM, Predictor
from imgcls.messages import N_, Message
from imgcls.progress import Progress

KEPT_CLASSES = 10  # likeliest ones of each image: what is shown, and enough for top-5
KEPT_FILES = 20  # evaluations a checkpoint; the oldest goes
DIVIDED_ANEW = N_(
    "The photos have changed since this network was trained: it may have learnt from some of those it is measured on "
    "here."
)
VERSION = 2
LISTED = 20  # images that were left out which JSON names; all are counted
KEY = "imgcls-evaluation"


@dataclass(frozen=True)
class Evaluation:
    """`indices`: int64 (N,), which images of the part; `ids`: what tells each image of the part from every other;
    `left_out`: images of the part that could not be measured, and why; `paths`: where they came from, one an image of
    the part, for folders of images; `divided_anew`: the photos have changed since the checkpoint was trained, which may
    have learnt from some of these; `tta`: test-time augmentation, each answer is the mean of the image's and its mirror
    image's."""

    checkpoint: str
    model: str
    dataset: str
    part: str
    classes: tuple[str, ...]
    calibrated: bool
    outputs: Outputs
    indices: Tensor
    ids: tuple[str, ...] = ()
    left_out: tuple[tuple[str, Message], ...] = ()
    paths: tuple[str, ...] | None = None
    seconds: float = 0.0
    divided_anew: bool = False
    tta: bool = False
    created: float = field(default_factory=time.time)

    def report(self) -> ClassificationReport:
        return classification_report(self.outputs, self.classes)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the figures and what they are of."""
        report = self.report()
        left_out = {
            "left_out": len(self.left_out),
            "left_out_images": [{"path": path, "reason": str(why)} for path, why in self.left_out[:LISTED]],
            "classes_without_images": [row.name for row in report.classes if not row.images],
        }
        where = {"checkpoint": self.checkpoint, "dataset": self.dataset, "part": self.part}
        facts = {
            "calibrated": self.calibrated,
            "divided_anew": self.divided_anew,
            "tta": self.tta,
            "seconds": round(self.seconds, 3),
        }
        return {**where, **facts, **left_out, **report.as_dict()}


@torch.inference_mode()
def run_evaluation(
    predictor: Predictor,
    batches: Iterable[tuple[Tensor, Tensor]],
    labels: Tensor,
    *,
    tta: bool = False,
    progress: Progress = lambda done, total: None,
) -> tuple[Outputs, Tensor]:
    """(outputs, indices). batches: (inputs float (B, C, H, W), indices int64 (B,) into `labels`).

    tta: as in Evaluation; familiarity is that of the image itself. progress: called with (images done, in all); what it
    raises ends the evaluation.
    """
    keep = min(KEPT_CLASSES, len(predictor.meta.classes))
    columns: list[tuple[Tensor, ...]] = []
    done = 0
    for inputs, indices in batches:
        shares, plain, familiarity = _answers(predictor, inputs)
        if tta:
            mirrored = _answers(predictor, inputs.flip(-1))
            shares, plain = (shares + mirrored[0]) / 2, torch.logaddexp(plain, mirrored[1]) - math.log(2)
        likeliest, classes = shares.topk(keep, dim=1)
        true = labels[indices.cpu()]
        columns.append((true, classes, likeliest, F.nll_loss(plain, true, reduction="none"), familiarity, indices))
        done += len(indices)
        progress(done, len(labels))
    if not columns:
        raise CheckpointError("There is no image to evaluate on.")
    true, classes, likeliest, losses, familiarity, indices = (
        torch.cat(column) for column in zip(*columns, strict=True)
    )
    return Outputs(true, classes, likeliest, losses, familiarity, familiarity >= CONFIDENT_FROM), indices.cpu()


def _answers(predictor: Predictor, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(probabilities as they are shown, log probabilities of the network's own logits, familiarity)."""
    logits, activations = (t.float().cpu() for t in predictor.run(inputs))
    plain, calibration = logits.log_softmax(dim=1), predictor.calibration
    if calibration is None:
        return logits.softmax(dim=1), plain, torch.ones(len(logits))
    return calibration.probabilities(logits), plain, calibration.familiarity(activations)[0]


def key_of(checkpoint: Path, data: Iterable[Any]) -> str:
    """Changes with the checkpoint's content and with whatever `data` says of the images."""
    try:
        stat = checkpoint.stat()
        content = _content(checkpoint, stat.st_mtime_ns, stat.st_size)
    except OSError:
        read_meta(checkpoint)  # says what is wrong with it
        raise
    digest = blake2b(f"{VERSION} {content}".encode(), digest_size=12)
    for item in data:
        digest.update(repr(item).encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _content(path: Path, modified: int, size: int) -> str:
    digest = blake2b(digest_size=12)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def save_evaluation(folder: Path, key: str, evaluation: Evaluation) -> None:
    """Atomically; the oldest beyond KEPT_FILES are removed."""
    out = evaluation.outputs
    tensors = {
        "labels": out.labels.to(torch.int32),
        "classes": out.classes.to(torch.int32),
        "probabilities": out.probabilities,
        "losses": out.losses,
        "familiarity": out.familiarity,
        "sure": out.sure,
        "indices": evaluation.indices.to(torch.int32),
    }
    names = ("checkpoint", "model", "dataset", "part", "classes", "calibrated", "seconds", "created")
    metadata = {name: getattr(evaluation, name) for name in (*names, "divided_anew", "tta", "paths", "ids")}
    metadata["left_out"] = [(path, why.as_dict()) for path, why in evaluation.left_out]
    text = json.dumps(metadata).encode()
    tensors["json"] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    write_tensors(folder / f"{key}.safetensors", tensors, {KEY: str(VERSION)})
    with contextlib.suppress(OSError):  # another process removes them, too
        files = sorted(folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime)
        for old in files[:-KEPT_FILES]:
            old.unlink(missing_ok=True)


def load_evaluation(folder: Path, key: str) -> Evaluation | None:
    """None where there is none, or where it is cut off or of another version: it is then made again."""
    from safetensors import SafetensorError, safe_open

    path = folder / f"{key}.safetensors"
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get(KEY) != str(VERSION):
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = json.loads(tensors["json"].numpy().tobytes())
        paths = metadata.pop("paths")
        outputs = Outputs(
            labels=tensors["labels"].long(),
            classes=tensors["classes"].long(),
            probabilities=tensors["probabilities"],
            losses=tensors["losses"],
            familiarity=tensors["familiarity"],
            sure=tensors["sure"].bool(),
        )
        metadata["classes"], metadata["ids"] = tuple(metadata["classes"]), tuple(metadata["ids"])
        metadata["left_out"] = tuple((path, Message.from_dict(why)) for path, why in metadata["left_out"])
        return Evaluation(
            **metadata,
            outputs=outputs,
            indices=tensors["indices"].long(),
            paths=None if paths is None else tuple(paths),
        )
    except (SafetensorError, OSError, KeyError, ValueError, TypeError):
        return None
