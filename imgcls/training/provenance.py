"""Which images a checkpoint has learnt from and was validated on: its run's manifest, or one made anew of an older run.

A manifest is made again only where that is true: the settings are known, and the data are what they were by the
fingerprint that the checkpoint carries. Where it is not, nobody knows, and whoever asks has to say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from imgcls.checkpoints.format import Meta, read_meta
from imgcls.checkpoints.store import find_checkpoint, is_shipped, list_checkpoints
from imgcls.data.manifest import FROM_ELSEWHERE, Lineage, Manifest, manifest_file
from imgcls.errors import CheckpointError, ImgclsError, WeightsError
from imgcls.models.weight_header import EXTRA
from imgcls.settings import ROWS, TrainSettings, is_known_row
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

KEPT_MANIFESTS = 32  # in memory; the longest, of a million photos, takes 0.3 GB


def manifest_of(checkpoint: Path, workspace: Workspace) -> Manifest | None:
    """None where it is not known which images the checkpoint has seen. Raises CheckpointError where it is none."""
    return _of_meta(read_meta(checkpoint), checkpoint.parent.name, workspace)


def lineage_of(
    settings: TrainSettings, workspace: Workspace, *, after: frozenset[Path] = frozenset()
) -> Lineage | None:
    """What the network has seen that a run with these settings starts from: another run's checkpoint, or weights that
    were exported from one here. None where it starts from nothing of the kind. Raises CheckpointError where a run may
    not start from it, because nobody could tell what to validate it on. after: checkpoints that come of it."""
    if settings.start_from:
        run, _, kind = settings.start_from.partition("/")
        path = find_checkpoint(f"{run}/{kind or 'best'}", workspace).path
        name, meta = settings.start_from, read_meta(path)
        # A name may have been given again since: a checkpoint is not its own ancestor.
        manifest = None if path in after else _of_meta(meta, path.parent.name, workspace, after | {path})
    elif settings.transfer != "scratch" and settings.weights not in ("", "imagenet"):
        found = _source_of(settings, workspace)
        if found is None:
            return None
        name, (meta, run) = settings.weights, found
        manifest = _of_meta(meta, run, workspace, after)
    else:
        return None
    if manifest is not None:
        lineage = Lineage.of(name, manifest)
    else:
        lineage = Lineage(name, unknown=frozenset({settings_of(meta).dataset if meta.fingerprint else FROM_ELSEWHERE}))
    if any(_same_data(settings.dataset, one, workspace) for one in lineage.unknown):
        raise CheckpointError(
            "Which images {checkpoint} has learnt from is not known any more, so that a run which starts from it could "
            "be validated on them: train {checkpoint} anew first, or learn from new photos in another folder.",
            checkpoint=name,
        )
    return lineage


def may_have_learnt(dataset: str, checkpoint: Path, workspace: Workspace) -> bool:
    """Whether the checkpoint, or a network that it comes of, has learnt some images of `dataset` and nobody knows
    which. Raises CheckpointError where it is none."""
    manifest = manifest_of(checkpoint, workspace)
    if manifest is not None and not manifest.earlier_unknown:
        return False
    earlier = manifest.earlier_unknown if manifest is not None else ()
    trained = settings_of(read_meta(checkpoint))
    return any(_same_data(dataset, one, workspace) for one in (trained.dataset, *earlier))


def _of_meta(meta: Meta, run: str, workspace: Workspace, after: frozenset[Path] = frozenset()) -> Manifest | None:
    file = manifest_file(run, workspace)
    if meta.manifest:
        try:
            stat = file.stat()
            kept = _read(file, stat.st_mtime_ns, stat.st_size)
        except OSError:
            kept = None
        if kept is not None and kept.digest == meta.manifest:
            return kept
    try:
        return _made_again(meta, workspace, after)
    except ImgclsError:  # its data or its ancestor are not here any more
        return None


def settings_of(meta: Meta) -> TrainSettings:
    """The settings that a checkpoint was made with; `dataset` is "" where it came from elsewhere and nobody said what
    it has learnt from. Raises CheckpointError."""
    known = {name: value for name, value in meta.settings.items() if name in TrainSettings.model_fields}
    for name in ROWS:  # a plugin's that is not loaded here: which images the network learnt from does not depend on it
        if name in known and not is_known_row(name, str(known[name])):
            del known[name]
    unknown = known.get("dataset") == FROM_ELSEWHERE
    if unknown:
        del known["dataset"]
    try:
        settings = TrainSettings(**known)
        return settings.model_copy(update={"dataset": FROM_ELSEWHERE}) if unknown else settings
    except ValueError:
        raise CheckpointError("The checkpoint's settings cannot be read by this version of the lab.") from None


def _source_of(settings: TrainSettings, workspace: Workspace) -> tuple[Meta, str] | None:
    """(what the checkpoint says of itself, its run) that a file of weights was exported from, where that is here: told
    by what the file says, or by its numbers. A head that learnt alone has left the rest as it was."""
    from imgcls.models.pretrained import resolve_weights
    from imgcls.models.weight_files import read_state

    try:
        path = resolve_weights(settings.weights, model=settings.model, folder=workspace.weight, download=False)
        with suppress(CheckpointError):
            meta = read_meta(path)
            return meta, meta.run
        weights = read_state(path)
    except WeightsError:  # it is told when the weights are read
        return None
    for info in list_checkpoints(workspace):
        if info.model != settings.model or is_shipped(info.path):
            continue
        meta = read_meta(info.path)
        if meta.settings.get("transfer") != "head" and _same_backbone(weights, info.path):
            return meta, info.run
    return None


def _same_backbone(weights: Mapping[str, Tensor], checkpoint: Path) -> bool:
    """Whether all tensors are equal that a new head leaves in place; the first that differs ends it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(checkpoint, "pt") as file:
            there = {name for name in file.keys() if not name.startswith(EXTRA)}  # noqa: SIM118
            shared = [name for name in weights if name in there and weights[name].is_floating_point()]
            return len(there) == len(weights) and all(
                weights[name].equal(file.get_tensor(name).to(weights[name].dtype)) for name in shared
            )
    except (SafetensorError, OSError):
        return False


def _same_data(one: str, other: str, workspace: Workspace) -> bool:
    from imgcls.data.evaluation_sets import same_data

    return other != FROM_ELSEWHERE and same_data(one, other, workspace)


@lru_cache(maxsize=KEPT_MANIFESTS)
def _read(file: Path, modified: int, size: int) -> Manifest | None:
    return Manifest.read(file)


def _made_again(meta: Meta, workspace: Workspace, after: frozenset[Path]) -> Manifest | None:
    from imgcls.data.datasets import CORRECTED, list_images

    settings = settings_of(meta)
    if not meta.fingerprint:
        return None
    known = meta.fingerprint.split(CORRECTED)[0]
    fingerprint, made = list_images(settings, workspace, meta.preprocess)
    # An earlier version wrote what it knew of corrections behind, without a mark.
    known = known[: len(fingerprint)] if settings.corrections else known
    if fingerprint != known:
        return None
    lineage = lineage_of(settings, workspace, after=after)
    return made if lineage is None else made.after(lineage)
