"""Who is next where a class shares the lab: further starts wait, and each knows its place.

The queue is the `state.json` files of the runs that wait, so it survives any server. Whoever ends a run, or serves the
page, starts the next (`launcher.start_next`). A closed queue takes no more; those in it still get their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imgcls.errors import RunError
from imgcls.files import storage_error
from imgcls.messages import plural
from imgcls.runs.reader import RunView, view
from imgcls.runs.state import Owner, RunState, locked, write_state
from imgcls.runs.store import Job, Run, states
from imgcls.workspace import Workspace

CLOSED = ".queue-closed"  # a file in train_logs/
WAITING_EACH = 3  # runs of one person, or of one address, that may wait at a time: a nickname costs nothing
MAX_WAITING = 60  # that may wait at all


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


def stop(run: Job, by: Owner | None, *, host: bool = False) -> None:
    """Stop or withdraw a run or a lab of one's own. Raises RunError."""
    check_owner(run.read_state(), by, host=host)
    run.stop()


def reorder(workspace: Workspace, names: Sequence[str]) -> None:
    """The host's: those named come first, in this order; the others follow in theirs. Those not waiting are passed
    over."""
    with locked(workspace):
        queued = dict(waiting(workspace))
        first = [name for name in dict.fromkeys(names) if name in queued]
        for position, name in enumerate([*first, *(name for name in queued if name not in first)], 1):
            write_state(workspace.train_logs / name, queued[name].to("queued", place=float(position)))


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


def check_room(workspace: Workspace, owner: Owner | None, each: int = WAITING_EACH) -> None:
    """Whether one more may wait, one of `owner`'s at that. Raises RunError."""
    queued = waiting(workspace)
    if len(queued) >= MAX_WAITING:
        raise RunError("{count} runs are waiting already: wait until some have had their turn.", count=len(queued))
    if owner is None:
        return
    own = [name for name, state in queued if state.owner and state.owner.id == owner.id]
    if len(own) >= each:
        raise RunError(
            plural(
                "{count} run of yours is waiting already: withdraw it, or wait until it has had its turn.",
                "{count} runs of yours are waiting already: withdraw one, or wait until one has had its turn.",
                count=len(own),
            )
        )
    near = from_address(workspace, owner.address)
    if len(near) >= each:
        raise RunError(
            plural(
                "{count} run from your address is waiting already: wait until it has had its turn.",
                "{count} runs from your address are waiting already: wait until one has had its turn.",
                count=len(near),
            )
        )


def from_address(workspace: Workspace, address: str) -> list[str]:
    """Those that wait and were started from there, the next one first."""
    return [name for name, state in waiting(workspace) if address and state.owner and state.owner.address == address]


@dataclass(frozen=True)
class Turn:
    """One that goes on (`place` None, `seconds` it still needs) or waits (`seconds` until it starts).

    `seconds` is None where nobody can tell; `ahead`: how many go on or wait before it.
    """

    name: str
    state: RunState
    place: int | None = None
    seconds: float | None = None
    ahead: int = 0


def turns(workspace: Workspace, view_of: Callable[[Run], RunView] = view) -> list[Turn]:
    """What goes on, the oldest first, then what waits, the next one first.

    What goes on says what it still needs; one that has not said it yet, or waits, counts as it was estimated. Its time
    limit says nothing: a run of ten seconds would count as half an hour.
    """
    all_states = states(workspace)
    live = sorted((s.created, name, s) for name, s in all_states.items() if s.is_active and not s.part_of)
    going_on = [Turn(name, state, None, _left(Run(name, workspace), state, view_of)) for _, name, state in live]
    queued = waiting(workspace)
    # The lanes are filled as `start_next` does: whoever is free first takes the next one.
    at_once = max(1, queued[0][1].at_once) if queued else 1
    free: list[float | None] = [turn.seconds for turn in going_on]
    free += [0.0] * (at_once - len(free))
    in_turn = list(going_on)
    for position, (name, state) in enumerate(queued, 1):
        free_at = sorted(seconds for seconds in free if seconds is not None)[-at_once:]
        if None in free:
            in_turn.append(Turn(name, state, position, ahead=len(in_turn)))
            continue
        in_turn.append(Turn(name, state, position, free_at[0], len(in_turn)))
        whole = state.expected
        free = [None if whole is None else free_at[0] + whole, *free_at[1:]]
    return in_turn


def turn_of(run: Run) -> Turn | None:
    """Its place among those that wait; None for a run that does not wait."""
    return next((turn for turn in turns(run.workspace) if turn.name == run.name and turn.place), None)


def _left(run: Run, state: RunState, view_of: Callable[[Run], RunView]) -> float | None:
    run_view = view_of(run)
    if run_view.seconds_left is not None:
        return run_view.seconds_left
    whole = state.expected
    return None if whole is None else max(0.0, whole - run_view.seconds)
