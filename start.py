"""Set up the lab in a folder of its own (.venv) and open it, on Linux, macOS or Windows, with Python alone.

    python start.py                 install what running needs, then open the lab in the browser
    python start.py test            install what testing needs on top, then run every test
    python start.py train ...       any command of the lab, in that environment

A second start installs nothing unless the requirements have changed. Uses the standard library only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
UNFINISHED = HERE / ".venv.tmp"
NO_VENV = "Python has no venv here: on Debian and Ubuntu, `sudo apt install python3-venv`, then start again."
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 10):
        print(f"imgcls needs Python 3.10 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    testing = arguments[:1] == ["test"]
    try:
        install("requirements-dev.txt" if testing else "requirements.txt")
    except subprocess.CalledProcessError:
        print("The installation failed; see the lines above. Is the network there?", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{HERE} could not be written ({error.strerror or error}): free some space, or say who may.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next start goes on with the installation.", file=sys.stderr)
        return 130
    if testing:
        # Two at a time, a file each: much of a browser's test is waiting.
        command = [PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadfile", *arguments[1:]]
    else:
        command = [PYTHON, "-m", "imgcls", *(arguments or ["serve"])]
    try:
        return subprocess.run([str(part) for part in command], cwd=HERE).returncode
    except KeyboardInterrupt:
        return 130


def install(requirements: str) -> None:
    """Make the environment and install `requirements`, unless the very same were installed before.

    However an earlier try was interrupted, this one begins where it can: the environment has its name only once it is
    whole, and a package that was not written to its end counts as none.
    """
    texts = b"".join(path.read_bytes() for path in sorted(HERE.glob("requirements*.txt")))
    wanted = f"{sys.version_info[:2]} {hashlib.sha256(texts).hexdigest()}"
    mark = VENV / f"installed-{requirements}"
    if PYTHON.exists() and mark.exists() and mark.read_text() == wanted:
        return
    if not has_pip():
        make_environment()
    remove_halves()
    print(f"Installing {requirements} (the first time this takes some minutes and several GB) ...", flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(HERE / requirements)]
    subprocess.run(pip, check=True)
    mark.write_text(wanted)
    if requirements == "requirements-dev.txt":
        (VENV / "installed-requirements.txt").write_text(wanted)


def has_pip() -> bool:
    """Whether there is an environment that can install: a Debian without python3-venv leaves one that cannot."""
    asked = [str(PYTHON), "-m", "pip", "--version"]
    return PYTHON.exists() and subprocess.run(asked, capture_output=True).returncode == 0


def make_environment() -> None:
    """A whole one takes the place of whatever is there."""
    if importlib.util.find_spec("ensurepip") is None:
        raise SystemExit(NO_VENV)
    print(f"Making an environment in {VENV} ...", flush=True)
    shutil.rmtree(UNFINISHED, ignore_errors=True)
    try:
        venv.create(UNFINISHED, with_pip=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(UNFINISHED, ignore_errors=True)
        raise SystemExit(NO_VENV) from None
    shutil.rmtree(VENV, ignore_errors=True)
    UNFINISHED.rename(VENV)


def remove_halves() -> None:
    """Packages without the list of their files, which pip writes last: it would take them for installed."""
    for described in [*VENV.glob("lib/python*/site-packages/*.dist-info"), *VENV.glob("Lib/site-packages/*.dist-info")]:
        if not (described / "RECORD").exists():
            shutil.rmtree(described, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
