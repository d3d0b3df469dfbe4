"""A checkpoint by its path, a data set by its name -> an evaluation, kept beside the run that made the checkpoint.

What the terminal and the page both do. Kept results are found by the checkpoint's content and the state of the data's
files, so that neither is read again; where one of them changed, the evaluation is made anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcls.checkpoints.format import Meta, read_meta
from imgcls.checkpoints.store import is_shipped
from imgcls.errors import CheckpointError, DatasetError
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.data.splitting import Split
    from imgcls.inference.evaluation import Evaluation

Progress = Callable[[int, int], None]


def evaluate_checkpoint(
    path: Path,
    workspace: Workspace,
    *,
    dataset: str = "",
    part: str = "",
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """The kept one, or a new one. `dataset`: by default the one it was trained on; `part`: as in `load_for_evaluation`.

    progress: called with (images done, in all); what it raises ends it, and nothing is left. Raises ImgclsError.
    """
    kept = find_evaluation(path, workspace, dataset=dataset, part=part)
    if kept is not None:
        return kept
    import torch

    from imgcls.data.evaluation_sets import divided_anew, load_for_evaluation
    from imgcls.inference.evaluation import Evaluation, run_evaluation, save_evaluation
    from imgcls.inference.metrics import BATCH
    from imgcls.inference.predictor import Predictor

    trained, meta = settings_of(path), read_meta(path)
    dataset = dataset or trained.dataset
    predictor = Predictor.load(path)
    split, part_name = load_for_evaluation(
        dataset, workspace, trained=trained, preprocess=meta.preprocess, classes=meta.classes, part=part
    )
    began = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    predictor.model.to(device)
    with predictor.threads(len(split)):
        batches = _batches(split, meta, device, BATCH)
        outputs, indices = run_evaluation(predictor, batches, split.labels, progress=progress)
    made = Evaluation(
        checkpoint=str(path),
        model=meta.model,
        dataset=dataset,
        part=part_name,
        classes=meta.classes,
        calibrated=predictor.calibration is not None,
        outputs=outputs,
        indices=indices,
        paths=split.paths,
        seconds=time.perf_counter() - began,
        divided_anew=part_name == "val"
        and divided_anew(dataset, workspace, trained=trained, fingerprint=meta.fingerprint),
    )
    save_evaluation(kept_in(path, workspace), _key(path, trained, dataset, part, workspace), made)
    return made


def find_evaluation(path: Path, workspace: Workspace, *, dataset: str = "", part: str = "") -> Evaluation | None:
    """The kept evaluation of this checkpoint on the data as they are now."""
    from imgcls.inference.evaluation import load_evaluation

    return load_evaluation(kept_in(path, workspace), evaluation_key(path, workspace, dataset=dataset, part=part))


def is_kept(path: Path, workspace: Workspace, *, dataset: str = "", part: str = "") -> bool:
    """Whether there is a file for it; a damaged one is found out when it is read."""
    key = evaluation_key(path, workspace, dataset=dataset, part=part)
    return (kept_in(path, workspace) / f"{key}.safetensors").is_file()


def evaluation_key(path: Path, workspace: Workspace, *, dataset: str = "", part: str = "") -> str:
    """Changes with the checkpoint, and with what images there are."""
    trained = settings_of(path)
    return _key(path, trained, dataset or trained.dataset, part, workspace)


def same_classes(paths: list[Path]) -> None:
    """Raises CheckpointError where networks cannot be compared: it names the first two that know different classes."""
    first = paths[0]
    for other in paths[1:]:
        if read_meta(other).classes != read_meta(first).classes:
            raise CheckpointError(
                "{first} and {other} know different classes: take one of the two out to compare the rest.",
                first=first.parent.name,
                other=other.parent.name,
            )


def comparable(made: list[Evaluation]) -> None:
    """Raises DatasetError where evaluations are not of the same images."""
    first = made[0]
    for other in made[1:]:
        same = (other.dataset, other.part, other.classes) == (first.dataset, first.part, first.classes)
        if not same or not other.indices.equal(first.indices) or not other.outputs.labels.equal(first.outputs.labels):
            raise DatasetError(
                "{first} and {second} cannot be compared: they were not evaluated on the same images; choose one data "
                "set for both, and its test part.",
                first=Path(first.checkpoint).parent.name,
                second=Path(other.checkpoint).parent.name,
            )


def kept_in(path: Path, workspace: Workspace) -> Path:
    """Beside a run's own checkpoint; for what ships and for foreign files in the data's cache."""
    if path.resolve().is_relative_to(workspace.checkpoints.resolve()) and not is_shipped(path):
        return path.parent / "evaluations"
    return workspace.data / ".imgcls-cache" / "evaluations"


def settings_of(path: Path) -> TrainSettings:
    """The settings that the checkpoint was made with, for the same split of the same seed."""
    meta = read_meta(path)
    known = {k: v for k, v in meta.settings.items() if k in TrainSettings.model_fields}
    try:
        return TrainSettings(**known)
    except ValueError:
        raise CheckpointError("The checkpoint's settings cannot be read by this version of the lab.") from None


def _batches(split: Split, meta: Meta, device: Any, size: int) -> Iterator[tuple[Any, Any]]:
    """(inputs, indices): the split's own batches with each image's place instead of its label."""
    import torch

    from imgcls.data.loader import evaluation_batches

    numbered = replace(split, labels=torch.arange(len(split)))
    return evaluation_batches(numbered, meta.preprocess, batch_size=size, device=device)


def _key(path: Path, trained: TrainSettings, dataset: str, part: str, workspace: Workspace) -> str:
    from imgcls.inference.evaluation import key_of

    return key_of(path, [trained.dataset, dataset, part, *_files(dataset, workspace)])


def _files(dataset: str, workspace: Workspace) -> Iterator[tuple[str, int | str, int]]:
    """Name, size and time of every file of the data set; nothing is read."""
    from imgcls.data.catalog import folder_of
    from imgcls.data.registry import is_builtin, parts_of

    if is_builtin(dataset):  # the others never change
        yield from ((spec.name, spec.version, 0) for spec in parts_of(dataset) if spec.version)
        return
    root = os.fspath(folder_of(dataset, workspace))
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            try:
                stat = os.stat(os.path.join(folder, name))
            except OSError:
                continue
            yield os.path.relpath(os.path.join(folder, name), root), stat.st_size, stat.st_mtime_ns
