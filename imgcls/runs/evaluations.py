"""A checkpoint by its path, a data set by its name -> an evaluation, kept beside the run that made the checkpoint.

What the terminal and the page both do. Kept results are found by the checkpoint's content and the state of the data's
files, so that neither is read again; where one of them changed, the evaluation is made anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcls.checkpoints.format import Meta, read_meta
from imgcls.checkpoints.store import is_shipped
from imgcls.data.manifest import LeftOut, digest_in, manifest_file
from imgcls.data.registry import DATASETS
from imgcls.errors import CheckpointError, DatasetError
from imgcls.inference.significance import Comparison, compare_pairs
from imgcls.messages import Message
from imgcls.progress import Progress
from imgcls.settings import TrainSettings
from imgcls.training import provenance
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.data.evaluation_sets import EvaluationSet, Sample
    from imgcls.data.splitting import Split
    from imgcls.inference.evaluation import Evaluation

from imgcls.runs import background_jobs


@dataclass(frozen=True)
class Request:
    """`dataset`, `part`, `tta`: as in `evaluate_checkpoint`."""

    checkpoint: Path
    dataset: str = ""
    part: str = ""
    tta: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"checkpoint": str(self.checkpoint), **self.of}

    @property
    def of(self) -> dict[str, Any]:
        """What an evaluation is known by, but for its checkpoint."""
        return {"dataset": self.dataset, "part": self.part, "tta": self.tta}


def start(request: Request, workspace: Workspace, terms: background_jobs.Terms = background_jobs.FREE) -> None:
    """Have it evaluated, unless it is kept already or somebody is at it. Raises ImgclsError where it cannot be."""
    if status(request, workspace).state not in ("finished", "running"):
        background_jobs.start(_folder(request, workspace), request.as_dict(), "work-evaluate", workspace, terms)


def prepare(request: Request, workspace: Workspace) -> Path:
    """The folder of a job that `run` can take up."""
    return background_jobs.prepare(_folder(request, workspace), request.as_dict())


def status(request: Request, workspace: Workspace) -> background_jobs.JobStatus:
    """How far it is; "none" where nobody has asked for it yet."""
    return background_jobs.status(
        _folder(request, workspace),
        lambda: is_kept(request.checkpoint, workspace, **request.of),
    )


def first_unfinished(
    requests: Sequence[Request],
    workspace: Workspace,
    *,
    begin: str = "",
    terms: background_jobs.Terms = background_jobs.FREE,
) -> tuple[Request, background_jobs.JobStatus] | None:
    """The first that is not there yet, and how far it is; None where all are. begin: "again" begins what has stopped or
    failed, too; "on" only what nobody has asked for. Raises ImgclsError where it cannot be begun."""
    for request in requests:
        job = status(request, workspace)
        if (begin == "again" and job.state in ("stopped", "failed")) or (begin and job.state == "none"):
            start(request, workspace, terms)
            job = background_jobs.JobStatus("running")
        if job.state != "finished":
            return request, job
    return None


def stop(request: Request, workspace: Workspace) -> None:
    background_jobs.stop(_folder(request, workspace))


def run(folder: Path, workspace: Workspace) -> int:
    """In its own process: evaluate what job.json asks. The exit code."""

    def make(request: dict[str, Any], progress: Callable[[int, int], None]) -> None:
        asked = Request(**{**request, "checkpoint": Path(request["checkpoint"])})
        evaluate_checkpoint(asked.checkpoint, workspace, **asked.of, progress=progress)

    return background_jobs.run(folder, make)


def _folder(request: Request, workspace: Workspace) -> Path:
    key = evaluation_key(request.checkpoint, workspace, **request.of)
    return background_jobs.jobs_folder("evaluations", workspace) / key


def evaluate_checkpoint(
    path: Path,
    workspace: Workspace,
    *,
    dataset: str = "",
    part: str = "",
    tta: bool = False,
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """The kept one, or a new one. `dataset`: by default the one it was trained on; `part`: as in `load_for_evaluation`;
    `tta`: with mirror images.

    progress: called with (images done, in all); what it raises ends it, and nothing is left. Raises ImgclsError.
    """
    if tta:
        check_mirrors(path, dataset)
    cached = find_evaluation(path, workspace, dataset=dataset, part=part, tta=tta)
    if cached is not None:
        return cached
    import torch

    from imgcls.inference.evaluation import Evaluation, run_evaluation, save_evaluation
    from imgcls.inference.metrics import BATCH
    from imgcls.inference.predictor import Predictor

    trained, meta = settings_of(path), read_meta(path)
    dataset = measured_on(path, dataset)
    evaluated = _key(path, trained, dataset, part, workspace, tta=tta)
    predictor = Predictor.load(path)
    images = images_for(path, workspace, dataset=dataset, part=part)
    split = images.split
    began = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    predictor.model.to(device)
    with predictor.threads(len(split)):
        batches = _batches(split, meta, device, BATCH)
        outputs, indices = run_evaluation(predictor, batches, split.labels, tta=tta, progress=progress)
    left_out = [*images.left_out, *_unread(split, indices.tolist())]
    evaluation = Evaluation(
        checkpoint=str(path),
        model=meta.model,
        dataset=dataset,
        part=images.part,
        classes=meta.classes,
        calibrated=predictor.calibration is not None,
        outputs=outputs,
        indices=indices,
        ids=images.ids,
        left_out=tuple((image.path, image.reason) for image in left_out),
        paths=split.paths,
        seconds=time.perf_counter() - began,
        divided_anew=images.divided_anew,
        tta=tta,
    )
    # A run may have saved a better network over this one while it was measured: then these figures are nobody's.
    if evaluated == evaluation_key(path, workspace, dataset=dataset, part=part, tta=tta):
        save_evaluation(kept_in(path, workspace), evaluated, evaluation)
    return evaluation


def mirrors(path: Path, dataset: str = "") -> bool:
    """Whether an image in a mirror is of the same class, both where the network learnt and where it is measured."""
    return _not_mirrored(path, dataset) is None


def check_mirrors(path: Path, dataset: str = "") -> None:
    """Raises DatasetError where it is not."""
    name = _not_mirrored(path, dataset)
    if name is not None:
        raise DatasetError(
            "Test-time augmentation mirrors images, and a mirrored image of {name} is not one of its class any more: "
            "leave it out.",
            name=name,
        )


def _not_mirrored(path: Path, dataset: str) -> str | None:
    own = settings_of(path).dataset
    return next((name for name in (dataset or own, own) if name in DATASETS and not DATASETS[name].mirrors), None)


def images_for(
    path: Path, workspace: Workspace, *, dataset: str, part: str = "", sample: Sample | None = None
) -> EvaluationSet:
    """What the checkpoint is measured on; `sample`: as in `evaluation_set`. Raises DatasetError."""
    from imgcls.data.evaluation_sets import TrainedOn, evaluation_set

    meta = read_meta(path)
    trained = TrainedOn(settings_of(path), provenance.manifest_of(path, workspace), meta.fingerprint)
    return evaluation_set(
        dataset,
        workspace,
        trained=trained,
        preprocess=meta.preprocess,
        classes=meta.classes,
        part=part,
        sample=sample,
    )


def _unread(split: Split, measured: list[int]) -> list[LeftOut]:
    """Photos that were to be read while measuring and could not be."""
    from imgcls.data.photos import StreamingPhotos

    if not isinstance(split.images, StreamingPhotos) or len(measured) == len(split):
        return []
    missing = sorted(set(range(len(split))) - set(measured))
    unread = Message("it could not be read")
    return [LeftOut(split.images.paths[i], split.images.why_broken(i) or unread) for i in missing]


def find_evaluation(
    path: Path, workspace: Workspace, *, dataset: str = "", part: str = "", tta: bool = False
) -> Evaluation | None:
    """The kept evaluation of this checkpoint on the data as they are now."""
    from imgcls.inference.evaluation import load_evaluation

    key = evaluation_key(path, workspace, dataset=dataset, part=part, tta=tta)
    return load_evaluation(kept_in(path, workspace), key)


def is_kept(path: Path, workspace: Workspace, *, dataset: str = "", part: str = "", tta: bool = False) -> bool:
    """Whether there is a file for it; a damaged one is found out when it is read."""
    key = evaluation_key(path, workspace, dataset=dataset, part=part, tta=tta)
    return (kept_in(path, workspace) / f"{key}.safetensors").is_file()


def evaluation_key(path: Path, workspace: Workspace, *, dataset: str = "", part: str = "", tta: bool = False) -> str:
    """Changes with the checkpoint, and with what images there are."""
    return _key(path, settings_of(path), measured_on(path, dataset), part, workspace, tta=tta)


def measured_on(path: Path, dataset: str) -> str:
    """The data set that is named, or the one that the checkpoint was trained on. Raises DatasetError where nobody knows
    which that was."""
    name = dataset or settings_of(path).dataset
    if not name:
        raise DatasetError(
            "{name} came from elsewhere and does not say what it has learnt from: name a data set to measure it on.",
            name=path.parent.name,
        )
    return name


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


@dataclass(frozen=True)
class Compared:
    """Each pair of evaluations that can be compared, and a sentence for each that cannot."""

    comparisons: tuple[Comparison, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True)
class Refusal:
    first: str
    second: str
    reason: Message


Measured = dict[tuple[str, int], bool]  # (image, its label) -> whether it was recognised


def compare_evaluations(evaluations: Mapping[str, Evaluation], workspace: Workspace) -> Compared:
    """Every pair of `evaluations` (by name) on the images that both were measured on and neither has learnt."""
    measured = {name: _measured(evaluation, workspace) for name, evaluation in evaluations.items()}
    pairs, refusals = [], []
    for a, b in combinations(evaluations, 2):
        first, second = measured[a], measured[b]
        shared = [key for key in first or () if second is not None and key in second]
        if evaluations[a].classes != evaluations[b].classes:
            reason = Message("{first} and {second} know different classes.", first=a, second=b)
            refusals.append(Refusal(a, b, reason))
        elif first is None or second is None or not shared:
            refusals.append(Refusal(a, b, _why_not(a, b, first, second)))
        else:
            pairs.append((a, b, [first[key] for key in shared], [second[key] for key in shared]))
    return Compared(tuple(compare_pairs(pairs)), tuple(refusals))


def _why_not(a: str, b: str, first: Measured | None, second: Measured | None) -> Message:
    if first is None or second is None:
        return Message(
            "{first} and {second} cannot be compared: which images {unknown} has learnt from is not known any "
            "more. Evaluate both on images that are new to both (`evaluate --dataset FRESH`).",
            first=a,
            second=b,
            unknown=a if first is None else b,
        )
    return Message(
        "{first} and {second} cannot be compared: there is no image that both were measured on and neither has "
        "learnt from. Evaluate both on images that are new to both (`evaluate --dataset FRESH`).",
        first=a,
        second=b,
    )


def _measured(evaluation: Evaluation, workspace: Workspace) -> Measured | None:
    """Of the images that the network has not learnt from; None where it is not known which those are."""
    path = Path(evaluation.checkpoint)
    # Nothing is trained on a test part, nor on a set that is another one than the network's own.
    if evaluation.part != "test" and provenance.may_have_learnt(evaluation.dataset, path, workspace):
        return None
    manifest = provenance.manifest_of(path, workspace)
    learnt = manifest.learnt if manifest else frozenset[str]()
    rows = zip(
        evaluation.indices.tolist(), evaluation.outputs.labels.tolist(), evaluation.outputs.right.tolist(), strict=True
    )
    return {(evaluation.ids[i], label): right for i, label, right in rows if evaluation.ids[i] not in learnt}


def kept_in(path: Path, workspace: Workspace) -> Path:
    """Beside a run's own checkpoint; for what ships and for foreign files in the data's cache."""
    if path.resolve().is_relative_to(workspace.checkpoints.resolve()) and not is_shipped(path):
        return path.parent / "evaluations"
    return workspace.data / ".imgcls-cache" / "evaluations"


def settings_of(path: Path) -> TrainSettings:
    """The settings that the checkpoint was made with, for the same split of the same seed."""
    return provenance.settings_of(read_meta(path))


def _batches(split: Split, meta: Meta, device: Any, size: int) -> Iterator[tuple[Any, Any]]:
    """(inputs, indices): the split's own batches with each image's place instead of its label."""
    import torch

    from imgcls.data.loader import evaluation_batches

    numbered = replace(split, labels=torch.arange(len(split)))
    return evaluation_batches(numbered, meta.preprocess, batch_size=size, device=device)


def _key(path: Path, trained: TrainSettings, dataset: str, part: str, workspace: Workspace, *, tta: bool) -> str:
    from imgcls.inference.evaluation import key_of

    listed = digest_in(manifest_file(path.parent.name, workspace))
    mirrored = ["tta"] if tta else []
    return key_of(path, [trained.dataset, dataset, part, listed, *mirrored, *_files(dataset, workspace)])


def _files(dataset: str, workspace: Workspace) -> Iterator[tuple[str, int | str, int]]:
    """What changes with the images of a data set; nothing is read."""
    from imgcls.data.catalog import folder_of
    from imgcls.data.image_folders import folder_state
    from imgcls.data.registry import is_builtin, parts_of

    if is_builtin(dataset):  # the others never change
        yield from ((spec.name, spec.version, 0) for spec in parts_of(dataset) if spec.version)
        return
    yield from folder_state(folder_of(dataset, workspace))
