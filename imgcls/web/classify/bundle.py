"""The page's own JavaScript as one module, for pages that are handed out.

The files in the folders' js/ import names from each other and export what they declare, or hand on another's. Each
becomes a function that hands out its exports, after those it imports from, so that names inside a file stay its own.
No two files have one name, whatever their folders.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

WEB = Path(__file__).parent.parent
FOLDERS = tuple(WEB / folder / "js" for folder in ("classify", "engine", "train", "init_lab", "standalone"))
IMPORT = re.compile(r"^import (\{[^}]*\}) from '\.\.?/(?:[\w./]+/)?(\w+)\.js';$", re.MULTILINE)
RE_EXPORT = re.compile(r"^export (\{[^}]*\}) from '\.\.?/(?:[\w./]+/)?(\w+)\.js';$", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)


@cache
def bundle(entry: str = "classify") -> str:
    """The file `entry` and everything it imports; a module with the exports of `entry`."""
    text, names = _bundled(entry)
    return f"{text}\nexport const {{ {names} }} = {entry}Js;\n"


@cache
def worker() -> str:
    """The script of a worker that trains (engine/js/serve.js)."""
    return f"{_bundled('serve')[0]}\nserveJs.serve(self);\n"


def _bundled(entry: str) -> tuple[str, str]:
    """The text of all files, and the names that `entry` exports."""
    modules: dict[str, str] = {}
    exports: dict[str, str] = {}

    def add(name: str) -> None:
        text = _path(name).read_text("utf-8")
        handed_on = RE_EXPORT.findall(text)
        for _, needed in IMPORT.findall(text) + handed_on:
            if needed not in modules:
                add(needed)
        exports[name] = ", ".join([*EXPORT.findall(text), *(names.strip("{ }") for names, _ in handed_on)])
        body = EXPORT.sub("", IMPORT.sub(r"const \1 = \2Js;", RE_EXPORT.sub(r"const \1 = \2Js;", text)))
        modules[name] = f"const {name}Js = (() => {{\n{body}\nreturn {{ {exports[name]} }};\n}})();\n"

    add(entry)
    return "\n".join(modules.values()), exports[entry]


def _path(name: str) -> Path:
    return next(path for folder in FOLDERS if (path := folder / f"{name}.js").is_file())


@cache
def compact(script: str) -> str:
    """Without lines that are comments only, and without indentation."""
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
