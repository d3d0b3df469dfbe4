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
from imgcls.web.shared.work_gate import work
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


def server_functions(
    translate: Translator, workspace: Workspace, limits: Limits, people: People | None = None
) -> list[ServerFunction]:
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""
    return AuditFunctions(translate, workspace, limits, people).functions()


class AuditFunctions:
    """A payload names data set, share of flipped labels and images to learn from."""

    def __init__(self, translate: Translator, workspace: Workspace, limits: Limits, people: People | None) -> None:
        self.translate, self.workspace, self.limits, self.people = translate, workspace, limits, people
        self.pictures = Pictures(workspace)

    def functions(self) -> list[ServerFunction]:
        small = (self.audit_stop, self.audit_move, self.audit_delete, self.audit_right, self.audit_undo)
        return [
            server_function(self.audit_look, self.translate, "picture"),
            server_function(self.audit_list, self.translate),
            *(server_function(function, self.translate, "state") for function in small),
        ]

    def _looks_after(self, payload: dict[str, Any]) -> bool:
        """Whether whoever asks looks after the lab: on one's own computer everybody does."""
        return not self.limits.public or (self.people is not None and self.people.visitor(payload["request"]).host)

    def _request(self, payload: dict[str, Any]) -> Request:
        dataset, flip = str(payload["dataset"]), float(payload.get("flip") or 0)
        self.limits.check_name(dataset)
        if not 0 <= flip <= MOST_FLIPPED:
            raise DatasetError("From 0 to 90% of the labels can be flipped.")
        return Request(dataset, round(flip, 2), train_images=max(0, int(payload.get("train_images") or 0)))

    def _may_mend(self, request: Request) -> bool:
        """Labels that were flipped on purpose are not wrong in the folder: there is nothing to mend."""
        return not self.limits.public and not request.flip and self.pictures.may_change(request.dataset)

    def audit_look(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Where it stands. `start`: begin a new one; in a shared lab whoever looks after it does that."""
        request = self._request(payload)
        if payload.get("start"):
            if not self._looks_after(payload):
                more = f" --flip-labels {request.flip:g}" if request.flip else ""
                more += f" --train-images {request.train_images}" if request.train_images else ""
                raise RunError(
                    "In a shared lab whoever looks after it does this: `{command}`.",
                    command=f"python -m imgcls audit {request.dataset}{more}",
                )
            audits.start(request, self.workspace)
        status = audits.status(request, self.workspace)
        if status.state == "failed" and status.message:
            return {"error": self.translate.message(status.message)}
        if status.state == "running":
            html = audit_card.waiting(
                request.dataset, status.done, status.total, self.translate, may_stop=self._looks_after(payload)
            )
            return {"state": "running", "html": html}
        audit = audits.find_audit(request, self.workspace) if status.state == "finished" else None
        if audit is None:
            return {"state": "none" if status.state == "finished" else status.state}
        kind = next((kind for kind in audit_card.TITLES if audit.of(kind)), "label")
        html = audit_card.card(
            audit, self.translate, kind=kind, own=self._may_mend(request), may_start=self._looks_after(payload)
        )
        return {"state": "finished", "html": html, "kind": kind}

    def audit_stop(self, payload: dict[str, Any]) -> dict[str, Any]:
        if not self._looks_after(payload):
            raise RunError("In a shared lab it may be somebody else's too: it ends by itself, or its host stops it.")
        audits.stop(self._request(payload), self.workspace)
        return {}

    def _finished_audit(self, request: Request) -> Audit:
        audit = audits.find_audit(request, self.workspace)
        if audit is None:
            raise DatasetError("This list is not there any more: look again.")
        return audit

    async def audit_list(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Suspects of a kind, PAGE at once, without those before `start_at`."""
        user, root, dataset = payload["visitor"], str(self.workspace.root), self._request(payload).dataset
        if self.pictures.to_load(dataset):  # other pictures do not wait for that
            await work("dataset", ("audit images", root, dataset), lambda: self.pictures.load(dataset), user)
        return await work("picture", None, lambda: self._list(payload), user)

    def _list(self, payload: dict[str, Any]) -> dict[str, Any]:
        request, start = self._request(payload), max(int(payload.get("start_at") or 0), 0)
        audit = self._finished_audit(request)
        suspects = audit.of(payload["kind"])
        called = str if is_builtin(request.dataset) else short
        shown = [
            audit_card.Shown(
                place=start + i,
                suspect=suspect,
                picture=self.pictures.thumbnail(request.dataset, suspect.path),
                twin=self.pictures.thumbnail(request.dataset, suspect.suggested) if suspect.kind == "duplicate" else "",
                name=called(suspect.path),
                twin_name=called(suspect.suggested),
            )
            for i, suspect in enumerate(suspects[start : start + PAGE])
        ]
        paths = [
            [_as_text(shown_suspect.suspect.path), _as_text(shown_suspect.suspect.suggested)] for shown_suspect in shown
        ]
        html = audit_card.items(shown, audit.classes, self.translate, own=self._may_mend(request))
        return {"html": html, "paths": paths, "total": len(suspects), "next": start + len(shown)}

    def _suspect(self, payload: dict[str, Any]) -> tuple[str, Suspect]:
        """The suspect that is meant: by its path, for the list has become shorter since it was shown."""
        self.limits.may_delete()
        request = self._request(payload)
        if not self._may_mend(request):
            raise DatasetError("{name} came with the lab: it is not changed.", name=request.dataset)
        suggested = payload.get("suggested")
        for suspect in self._finished_audit(request).of(payload["kind"]):
            if _as_text(suspect.path) == payload["path"] and suggested in (None, _as_text(suspect.suggested)):
                return request.dataset, suspect
        raise DatasetError("This image has been mended already, or is not there any more.")

    def audit_move(self, payload: dict[str, Any]) -> dict[str, Any]:
        """label: another class than the suggested one."""
        dataset, suspect = self._suspect(payload)
        label = str(payload.get("label") or suspect.suggested)
        return {"change": edits.move_to_class(dataset, suspect.path, label, self.workspace).id}

    def audit_delete(self, payload: dict[str, Any]) -> dict[str, Any]:
        """twin: the second of two that are the same or alike."""
        dataset, suspect = self._suspect(payload)
        is_second = bool(payload.get("twin")) and suspect.kind == "duplicate"
        return {"change": edits.delete(dataset, suspect.suggested if is_second else suspect.path, self.workspace).id}

    def audit_right(self, payload: dict[str, Any]) -> dict[str, Any]:
        dataset, suspect = self._suspect(payload)
        about = {"label": suspect.label, "duplicate": suspect.suggested, "outlier": ""}[suspect.kind]
        edits.dismiss(dataset, suspect.path, suspect.kind, about, self.workspace)
        return {"right": [_as_text(suspect.path), suspect.kind, _as_text(about)]}

    def audit_undo(self, payload: dict[str, Any]) -> dict[str, Any]:
        """change: the id of a move or a deletion; right: what was found right."""
        self.limits.may_delete()
        request = self._request(payload)
        if "right" in payload:
            path, kind, about = map(str, payload["right"])
            edits.undismiss(request.dataset, _as_path(path), kind, _as_path(about), self.workspace)
        else:
            edits.undo(request.dataset, str(payload["change"]), self.workspace)
        return {}


def _as_text(path: str) -> str:
    """A path fit to travel as JSON, bytes in it that are no text here, too: what comes back is the same file."""
    return path.encode("utf-8", "backslashreplace").decode()


def _as_path(text: str) -> str:
    return re.sub(r"\\u(dc[0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text)
