"""Set up the lab in a folder of its own (.venv) and open it, on Linux, macOS or Windows, with Python alone.

    python start.py [--port N]      install what running needs, then open the lab in the browser
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
BEFORE = HERE / ".venv-before"  # what stood there, until the environment that takes its place can run the lab
WHOLE = VENV / "whole"  # where the environment was made: its scripts name that folder, and work nowhere else
SCRIPTS = ("bin/python", "bin/pip"), ("Scripts/python.exe", "Scripts/pip.exe")
FITS = "import sys; sys.exit(sys.version_info < (3, 10) or sys.prefix == sys.base_prefix)"
NO_VENV = "Python has no venv here: on Debian and Ubuntu, `sudo apt install python3-venv`, then start again."
PYTHON, PIP = (VENV / place for place in SCRIPTS[os.name == "nt"])


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 10):
        print(f"imgcls needs Python 3.10 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    testing = arguments[:1] == ["test"]
    if (said := answer(arguments)) is not None:
        return said
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
        # Three at a time, a file each: much of a browser's test is waiting. In the order of tests/conftest.py.
        in_order = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
        os.chdir(HERE)
        command = [PYTHON, "-m", "pytest", *in_order, *arguments[1:]]
    else:
        opens = not arguments or (arguments[0].startswith("-") and arguments[0] != "--version")
        command = [PYTHON, "-m", "imgcls", *(["serve"] if opens else []), *arguments]
        # In the folder where the person is, whose files the arguments may name; nothing is imported from there.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
        os.environ["PYTHONSAFEPATH"] = "1"
    return run([str(part) for part in command])


def answer(arguments: list[str]) -> int | None:
    """What needs no environment is answered before one is made: help, and a word that is no command. None: go on."""
    known = {path.stem.replace("_", "-") for path in (HERE / "imgcls" / "cli" / "commands").glob("[a-z]*.py")}
    listed = ", ".join(sorted(known - {"work"}))
    word = arguments[0] if arguments else ""
    if word in ("-h", "--help"):
        print(f"{__doc__}\nCommands: {listed}.\nAll their flags: docs/commands.md")
        return 0
    if known and word and word not in known and word != "test" and not word.startswith("-"):
        print(f"There is no command {word!r}: choose one of {listed}, or test.", file=sys.stderr)
        return 2
    if {"-h", "--help"} & set(arguments) and not is_whole():  # an environment that is there knows every flag
        print(f"{word}: see docs/commands.md. `python start.py` installs the lab first, then `{word} --help` answers.")
        return 0
    return None


def _interrupt(*_: object) -> None:
    """Ends pip as well, as Ctrl-C does."""
    raise KeyboardInterrupt


def run(command: list[str]) -> int:
    """The command in place of this process: whatever ends this one, Ctrl-C or a signal, reaches it, and nothing stays.

    Windows cannot replace a process. There both stand in one console, whose Ctrl-C reaches both; this one waits until
    the other has ended.
    """
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

    However an earlier try was interrupted, this one begins where it can: an environment without its mark is taken as it
    is where it can be used and made anew where it cannot, and a package that was not written to its end counts as none.
    Where nothing comes of it, what stood there before stands there again.
    """
    texts = b"".join(path.read_bytes() for path in sorted(HERE.glob("requirements*.txt")))
    wanted = f"{sys.version_info[:2]} {hashlib.sha256(texts).hexdigest()}"
    mark = VENV / f"installed-{requirements}"
    if not (is_whole() and mark.exists() and mark.read_text() == wanted):
        try:
            if not (is_whole() and has_pip()) and not adopt():
                make_environment()
            remove_halves()
            print(f"Installing {requirements} (the first time this takes some minutes and several GB) ...", flush=True)
            pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(HERE / requirements)]
            subprocess.run(pip, check=True)
            mark.write_text(wanted)
        except BaseException:
            put_back()
            raise
        if requirements == "requirements-dev.txt":
            (VENV / "installed-requirements.txt").write_text(wanted)
    remove(BEFORE)


def is_whole() -> bool:
    """Whether an environment was made here, to its end. In a folder that has moved its scripts would start nothing."""
    return PYTHON.exists() and WHOLE.exists() and WHOLE.read_text("utf-8") == str(VENV)


def has_pip() -> bool:
    """Whether there is an environment that can install: a Debian without python3-venv leaves one that cannot."""
    return subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True).returncode == 0


def adopt() -> bool:
    """Whether an environment that a person, uv or an earlier version made can be used as it is; it is marked as whole
    then. One that brings no pip is given Python's own."""
    try:
        if subprocess.run([str(PYTHON), "-c", FITS], capture_output=True).returncode != 0:
            return False
        if not (has_pip() and PIP.exists()):
            subprocess.run([str(PYTHON), "-m", "ensurepip", "--default-pip"], capture_output=True)
        # "pip 24.0 from /home/me/imgcls/.venv/lib/python3.11/site-packages/pip (python 3.11)"; in a folder that was
        # moved the script starts the pip of another, or none.
        said = subprocess.run([str(PIP), "--version"], capture_output=True, text=True)
        found = Path(said.stdout.partition(" from ")[2].rpartition(" (python")[0]).resolve()
    except OSError:
        return False
    if said.returncode != 0 or VENV.resolve() not in found.parents:
        return False
    WHOLE.write_text(str(VENV), "utf-8")
    return True


def make_environment() -> None:
    """Whatever is there is kept aside, where `put_back` finds it."""
    if importlib.util.find_spec("ensurepip") is None:
        raise SystemExit(NO_VENV)
    print(f"Making an environment in {VENV} ...", flush=True)
    if os.path.lexists(VENV) and not os.path.lexists(BEFORE):
        VENV.rename(BEFORE)
    remove(VENV)
    try:
        venv.create(VENV, with_pip=True)
    except subprocess.CalledProcessError:
        remove(VENV)
        raise SystemExit(NO_VENV) from None
    WHOLE.write_text(str(VENV), "utf-8")


def put_back() -> None:
    """What stood there before a new environment was begun."""
    if os.path.lexists(BEFORE):
        remove(VENV)
        BEFORE.rename(VENV)
        print(f"What stood in {VENV} before stands there again.", file=sys.stderr)


def remove(path: Path) -> None:
    """A folder, or the link to one."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def remove_halves() -> None:
    """Packages without the list of their files, which pip writes last: it would take them for installed."""
    for described in [*VENV.glob("lib/python*/site-packages/*.dist-info"), *VENV.glob("Lib/site-packages/*.dist-info")]:
        if not (described / "RECORD").exists():
            shutil.rmtree(described, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
