"""Who trains and who waits where a class shares the lab, for the eyes of one visitor: what is theirs has a button."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from imgcls.runs.queue import Turn
from imgcls.web.i18n.labels import STATES
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import User
from imgcls.web.shared.render import render

LISTED = 40  # rows; those behind are counted


@dataclass(frozen=True)
class Row:
    """`button`: what it says, empty where the visitor may not."""

    name: str
    title: str
    place: int | None
    who: str
    own: bool
    state: str
    when: str
    button: str
    near: int = 0  # so many wait from the same address


def card(
    turns: Sequence[Turn],
    translate: Translator,
    visitor: User,
    *,
    closed: bool,
    host_password: bool = False,
    title: Callable[[str], str] = str,
    networks: Sequence[str] = (),
) -> Markup:
    """`host_password`: whether one can be given here; `title`: what a run of that name is called; `networks`: those
    that visitors kept or imported, for the host to delete."""
    addresses = Counter(t.state.owner.address for t in turns if t.place and t.state.owner and t.state.owner.address)
    return render(
        "queue_card",
        translate,
        rows=[_row(turn, title(turn.name), translate, visitor, addresses) for turn in turns[:LISTED]],
        more=len(turns) - LISTED,
        closed=closed,
        networks=networks,
        host=visitor.host,
        nickname=visitor.owner.nickname if visitor.owner else "",
        can_enter=host_password and not visitor.host,
    )


def _row(turn: Turn, title: str, translate: Translator, visitor: User, addresses: Counter[str]) -> Row:
    state, owner = turn.state.status, turn.state.owner
    own = bool(owner and visitor.owner and owner.id == visitor.owner.id)
    time = translate.estimate(turn.seconds) if turn.seconds is not None else ""
    if turn.place is None:
        when = translate("about {time} left", time=time) if time and state == "running" else ""
        button = translate("Stop and save") if state != "stopping" else ""
    else:
        after = translate.plural("after {count} other", "after {count} others", count=turn.ahead)
        when = translate("starts in about {time}", time=time) if time else after
        button = translate("Withdraw") if own else translate("Remove")
    return Row(
        name=turn.name,
        title=title,
        place=turn.place,
        who=owner.nickname if owner and owner.nickname else translate("the lab itself"),
        own=own,
        state=translate(STATES[state]),
        when=when,
        button=button if visitor.may_stop(turn.state) else "",
        near=addresses[owner.address] if turn.place and owner and visitor.host else 0,
    )
