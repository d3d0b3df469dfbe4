"""Which program a head-only run's frozen backbone runs in: chosen once, before its features are made, and kept.

Another program's sums differ in their last bits: a run that goes on takes the one that it began with, or says from
which step it can no longer be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator

from imgcls.data.feature_cache import BATCH
from imgcls.messages import Message
from imgcls.models import runtimes
from imgcls.training import events
from imgcls.training.learner import Learner
from imgcls.training.train_state import TrainState
from imgcls.workspace import Workspace


def choose_runtime(learner: Learner, state: TrainState, workspace: Workspace) -> Iterator[events.Event]:
    """After the threads are chosen. Whatever other program is asked only in single precision, and in one process."""
    context = learner.context
    began = state.runtime or (runtimes.TORCH if state.step else "")  # earlier versions had no other
    if context.device.type == "cpu" and context.dtype is None and context.world == 1:
        learner.model.eval()
        sample, _ = next(learner.images("val", batch_size=BATCH))
        choice = runtimes.fastest(
            learner.model, sample, images=learner.images_to_pass, folder=workspace.cache, began=began
        )
        learner.frozen, state.runtime = choice.run, choice.name
        if choice.message is not None and not began:
            yield events.Note(code="runtime", message=choice.message)
    else:
        state.runtime = runtimes.TORCH
    if began not in ("", state.runtime):
        state.mark_nonreproducible(state.step)
        message = Message(
            "the frozen layers ran on {before} when this run began, and now on {now}: from step {step:,} on it can no "
            "longer be repeated bit for bit",
            before=began,
            now=state.runtime if state.runtime != runtimes.TORCH else "PyTorch",
            step=state.step,
        )
        yield events.Note(code="runtime", message=message)
        yield events.ThreadsChosen(threads=state.threads, rates={}, step=state.step, exact_until=state.exact_until)
