"""What an audit of a data set found: three lists of pictures, each the worst first, and what may be done about each.

Knows audits, not how they are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from imgcls.audit.findings import Audit, Kind, Suspect
from imgcls.messages import N_
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render

TITLES: dict[Kind, str] = {
    "label": N_("Labels that may be wrong"),
    "duplicate": N_("The same, or alike"),
    "outlier": N_("Odd one out"),
}


@dataclass(frozen=True)
class Shown:
    """A suspect with its picture, and its twin's. place: in its list."""

    place: int
    suspect: Suspect
    picture: str
    twin: str
    name: str
    twin_name: str


def card(audit: Audit, translate: Translator, *, kind: str, own: bool, may_start: bool) -> Markup:
    """own: whether images may be moved and deleted here; may_start: whether it may be made anew."""
    return render(
        "audit",
        translate,
        name=translate.value(audit.name),
        images=audit.images,
        kinds=[(key, translate(title), len(audit.of(key))) for key, title in TITLES.items()],
        kind=kind,
        own=own,
        may_start=may_start,
        flipped=audit.flipped,
        found=_found(audit, translate),
    )


def items(shown: Sequence[Shown], classes: Sequence[str], translate: Translator, *, own: bool) -> Markup:
    """classes: of the data set; a wrong label may belong to any of them."""
    others = {
        item.place: [name for name in classes if name not in (item.suspect.label, item.suspect.suggested)]
        for item in shown
    }
    return render("audit_items", translate, shown=shown, others=others, own=own)


def waiting(name: str, done: int, total: int, translate: Translator, *, may_stop: bool) -> Markup:
    return render("audit_wait", translate, name=translate.value(name), done=done, total=total, may_stop=may_stop)


def _found(audit: Audit, translate: Translator) -> str:
    """What became of the labels that were flipped on purpose."""
    if not audit.flipped:
        return ""
    return translate.plural(
        "{count:,} label was flipped on purpose. Found again: {recall:.0%}; of the labels named below "
        "{precision:.0%} were flipped.",
        "{count:,} labels were flipped on purpose. Found again: {recall:.0%}; of the labels named below "
        "{precision:.0%} were flipped.",
        count=audit.flipped,
        recall=audit.recall or 0.0,
        precision=audit.precision or 0.0,
    )
