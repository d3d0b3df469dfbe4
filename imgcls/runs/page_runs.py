"""What a browser has trained, kept as a checkpoint like any other: checked on arrival, measured and calibrated later.

A page sends weights and settings; classes and preprocessing are the lab's own. One process in the background measures
and calibrates all that wait for it, one after another: a class that presses *Keep* at once costs one process.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcls.checkpoints.format import Meta, load_checkpoint, read_extra, read_meta, save_checkpoint, versions
from imgcls.data.manifest import Manifest, page_manifest_file
from imgcls.errors import CheckpointError, ImgclsError
from imgcls.files import storage_error
from imgcls.models.registry import REGISTRY, network_options
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs import background_jobs
from imgcls.runs.evaluations import settings_of
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from imgcls.data.datasets import DataSet

BYTES = 4_000_000  # of a file that a page sends: LeNet with 1,000 classes has 1.2 MB
LARGEST_WEIGHT = 1e4
SETTINGS = (
    "epochs batch_size optimizer lr schedule augment init momentum nesterov weight_decay label_smoothing warmup_epochs "
    "step_epochs step_factor activation pool"
).split()
BROWSER = "browser"  # a checkpoint's `data` says so, until it is measured and calibrated


@dataclass(frozen=True)
class PageRun:
    """`model`: "lenet" or "lenet-16-32"; `images`: how many it learnt from, 0: all; `given`: settings; `start_from`:
    the checkpoint that the page learnt on from.

    The page's seed draws weights and order. It is not the run's: which images are held out for validation was decided
    for every page alike, by the recipe's seed (engine/dataset_file.py).
    """

    dataset: str
    model: str
    images: int
    given: Mapping[str, Any]
    name: str = ""
    start_from: str = ""

    def settings(self) -> TrainSettings:
        """Raises SettingsError."""
        given = {name: self.given[name] for name in SETTINGS if name in self.given}
        settings = {"dataset": self.dataset, "model": self.model, "transfer": "scratch", "train_images": self.images}
        return with_recipe(settings | given | {"start_from": self.start_from})


def keep(
    content: bytes, run: PageRun, classes: tuple[str, ...], workspace: Workspace, manifest: Manifest | None = None
) -> Path:
    """The new checkpoint, not yet calibrated. manifest: the images that the page learnt from and held out, None where
    that is not known. Raises ImgclsError with nothing written."""
    from imgcls.checkpoints.import_weights import free_folder

    settings = run.settings()
    form = preprocess_for(settings)
    state = _checked(content, settings.model, form.channels, len(classes), form.size)
    folder = free_folder(run.name or f"{settings.model}-browser", workspace, exact=bool(run.name))
    meta = Meta(
        model=settings.model,
        options=network_options(settings),
        classes=classes,
        preprocess=form,
        run=folder.name,
        epoch=settings.epochs,
        settings=settings.model_dump(),
        manifest=manifest.digest if manifest else "",
        data={"trained_in": BROWSER, "page_seed": str(run.given.get("seed", settings.seed))[:20]},
        versions=versions(),
    )
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise storage_error(folder, error) from None
    try:
        if manifest:
            manifest.write(page_manifest_file(folder.name, workspace))
        save_checkpoint(folder / "best.safetensors", state, meta)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder / "best.safetensors"


def _checked(content: bytes, model: str, channels: int, classes: int, size: int) -> dict[str, Tensor]:
    """The tensors, each of the network's own name and shape, its numbers finite and of a sensible size."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from imgcls.models.meta_model import meta_model

    if not model.startswith("lenet") or model not in REGISTRY:
        raise CheckpointError("A page trains LeNet, not {model}.", model=model[:60])
    if len(content) > BYTES:
        raise CheckpointError("That is no network of a page: it is larger than {most:,} bytes.", most=BYTES)
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, json.JSONDecodeError):
        raise CheckpointError("What the page sent is no file of weights: train again, then keep it.") from None
    own = meta_model(model, channels=channels, classes=classes, image_size=size).state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        sent, here = tensors.get(name), own.get(name)
        if sent is None or here is None or sent.shape != here.shape or sent.dtype != torch.float32:
            raise CheckpointError("What the page sent does not fit {model} at '{name}'.", model=model, name=name[:60])
        if not bool((sent.abs() <= LARGEST_WEIGHT).all()):  # false for what is no number
            raise CheckpointError("The training diverged: such weights cannot be kept. Choose a smaller learning rate.")
    return tensors


def calibrate_later(workspace: Workspace) -> None:
    """Have all that wait for it measured and calibrated, by one process. Raises ImgclsError."""
    folder = background_jobs.jobs_folder("page-runs", workspace) / "all"
    background_jobs.start(folder, {}, "work-calibrate", workspace)


def waiting(workspace: Workspace) -> list[Path]:
    """Checkpoints from a browser that nobody has measured yet, the oldest first."""
    checkpoints = []
    for path in workspace.checkpoints.glob("*/best.safetensors"):
        try:
            meta = read_meta(path)
        except ImgclsError:
            continue
        if meta.data.get("trained_in") == BROWSER and not meta.data.get("measured"):
            checkpoints.append((meta.created, path))
    return [path for _, path in sorted(checkpoints)]


def run(folder: Path, workspace: Workspace) -> int:
    """In its own process: measure and calibrate until nothing waits. The exit code."""

    failed: set[Path] = set()

    def make(_: dict[str, Any], progress: Callable[[int, int], None]) -> None:
        done = 0
        while paths := [path for path in waiting(workspace) if path not in failed]:
            progress(done, done + len(paths))
            try:
                measure(paths[0], workspace)
            except ImgclsError:  # a file that is damaged, or gone meanwhile, keeps nobody waiting
                failed.add(paths[0])
            done += 1

    return background_jobs.run(folder, make, more=lambda: not failed.issuperset(waiting(workspace)))


def measure(path: Path, workspace: Workspace) -> None:
    """Its accuracy on the images held out, and its calibration; where the data are gone, or nobody knows which of them
    it has learnt from, it stays as it was sent."""
    from imgcls.data.datasets import load_dataset
    from imgcls.inference.metrics import evaluate
    from imgcls.training.calibrate import calibrate
    from imgcls.training.provenance import manifest_of

    model, meta = load_checkpoint(path)
    metrics, extra = dict(meta.metrics), read_extra(path)
    try:
        manifest = manifest_of(path, workspace)
        data = load_dataset(settings_of(path), workspace, meta.preprocess, manifest=manifest)
        if manifest is not None and data.classes == meta.classes:
            result = evaluate(model, _batches(data))
            metrics = {"val_accuracy": result.accuracy, "val_loss": result.loss}
            extra = calibrate(model, data)
    except ImgclsError:
        pass
    measured = meta.model_copy(update={"metrics": metrics, "data": {**meta.data, "measured": True}})
    save_checkpoint(path, model.state_dict(), measured, extra)


def _batches(data: DataSet) -> Iterator[tuple[Tensor, Tensor]]:
    import torch

    from imgcls.data.loader import evaluation_batches
    from imgcls.inference.metrics import BATCH

    return evaluation_batches(data.val, data.preprocess, batch_size=BATCH, device=torch.device("cpu"))
