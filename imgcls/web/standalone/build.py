"""The scripts of pages without a server, each in one piece: `python -m imgcls.web.standalone.build` makes those anew
whose modules have changed, with npm's esbuild; `--check` compares all with what esbuild makes.

A page that is opened from the disk can import nothing. The version is pinned: the same modules give the same text.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from imgcls.web.shared.scripts import IMPORTED, LATER

WEB = Path(__file__).parent.parent
BUILT = Path(__file__).parent / "built"
COMMAND = "python -m imgcls.web.standalone.build"
ESBUILD = "esbuild@0.25.12"
OPTIONS = ("--bundle", "--minify", "--charset=utf8", "--target=es2022", "--legal-comments=none", "--log-level=warning")
# {name: (its format, where it begins)}
SCRIPTS = {
    "handout": ("esm", "import { open } from './classify/js/handout.js';\nopen();"),
    "standalone": ("esm", "import { open } from './standalone/js/standalone.js';\nopen();"),
    "worker": ("iife", "import './engine/js/worker.js';"),
}
HEAD = "// The modules of {name} in one piece, made by standalone/build.py. {digest}\n"


@cache
def built(name: str) -> str:
    """The text of a script, without its first line."""
    return (BUILT / f"{name}.js").read_text("utf-8").split("\n", 1)[1].rstrip("\n")


def is_current(name: str) -> bool:
    path = BUILT / f"{name}.js"
    return path.is_file() and path.read_text("utf-8").startswith(HEAD.format(name=name, digest=digest(name)))


def digest(name: str) -> str:
    """Of everything that the script is made of."""
    said = hashlib.sha256(f"{ESBUILD} {OPTIONS} {SCRIPTS[name]}".encode())
    for path in sorted(_imported(WEB, SCRIPTS[name][1])):
        said.update(path.relative_to(WEB).as_posix().encode() + path.read_bytes())
    return said.hexdigest()[:16]


def _imported(folder: Path, text: str) -> set[Path]:
    """The modules that `text`, of a file in `folder`, needs."""
    found: set[Path] = set()
    left = [(folder, text)]
    while left:
        folder, text = left.pop()
        new = {(folder / path).resolve() for path in (*IMPORTED.findall(text), *LATER.findall(text))} - found
        found |= new
        left += [(path.parent, path.read_text("utf-8")) for path in new]
    return found


def made(name: str) -> str:
    """The script as esbuild makes it now. Raises OSError and CalledProcessError where it cannot be had."""
    kind, source = SCRIPTS[name]
    npx = shutil.which("npx") or "npx"
    command = [npx, "--yes", ESBUILD, *OPTIONS, f"--format={kind}"]
    done = subprocess.run(command, input=source.encode(), cwd=WEB, capture_output=True, check=True)
    return HEAD.format(name=name, digest=digest(name)) + re.sub(r"\s*$", "\n", done.stdout.decode())


def make_anew() -> None:
    """Those that are not current. Raises as `made` does."""
    for name in SCRIPTS:
        if is_current(name):
            continue
        text = made(name)
        (BUILT / f"{name}.js").write_text(text, "utf-8")
        print(f"built/{name}.js: {len(text.encode()):,} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        make_anew()
        return 0
    other = [name for name in SCRIPTS if (BUILT / f"{name}.js").read_text("utf-8") != made(name)]
    for name in other:
        print(f"built/{name}.js is not what its modules say: run `{COMMAND}`", file=sys.stderr)
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
