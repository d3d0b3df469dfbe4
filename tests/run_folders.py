"""Runs as their folders are left when they have ended, without training any."""

from imgcls.recipes import with_recipe
from imgcls.runs.state import RunState, write_state
from imgcls.runs.store import Run
from imgcls.training import events


def a_run(workspace, name, *, lr=0.1, accuracy=0.9, state="finished", epochs=1, **settings):
    """A run's folder as one leaves it that has ended."""
    run = Run(name, workspace)
    run.logs.mkdir(parents=True)
    said = with_recipe({"epochs": 2, "lr": lr, "name": name, **settings})
    (run.logs / "settings.json").write_text(said.model_dump_json())
    for epoch in range(1, epochs + 1):
        run.append_event(
            events.EpochEnded(
                epoch=epoch, step=10 * epoch, train_loss=0.3, train_accuracy=0.9, val_loss=0.3, val_accuracy=accuracy,
                lr=lr, images_per_second=1000.0, seconds=1.0, best=True,
            )
        )  # fmt: skip
    write_state(run.logs, RunState(state))
    return run
