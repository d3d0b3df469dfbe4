"""`calibrate`: give an older checkpoint its temperature and its sense of what it knows; the weights stay."""

from __future__ import annotations

import argparse
import json

from imgcls.checkpoints.format import load_checkpoint, replace_extra
from imgcls.checkpoints.store import checkpoint_path, is_shipped
from imgcls.errors import CheckpointError, RunError
from imgcls.runs.evaluations import settings_of
from imgcls.runs.store import Run
from imgcls.workspace import PROJECT, Workspace


def run(arguments: argparse.Namespace) -> int:
    from imgcls.training.calibrate import calibrate
    from imgcls.training.loading import load_run_data
    from imgcls.training.provenance import manifest_of

    workspace = Workspace.from_environment()
    path = checkpoint_path(arguments.checkpoint, workspace)
    if is_shipped(path) and workspace.root != PROJECT:
        raise CheckpointError("{path} ships with the lab and stays as it is: copy it first.", path=path)
    run = Run(path.parent.name, workspace)
    state = run.read_state() if path.parent == run.checkpoints else None
    if state is not None and state.is_active:  # it would save over what is written here, or be saved over
        raise RunError("{name} is still running: stop it first.", name=run.name)
    model, meta = load_checkpoint(path)
    settings = settings_of(path)
    manifest = manifest_of(path, workspace)
    if manifest is None and meta.fingerprint:
        raise CheckpointError(
            "Which images {path} has learnt from is not known any more, so that none is left to calibrate it on: train "
            "it anew.",
            path=path,
        )
    data = load_run_data(settings, workspace, manifest=manifest)
    if data.classes != meta.classes:
        raise CheckpointError(
            "{path} knows other classes than {name} has now: it can only be calibrated on the data it was trained on.",
            path=path,
            name=settings.dataset,
        )
    tensors = calibrate(model, data)
    replace_extra(path, tensors)
    record = {
        "checkpoint": str(path),
        "temperature": float(tensors["temperature"].item()),
        "bytes": sum(t.numel() * t.element_size() for t in tensors.values()),
        "images": len(data.val),
    }
    if arguments.json:
        print(json.dumps(record))
    else:
        print(
            f"{path}: temperature {record['temperature']:.3f}, from {record['images']:,} validation images; "
            f"{record['bytes'] / 1000:.0f} KB of calibration in it"
        )
    return 0
