"""A run in plain values, for JSON: state, settings and best figures; and the curves, where they are asked for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from imgcls.runs import queue
from imgcls.runs.reader import RunView
from imgcls.training import events


def summary(run_view: RunView) -> dict[str, Any]:
    best, ending = run_view.best, run_view.ending
    owner = run_view.written.owner if run_view.written else None
    return {
        "name": run_view.run.name,
        "state": run_view.state,
        "place": queue.position(run_view.run) if run_view.state == "queued" else None,
        "owner": owner.nickname if owner else None,
        "created": run_view.created,
        "seconds": round(run_view.seconds, 1),
        "done": round(run_view.share, 4),
        "epochs": len(run_view.epochs),
        "best_epoch": best.epoch if best else None,
        "val_accuracy": best.val_accuracy if best else None,
        "val_loss": best.val_loss if best else None,
        "classes_without_validation": list(run_view.started.lacking.get("val", ())) if run_view.started else [],
        "test_accuracy": ending.test_accuracy if isinstance(ending, events.Finished) else None,
        "message": None if run_view.failure is None else str(run_view.failure),
        "checkpoint": str(run_view.run.best) if run_view.run.best.is_file() else None,
        "can_resume": run_view.is_idle and run_view.run.can_resume,
        "exact_until": run_view.exact_until,
        "settings": run_view.settings.model_dump() if run_view.settings else None,
    }


def figures(run_view: RunView) -> dict[str, list[dict[str, Any]]]:
    """`progress`: a few points of training loss and accuracy an epoch; `epochs`: what each epoch ended with."""
    return {
        "progress": [asdict(point) for point in run_view.progress],
        "epochs": [asdict(epoch) for epoch in run_view.epochs],
    }
