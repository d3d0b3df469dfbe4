"""A run in plain values, for JSON: state, settings and best figures; and the curves, where they are asked for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from imgcls.runs import queue
from imgcls.runs.reader import RunView
from imgcls.training import events


def summary(seen: RunView) -> dict[str, Any]:
    best, ending = seen.best, seen.ending
    owner = seen.written.owner if seen.written else None
    return {
        "name": seen.run.name,
        "state": seen.state,
        "place": queue.position(seen.run) if seen.state == "queued" else None,
        "owner": owner.nickname if owner else None,
        "created": seen.created,
        "seconds": round(seen.seconds, 1),
        "done": round(seen.share, 4),
        "epochs": len(seen.epochs),
        "best_epoch": best.epoch if best else None,
        "val_accuracy": best.val_accuracy if best else None,
        "val_loss": best.val_loss if best else None,
        "classes_without_validation": list(seen.started.lacking.get("val", ())) if seen.started else [],
        "test_accuracy": ending.test_accuracy if isinstance(ending, events.Finished) else None,
        "message": None if seen.failure is None else str(seen.failure),
        "checkpoint": str(seen.run.best) if seen.run.best.is_file() else None,
        "can_resume": seen.at_rest and seen.run.can_resume,
        "exact_until": seen.exact_until,
        "settings": seen.settings.model_dump() if seen.settings else None,
    }


def figures(seen: RunView) -> dict[str, list[dict[str, Any]]]:
    """`progress`: a few points of training loss and accuracy an epoch; `epochs`: what each epoch ended with."""
    return {
        "progress": [asdict(point) for point in seen.progress],
        "epochs": [asdict(epoch) for epoch in seen.epochs],
    }
