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
from imgcls.runs.audits import Request
from imgcls.web.data import audit_card
from imgcls.web.data.audit_images import Pictures, short
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.server_functions import ServerFunction, ServerHTML, server_function
from imgcls.workspace import Workspace

PAGE = 24  # suspects at once
MOST_FLIPPED = 0.9


class AuditView(ServerHTML):
    def __init__(
        self, translate: Translator, workspace: Workspace, limits: Limits, people: People | None = None, **options: Any
    ) -> None:
        functions = server_functions(translate, workspace, limits, people)
        super().__init__("audit", _said(translate), functions, longest=5000, **options)


def request(dataset: str, *, flip: float = 0.0, train_images: int = 0, begin: bool = False) -> str:
    """The component's value that has this shown; another one each time, for the data may have changed."""
    payload = {"dataset": dataset, "flip": flip, "train_images": train_images, "begin": begin}
    return json.dumps({**payload, "asked": time.time()})


def _said(translate: Translator) -> dict[str, str]:
    return {
        "no_answer": translate("The lab does not answer: is the network there? Try again."),
        "stopped": translate("Stopped."),
        "moved": translate("Moved to {label}."),
        "deleted": translate("Deleted: it lies in the data set's trash."),
        "right": translate("Remembered: it will not be named again."),
        "undo": translate("Undo"),
        "undone": translate("Taken back."),
    }


def server_functions(  # noqa: C901, PLR0915 - a question each, over what they share
    translate: Translator, workspace: Workspace, limits: Limits, people: People | None = None
) -> list[ServerFunction]:
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""
    pictures = Pictures(workspace)

    def looks_after(payload: dict[str, Any]) -> bool:
        """Whether whoever asks looks after the lab: on one's own computer everybody does."""
        return not limits.public or (people is not None and people.visitor(payload["request"]).host)

    def asked_for(payload: dict[str, Any]) -> Request:
        dataset, flip = str(payload["dataset"]), float(payload.get("flip") or 0)
        limits.check_name(dataset)
        if not 0 <= flip <= MOST_FLIPPED:
            raise DatasetError("From 0 to 90% of the labels can be flipped.")
        return Request(dataset, round(flip, 2), train_images=max(0, int(payload.get("train_images") or 0)))

    def own(request: Request) -> bool:
        """Labels that were flipped on purpose are not wrong in the folder: there is nothing to mend."""
        return not limits.public and not request.flip and pictures.may_change(request.dataset)

    def audit_look(payload: dict[str, Any]) -> dict[str, Any]:
        """Where it stands. `start`: begin a new one; in a shared lab whoever looks after it does that."""
        request = asked_for(payload)
        if payload.get("start"):
            if not looks_after(payload):
                more = f" --flip-labels {request.flip:g}" if request.flip else ""
                more += f" --train-images {request.train_images}" if request.train_images else ""
                raise RunError(
                    "In a shared lab whoever looks after it does this: `{command}`.",
                    command=f"python -m imgcls audit {request.dataset}{more}",
                )
            audits.start(request, workspace)
        status = audits.status(request, workspace)
        if status.state == "failed" and status.message:
            return {"error": translate.message(status.message)}
        if status.state == "running":
            html = audit_card.waiting(
                request.dataset, status.done, status.total, translate, may_stop=looks_after(payload)
            )
            return {"state": "running", "html": html}
        audit = audits.find_audit(request, workspace) if status.state == "finished" else None
        if audit is None:
            return {"state": "none" if status.state == "finished" else status.state}
        kind = next((kind for kind in audit_card.TITLES if audit.of(kind)), "label")
        html = audit_card.card(audit, translate, kind=kind, own=own(request), may_start=looks_after(payload))
        return {"state": "finished", "html": html, "kind": kind}

    def audit_stop(payload: dict[str, Any]) -> dict[str, Any]:
        if not looks_after(payload):
            raise RunError("In a shared lab it may be somebody else's too: it ends by itself, or its host stops it.")
        audits.stop(asked_for(payload), workspace)
        return {}

    def finished_audit(request: Request) -> Audit:
        audit = audits.find_audit(request, workspace)
        if audit is None:
            raise DatasetError("This list is not there any more: look again.")
        return audit

    def audit_list(payload: dict[str, Any]) -> dict[str, Any]:
        """Suspects of a kind, PAGE at once, without those before `start_at`."""
        request, start = asked_for(payload), max(int(payload.get("start_at") or 0), 0)
        audit = finished_audit(request)
        named = audit.of(payload["kind"])
        called = str if is_builtin(request.dataset) else short
        shown = [
            audit_card.Shown(
                place=start + i,
                suspect=suspect,
                picture=pictures.thumbnail(request.dataset, suspect.path),
                twin=pictures.thumbnail(request.dataset, suspect.suggested) if suspect.kind == "duplicate" else "",
                name=called(suspect.path),
                twin_name=called(suspect.suggested),
            )
            for i, suspect in enumerate(named[start : start + PAGE])
        ]
        paths = [
            [_as_text(shown_suspect.suspect.path), _as_text(shown_suspect.suspect.suggested)] for shown_suspect in shown
        ]
        html = audit_card.items(shown, audit.classes, translate, own=own(request))
        return {"html": html, "paths": paths, "total": len(named), "next": start + len(shown)}

    def named(payload: dict[str, Any]) -> tuple[str, Suspect]:
        """The suspect that is meant: by its path, for the list has become shorter since it was shown."""
        limits.may_delete()
        request = asked_for(payload)
        if not own(request):
            raise DatasetError("{name} came with the lab: it is not changed.", name=request.dataset)
        suggested = payload.get("suggested")
        for suspect in finished_audit(request).of(payload["kind"]):
            if _as_text(suspect.path) == payload["path"] and suggested in (None, _as_text(suspect.suggested)):
                return request.dataset, suspect
        raise DatasetError("This image has been mended already, or is not there any more.")

    def audit_move(payload: dict[str, Any]) -> dict[str, Any]:
        """label: another class than the suggested one."""
        dataset, suspect = named(payload)
        label = str(payload.get("label") or suspect.suggested)
        return {"change": edits.move_to_class(dataset, suspect.path, label, workspace).id}

    def audit_delete(payload: dict[str, Any]) -> dict[str, Any]:
        dataset, suspect = named(payload)
        return {"change": edits.delete(dataset, suspect.path, workspace).id}

    def audit_right(payload: dict[str, Any]) -> dict[str, Any]:
        dataset, suspect = named(payload)
        about = {"label": suspect.label, "duplicate": suspect.suggested, "outlier": ""}[suspect.kind]
        edits.dismiss(dataset, suspect.path, suspect.kind, about, workspace)
        return {"right": [_as_text(suspect.path), suspect.kind, _as_text(about)]}

    def audit_undo(payload: dict[str, Any]) -> dict[str, Any]:
        """change: the id of a move or a deletion; right: what was found right."""
        limits.may_delete()
        request = asked_for(payload)
        if "right" in payload:
            path, kind, about = map(str, payload["right"])
            edits.undismiss(request.dataset, _as_path(path), kind, _as_path(about), workspace)
        else:
            edits.undo(request.dataset, str(payload["change"]), workspace)
        return {}

    small = (audit_stop, audit_move, audit_delete, audit_right, audit_undo)
    return [
        server_function(audit_look, translate, "picture"),
        server_function(audit_list, translate, "picture"),
        *(server_function(function, translate, "state") for function in small),
    ]


def _as_text(path: str) -> str:
    """A path fit to travel as JSON, bytes in it that are no text here, too: what comes back is the same file."""
    return path.encode("utf-8", "backslashreplace").decode()


def _as_path(text: str) -> str:
    return re.sub(r"\\u(dc[0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text)
