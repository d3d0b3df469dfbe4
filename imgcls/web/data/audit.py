"""Look for mistakes: the page asks for an audit of a data set, how far it is, its pictures; and mends what it found.

What the component's value says is looked for: {"dataset": "flowers", "flip": 0, "train_images": 0, "begin": true} as
JSON; without `begin` only an audit that is there already, or on its way, is shown.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from imgcls.audit.findings import Audit, Suspect
from imgcls.data import edits
from imgcls.data.registry import is_builtin
from imgcls.errors import DatasetError, RunError
from imgcls.runs import audits
from imgcls.runs.audits import Asked
from imgcls.web.data import audit_card
from imgcls.web.data.audit_images import Pictures, short
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.server_functions import Answering, AskingHTML, answering
from imgcls.workspace import Workspace

PAGE = 24  # suspects at once
MOST_FLIPPED = 0.9


class AuditView(AskingHTML):
    def __init__(
        self, words: Translator, workspace: Workspace, limits: Limits, people: People | None = None, **options: Any
    ) -> None:
        functions = server_functions(words, workspace, limits, people)
        super().__init__("audit", _said(words), functions, longest=5000, **options)


def request(dataset: str, *, flip: float = 0.0, train_images: int = 0, begin: bool = False) -> str:
    """The component's value that has this shown; another one each time, for the data may have changed."""
    asked = {"dataset": dataset, "flip": flip, "train_images": train_images, "begin": begin}
    return json.dumps({**asked, "asked": time.time()})


def _said(words: Translator) -> dict[str, str]:
    return {
        "no_answer": words("The lab does not answer: is the network there? Try again."),
        "stopped": words("Stopped."),
        "moved": words("Moved to {label}."),
        "deleted": words("Deleted: it lies in the data set's trash."),
        "right": words("Remembered: it will not be named again."),
        "undo": words("Undo"),
        "undone": words("Taken back."),
    }


def server_functions(  # noqa: C901, PLR0915 - a question each, over what they share
    words: Translator, workspace: Workspace, limits: Limits, people: People | None = None
) -> list[Answering]:
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""
    pictures = Pictures(workspace)

    def looks_after(asked: dict[str, Any]) -> bool:
        """Whether whoever asks looks after the lab: on one's own computer everybody does."""
        return not limits.public or (people is not None and people.visitor(asked["request"]).host)

    def asked_for(asked: dict[str, Any]) -> Asked:
        dataset, flip = str(asked["dataset"]), float(asked.get("flip") or 0)
        limits.check_name(dataset)
        if not 0 <= flip <= MOST_FLIPPED:
            raise DatasetError("From 0 to 90% of the labels can be flipped.")
        return Asked(dataset, round(flip, 2), train_images=max(0, int(asked.get("train_images") or 0)))

    def own(wanted: Asked) -> bool:
        """Labels that were flipped on purpose are not wrong in the folder: there is nothing to mend."""
        return not limits.public and not wanted.flip and pictures.may_change(wanted.dataset)

    def audit_look(asked: dict[str, Any]) -> dict[str, Any]:
        """Where it stands. `start`: begin a new one; in a shared lab whoever looks after it does that."""
        wanted = asked_for(asked)
        if asked.get("start"):
            if not looks_after(asked):
                more = f" --flip-labels {wanted.flip:g}" if wanted.flip else ""
                more += f" --train-images {wanted.train_images}" if wanted.train_images else ""
                raise RunError(
                    "In a shared lab whoever looks after it does this: `{command}`.",
                    command=f"python -m imgcls audit {wanted.dataset}{more}",
                )
            audits.start(wanted, workspace)
        seen = audits.look(wanted, workspace)
        if seen.state == "failed" and seen.message:
            return {"error": words.message(seen.message)}
        if seen.state == "running":
            html = audit_card.waiting(wanted.dataset, seen.done, seen.total, words, may_stop=looks_after(asked))
            return {"state": "running", "html": html}
        made = audits.find_audit(wanted, workspace) if seen.state == "finished" else None
        if made is None:
            return {"state": "none" if seen.state == "finished" else seen.state}
        kind = next((kind for kind in audit_card.TITLES if made.of(kind)), "label")
        html = audit_card.card(made, words, kind=kind, own=own(wanted), may_start=looks_after(asked))
        return {"state": "finished", "html": html, "kind": kind}

    def audit_stop(asked: dict[str, Any]) -> dict[str, Any]:
        if not looks_after(asked):
            raise RunError("In a shared lab it may be somebody else's too: it ends by itself, or its host stops it.")
        audits.stop(asked_for(asked), workspace)
        return {}

    def found(wanted: Asked) -> Audit:
        made = audits.find_audit(wanted, workspace)
        if made is None:
            raise DatasetError("This list is not there any more: look again.")
        return made

    def audit_list(asked: dict[str, Any]) -> dict[str, Any]:
        """Suspects of a kind, PAGE at once, without those before `start_at`."""
        wanted, start = asked_for(asked), max(int(asked.get("start_at") or 0), 0)
        made = found(wanted)
        named = made.of(asked["kind"])
        called = str if is_builtin(wanted.dataset) else short
        shown = [
            audit_card.Shown(
                place=start + i,
                suspect=one,
                picture=pictures.thumbnail(wanted.dataset, one.path),
                twin=pictures.thumbnail(wanted.dataset, one.suggested) if one.kind == "duplicate" else "",
                name=called(one.path),
                twin_name=called(one.suggested),
            )
            for i, one in enumerate(named[start : start + PAGE])
        ]
        paths = [[_as_text(one.suspect.path), _as_text(one.suspect.suggested)] for one in shown]
        html = audit_card.items(shown, made.classes, words, own=own(wanted))
        return {"html": html, "paths": paths, "total": len(named), "next": start + len(shown)}

    def named(asked: dict[str, Any]) -> tuple[str, Suspect]:
        """The suspect that is meant: by its path, for the list has become shorter since it was shown."""
        limits.may_delete()
        wanted = asked_for(asked)
        if not own(wanted):
            raise DatasetError("{name} came with the lab: it is not changed.", name=wanted.dataset)
        suggested = asked.get("suggested")
        for one in found(wanted).of(asked["kind"]):
            if _as_text(one.path) == asked["path"] and suggested in (None, _as_text(one.suggested)):
                return wanted.dataset, one
        raise DatasetError("This image has been mended already, or is not there any more.")

    def audit_move(asked: dict[str, Any]) -> dict[str, Any]:
        """label: another class than the suggested one."""
        dataset, one = named(asked)
        label = str(asked.get("label") or one.suggested)
        return {"change": edits.move_to_class(dataset, one.path, label, workspace).id}

    def audit_delete(asked: dict[str, Any]) -> dict[str, Any]:
        dataset, one = named(asked)
        return {"change": edits.delete(dataset, one.path, workspace).id}

    def audit_right(asked: dict[str, Any]) -> dict[str, Any]:
        dataset, one = named(asked)
        about = {"label": one.label, "duplicate": one.suggested, "outlier": ""}[one.kind]
        edits.it_is_right(dataset, one.path, one.kind, about, workspace)
        return {"right": [_as_text(one.path), one.kind, _as_text(about)]}

    def audit_undo(asked: dict[str, Any]) -> dict[str, Any]:
        """change: the id of a move or a deletion; right: what was found right."""
        limits.may_delete()
        wanted = asked_for(asked)
        if "right" in asked:
            path, kind, about = map(str, asked["right"])
            edits.not_right(wanted.dataset, _as_path(path), kind, _as_path(about), workspace)
        else:
            edits.undo(wanted.dataset, str(asked["change"]), workspace)
        return {}

    small = (audit_stop, audit_move, audit_delete, audit_right, audit_undo)
    return [
        answering(audit_look, words, "picture"),
        answering(audit_list, words, "picture"),
        *(answering(function, words, "state") for function in small),
    ]


def _as_text(path: str) -> str:
    """A path fit to travel as JSON, bytes in it that are no text here, too: what comes back is the same file."""
    return path.encode("utf-8", "backslashreplace").decode()


def _as_path(text: str) -> str:
    return re.sub(r"\\u(dc[0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text)
