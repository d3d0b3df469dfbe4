"""The page's own JavaScript: ES modules, served as they lie here beneath one digest of them all.

A module imports others by relative paths, in the browser as in the repository. What Gradio is given of a script is one
line that imports a module and calls what it exports.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any

WEB = Path(__file__).parent.parent
ALONE = "standalone/"  # pages without a server, which have their scripts inside
LEVEL = 9  # of gzip, once
IMPORTED = re.compile(r"^(?:import|export) (?:[^;']* from )?'(\.[^']*)';", re.MULTILINE)
FAILED = "dispatchEvent(new CustomEvent('imgcls:no-script', { detail: element }));"  # shared/no_script.js
LATER = re.compile(r"\bimport\('(\.[^']*)'\)")  # what a module imports when it is needed


@cache
def modules() -> dict[str, bytes]:
    """{path below imgcls/web: its text}"""
    paths = {path.relative_to(WEB).as_posix(): path for path in sorted(WEB.rglob("*.js"))}
    return {name: path.read_bytes() for name, path in paths.items() if not name.startswith(ALONE)}


@cache
def digest() -> str:
    """Names all of them, so that a browser may keep each for ever."""
    said = hashlib.sha256()
    for name, text in modules().items():
        said.update(f"{name} {len(text)}\n".encode() + text)
    return said.hexdigest()[:16]


@cache
def packed(name: str) -> bytes:
    return gzip.compress(modules()[name], LEVEL, mtime=0)


@cache
def needed(*entries: str) -> tuple[str, ...]:
    """The modules `entries` and all that they import, each after those that it imports."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for path in IMPORTED.findall(modules()[name].decode()):
            if (other := posixpath.normpath(posixpath.join(posixpath.dirname(name), path))) not in found:
                add(other)
        found[name] = None

    for entry in entries:
        add(entry)
    return tuple(found)


def address(name: str) -> str:
    """Of a module, from a page of the lab (`/en/`)."""
    if name not in modules():
        raise LookupError(name)
    return f"../scripts/{digest()}/{name}"


def starts(name: str, *events: str, function: str = "start", failed: str = FAILED, waits: bool = True) -> str:
    """The `js_on_load` of a component: its module's `function`. events: those of its own, whose names Gradio reads in
    this text; failed: what is done where the module cannot be had, as of a lab that is gone or has been updated; waits:
    until it is there the component takes no click, which would be lost or do what the browser does by itself."""
    named = f" // {', '.join(repr(event) for event in events)}" if events else ""
    start = f"of.{function}({{ element, trigger, props, server, watch }})"
    if not waits:
        return f"{_import(name)}.then(of => {start}, () => {{ {failed} }});{named}"
    there = f"of => {{ element.inert = false; {start}; }}"
    return f"element.inert = true; {_import(name)}.then({there}, () => {{ {failed} }});{named}"


def calls(name: str, function: str, *given: Any) -> str:
    """The `js` of an event: a module's `function` with `given` and then the values of the event's inputs."""
    values = "".join(f"{json.dumps(value, ensure_ascii=False)}, " for value in given)
    return f"async (...values) => (await {_import(name)}).{function}({values}...values)"


def _import(name: str) -> str:
    return f"import(new URL('{address(name)}', document.baseURI))"
