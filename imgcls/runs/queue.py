"""Who is next where a class shares the lab: further starts wait, and each knows its place.

The queue is the `state.json` files of the runs that wait, so it survives any server. Whoever ends a run, or serves the
page, starts the next (`launcher.start_next`). A closed queue takes no more; those in it still get their turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from imgcls.errors import ImgclsError, RunError
from imgcls.files import storage_error
from imgcls.runs.reader import view
from imgcls.runs.state import Owner, RunState, locked, write_state
from imgcls.runs.store import Run, running, states
from imgcls.workspace import Workspace

CLOSED = ".queue-closed"  # a file in train_logs/


def waiting(workspace: Workspace) -> list[tuple[str, RunState]]:
    """The runs that wait, the next one first."""
    queued = [(name, state) for name, state in states(workspace).items() if state.state == "queued"]
    return sorted(queued, key=lambda pair: (pair[1].place, pair[1].created))


def position(run: Run) -> int | None:
    """1 for the next one; None for a run that does not wait."""
    names = [name for name, _ in waiting(run.workspace)]
    return names.index(run.name) + 1 if run.name in names else None


def check_owner(state: RunState | None, by: Owner | None, *, host: bool = False) -> None:
    """Whether `by` may stop or withdraw a run: the one who started it, or the lab's host. Raises RunError.

    A run without an owner was started at the host's terminal or before anybody was asked: the host's alone.
    """
    if host or (state and state.owner and by and state.owner.id == by.id):
        return
    who = state.owner.nickname if state and state.owner else ""
    if who:
        raise RunError("Only {owner}, who started it, or the lab's host can do that.", owner=who)
    raise RunError("Only whoever started it, or the lab's host, can do that.")


def stop(run: Run, by: Owner | None, *, host: bool = False) -> None:
    """Stop or withdraw a run of one's own. Raises RunError."""
    check_owner(run.written(), by, host=host)
    run.stop()


def reorder(workspace: Workspace, names: Sequence[str]) -> None:
    """The host's: those named come first, in this order; the others follow in theirs. Those not waiting are passed
    over."""
    with locked(workspace):
        queued = dict(waiting(workspace))
        first = [name for name in dict.fromkeys(names) if name in queued]
        for place, name in enumerate([*first, *(name for name in queued if name not in first)], 1):
            write_state(workspace.train_logs / name, queued[name].to("queued", place=float(place)))


def close(workspace: Workspace) -> None:
    """The host's: from now on nobody comes into the queue."""
    with locked(workspace):
        try:
            (workspace.train_logs / CLOSED).touch()
        except OSError as error:
            raise storage_error(workspace.train_logs / CLOSED, error) from None


def reopen(workspace: Workspace) -> None:
    with locked(workspace):
        (workspace.train_logs / CLOSED).unlink(missing_ok=True)


def is_closed(workspace: Workspace) -> bool:
    return (workspace.train_logs / CLOSED).exists()


def check_open(workspace: Workspace) -> None:
    if is_closed(workspace):
        raise RunError("The queue is closed for now: ask whoever looks after the lab.")


def seconds_until(run: Run) -> float | None:
    """About how long a waiting run still waits; None for one that does not wait, or where nobody can tell.

    What goes on says what it still needs; one that has not said it yet, or waits, counts as it was estimated, or as its
    time limit.
    """
    queued = waiting(run.workspace)
    names = [name for name, _ in queued]
    if run.name not in names:
        return None
    at_once = max(1, queued[names.index(run.name)][1].at_once)
    going_on = [_left(Run(name, run.workspace)) for name in running(run.workspace)]
    ahead = [_whole(Run(name, run.workspace), state) for name, state in queued[: names.index(run.name)]]
    if None in going_on or None in ahead:
        return None
    # The lanes are filled as `start_next` does: whoever is free first takes the next one.
    free = sorted(going_on)[:at_once] + [0.0] * (at_once - len(going_on))
    for seconds in ahead:
        free.sort()
        free[0] += seconds
    return min(free)


def _left(run: Run) -> float | None:
    seen = view(run)
    if seen.seconds_left is not None:
        return seen.seconds_left
    state = run.written()
    whole = _whole(run, state) if state else None
    return None if whole is None else max(0.0, whole - seen.seconds)


def _whole(run: Run, state: RunState) -> float | None:
    if state.expected is not None:
        return state.expected
    try:
        return run.settings().time_limit * 60 or None
    except ImgclsError:  # a lab has no settings of a run
        return None
