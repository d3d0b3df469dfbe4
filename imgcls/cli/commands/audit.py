"""`audit`: which labels of a data set may be wrong, what is there twice, and what is like nothing else."""

from __future__ import annotations

import argparse
import sys

from imgcls.audit.findings import Audit, Kind, Suspect
from imgcls.cli.main import to_json
from imgcls.runs.audits import Request, make_audit
from imgcls.workspace import Workspace

ROWS_SHOWN = 20  # of each kind, for people; --json has all
TITLES: dict[Kind, str] = {
    "label": "labels that may be wrong",
    "duplicate": "the same picture (=), or alike (~)",
    "outlier": "like no other image",
}


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    request = Request(arguments.dataset, arguments.flip_labels, arguments.seed, arguments.train_images)
    result = make_audit(request, workspace, progress=_progress())
    if arguments.json:
        for suspect in result.suspects:
            print(to_json(suspect.as_dict()))
        if result.flipped:
            print(
                f"flipped {result.flipped}, found {result.recall:.1%}, right {result.precision or 0:.1%}",
                file=sys.stderr,
            )
        return 0
    show(result)
    return 0


def show(result: Audit) -> None:
    print(f"{result.name}: {result.images:,} images, {len(result.classes)} classes")
    if result.flipped:
        print(f"of {result.flipped} labels flipped on purpose {result.recall:.1%} were found; ", end="")
        print(f"{result.precision or 0:.1%} of those found were flipped")
    for kind, title in TITLES.items():
        suspects = result.of(kind)
        print(f"\n{title}: {len(suspects) or 'none'}")
        for suspect in suspects[:ROWS_SHOWN]:
            print("  " + _line(suspect))
        if len(suspects) > ROWS_SHOWN:
            print(f"  and {len(suspects) - ROWS_SHOWN} more: --json has all of them")


def _line(suspect: Suspect) -> str:
    if suspect.kind == "label":
        return f"{suspect.path}  {suspect.label} -> {suspect.suggested}  ({suspect.score:.2f})"
    if suspect.kind == "duplicate":
        return f"{suspect.path} {'=' if suspect.is_exact else '~'} {suspect.suggested}  ({suspect.score:.2f})"
    return f"{suspect.path}  {suspect.label}  ({suspect.score:.2f})"


def _progress():
    """How far it is, where somebody looks on."""
    if not sys.stderr.isatty():
        return None

    def show_progress(done: int, total: int) -> None:
        print(f"\r{done:,} of {total:,} images", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show_progress
