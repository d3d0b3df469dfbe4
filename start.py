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
import signal
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
WHOLE = VENV / "whole"  # where the environment was made: its scripts name that folder, and work nowhere else
NO_VENV = "Python has no venv here: on Debian and Ubuntu, `sudo apt install python3-venv`, then start again."
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 10):
        print(f"imgcls needs Python 3.10 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    testing = arguments[:1] == ["test"]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        install("requirements-dev.txt" if testing else "requirements.txt")
    except subprocess.CalledProcessError:
        print("The installation failed; see the lines above. Is the network there?", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{HERE} cannot be written ({error.strerror or error}): free some space, or check that you may write.",
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
    return run([str(part) for part in command])


def _interrupt(*_: object) -> None:
    """Ends pip as well, as Ctrl-C does."""
    raise KeyboardInterrupt


def run(command: list[str]) -> int:
    """The command in place of this process: whatever ends this one, Ctrl-C or a signal, reaches it, and nothing stays.

    Windows cannot replace a process. There both stand in one console, whose Ctrl-C reaches both; this one waits until
    the other has ended.
    """
    os.chdir(HERE)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the command decides when it ends
                continue


def install(requirements: str) -> None:
    """Make the environment and install `requirements`, unless the very same were installed before.

    However an earlier try was interrupted, this one begins where it can: an environment without its mark is made anew,
    and a package that was not written to its end counts as none.
    """
    texts = b"".join(path.read_bytes() for path in sorted(HERE.glob("requirements*.txt")))
    wanted = f"{sys.version_info[:2]} {hashlib.sha256(texts).hexdigest()}"
    mark = VENV / f"installed-{requirements}"
    if is_whole() and mark.exists() and mark.read_text() == wanted:
        return
    if not (is_whole() and has_pip()):
        make_environment()
    remove_halves()
    print(f"Installing {requirements} (the first time this takes some minutes and several GB) ...", flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(HERE / requirements)]
    subprocess.run(pip, check=True)
    mark.write_text(wanted)
    if requirements == "requirements-dev.txt":
        (VENV / "installed-requirements.txt").write_text(wanted)


def is_whole() -> bool:
    """Whether an environment was made here, to its end. In a folder that has moved its scripts would start nothing."""
    return PYTHON.exists() and WHOLE.exists() and WHOLE.read_text("utf-8") == str(VENV)


def has_pip() -> bool:
    """Whether there is an environment that can install: a Debian without python3-venv leaves one that cannot."""
    asked = [str(PYTHON), "-m", "pip", "--version"]
    return subprocess.run(asked, capture_output=True).returncode == 0


def make_environment() -> None:
    """A whole one takes the place of whatever is there."""
    if importlib.util.find_spec("ensurepip") is None:
        raise SystemExit(NO_VENV)
    print(f"Making an environment in {VENV} ...", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        venv.create(VENV, with_pip=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SystemExit(NO_VENV) from None
    WHOLE.write_text(str(VENV), "utf-8")


def remove_halves() -> None:
    """Packages without the list of their files, which pip writes last: it would take them for installed."""
    for described in [*VENV.glob("lib/python*/site-packages/*.dist-info"), *VENV.glob("Lib/site-packages/*.dist-info")]:
        if not (described / "RECORD").exists():
            shutil.rmtree(described, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
