"""start.py with a tiny lab: it sets up, once, and it recovers from every set-up that was interrupted."""

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).resolve().parent.parent
posix = pytest.mark.skipif(os.name == "nt", reason="scripts and signals of POSIX")
LAB = """
import os, signal, sys, tiny

if sys.argv[1] == "wait":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("closed"))
    try:
        print("open", os.getpid(), flush=True)  # the signal may come before this line ends
        signal.pause()
    except KeyboardInterrupt:
        sys.exit("closed")
if "where" in sys.argv:
    print(os.getcwd())
print("asked", *sys.argv[1:], tiny.HERE)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """start.py beside a package `imgcls` that says what it was asked, and requires one module from a file. An earlier
    start was killed while it made the environment, with an earlier one set aside."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(PROJECT / "start.py", folder)
    (folder / "imgcls").mkdir()
    (folder / "imgcls" / "__main__.py").write_text(LAB)
    (folder / "requirements.txt").write_text(str(wheel(folder)))
    half = folder / ".venv" / "bin"
    half.mkdir(parents=True)
    (half / "python").symlink_to(sys.executable)
    (folder / ".venv" / "kept").touch()
    (folder / ".venv-before").mkdir()
    return folder


def wheel(folder):
    files = {
        "tiny.py": "HERE = True\n",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        for name, text in files.items()
    }
    rows = [f"{name},sha256={digests[name]},{len(text)}" for name, text in files.items()]
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr("tiny-1.0.dist-info/RECORD", "\n".join([*rows, "tiny-1.0.dist-info/RECORD,,"]))
    return path


def start(lab, *arguments, code=None):
    command = [sys.executable, "start.py"] if code is None else [sys.executable, "-c", code]
    return subprocess.run([*command, *arguments], cwd=lab, capture_output=True, text=True, timeout=300)


def packages(lab):
    return next(lab.glob(".venv/[lL]ib/**/site-packages"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--help"], 0, "train"), (["-h"], 0, "docs/commands.md"), (["train", "--help"], 0, "docs/commands.md"),
        (["trian"], 2, "There is no command 'trian': choose one of adopt, audit"), (["help"], 2, "There is no command"),
    ],
)  # fmt: skip
def test_help_and_wrong_words_are_answered_before_anything_is_installed(tmp_path, words, code, said):
    shutil.copy(PROJECT / "start.py", tmp_path)
    (tmp_path / "requirements.txt").write_text("nothing-that-there-is==0\n")
    shutil.copytree(PROJECT / "imgcls" / "cli" / "commands", tmp_path / "imgcls" / "cli" / "commands")
    answered = start(tmp_path, *words)
    assert answered.returncode == code and said in answered.stdout + answered.stderr
    assert not (tmp_path / ".venv").exists() and "Installing" not in answered.stdout


def test_every_interrupted_set_up_is_mended(lab):
    said = start(lab, "runs", "--json")
    assert said.returncode == 0 and said.stdout.endswith("asked runs --json True\n"), said.stderr
    assert "Making an environment" in said.stdout and not (lab / ".venv" / "kept").exists()
    assert not (lab / ".venv-before").exists()

    said = start(lab)
    assert said.stdout == "asked serve True\n"  # nothing is installed twice
    assert start(lab, "--port", "8000").stdout == "asked serve --port 8000 True\n"
    assert start(lab, "--version").stdout == "asked --version True\n"

    # Killed in the middle of a package: described, not listed, and a file missing.
    (packages(lab) / "tiny-1.0.dist-info" / "RECORD").unlink()
    (packages(lab) / "tiny.py").unlink()
    (lab / ".venv" / "installed-requirements.txt").unlink()
    said = start(lab)
    assert said.returncode == 0 and "asked serve True" in said.stdout and "Making" not in said.stdout

    # The requirements have changed.
    (lab / "requirements.txt").write_text((lab / "requirements.txt").read_text() + "\n# more\n")
    assert "Installing" in start(lab).stdout and "Installing" not in start(lab).stdout

    # An environment without pip, as a Debian without python3-venv leaves it, with the mark of another version.
    shutil.rmtree(packages(lab) / "pip")
    (lab / ".venv" / "installed-requirements.txt").write_text("older")
    said = start(lab)
    assert said.returncode == 0 and "Making an environment" in said.stdout and "asked serve True" in said.stdout


def test_started_from_elsewhere_it_looks_for_files_there_and_takes_no_module_from_there(lab, tmp_path):
    start(lab, "runs")
    for name in ("tiny.py", "signal.py"):
        (tmp_path / name).write_text("raise SystemExit('a file of somebody else')\n")
    said = subprocess.run(
        [sys.executable, lab / "start.py", "predict", "where"], cwd=tmp_path, capture_output=True, text=True
    )
    assert said.stdout == f"{tmp_path.resolve()}\nasked predict where True\n", said.stderr


@posix
def test_the_environment_is_one_that_a_person_can_use(lab):
    """README sends people to the programs in it: they start, and `activate` makes them the ones that are found."""
    start(lab, "runs")
    pip = subprocess.run([lab / ".venv" / "bin" / "pip", "--version"], capture_output=True, text=True)
    assert pip.returncode == 0 and str(lab / ".venv") in pip.stdout
    asked = ". .venv/bin/activate && python -c 'import sys, tiny; print(sys.prefix)' && command -v pip"
    said = subprocess.run(["sh", "-c", asked], cwd=lab, capture_output=True, text=True)
    assert said.stdout.split() == [str(lab / ".venv"), str(lab / ".venv" / "bin" / "pip")], said.stderr


@posix
def test_in_a_folder_that_was_moved_the_environment_is_made_anew(lab, tmp_path):
    start(lab, "runs")
    moved = shutil.copytree(lab, tmp_path / "moved", symlinks=True)
    said = start(moved, "runs")
    assert said.returncode == 0 and "Making an environment" in said.stdout and "asked runs True" in said.stdout
    pip = subprocess.run([moved / ".venv" / "bin" / "pip", "--version"], capture_output=True, text=True)
    assert str(moved / ".venv") in pip.stdout


@posix
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_start_py_ends_the_lab(lab, ending):
    start(lab, "runs")
    process = subprocess.Popen(
        [sys.executable, "start.py", "wait"], cwd=lab, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    word, pid = process.stdout.readline().split()
    assert word == "open"
    process.send_signal(ending)
    _, errors = process.communicate(timeout=60)
    assert not psutil.pid_exists(int(pid))
    assert ending == signal.SIGKILL or errors == "closed\n"


@posix
def test_whatever_ends_start_py_ends_an_installation(lab):
    """pip waits for a file that never comes; start.py is ended meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        requirements = (lab / "requirements.txt").read_text()
        (lab / "requirements.txt").write_text(f"http://127.0.0.1:{silent.getsockname()[1]}/a-1.0-py3-none-any.whl")
        process = subprocess.Popen([sys.executable, "start.py"], cwd=lab, stderr=subprocess.PIPE, text=True)
        with silent.accept()[0]:  # pip asks
            pips = psutil.Process(process.pid).children(recursive=True)
            assert pips
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
    assert "the next start goes on" in errors
    _, alive = psutil.wait_procs(pips, 10)
    assert not [pip for pip in alive if pip.status() != psutil.STATUS_ZOMBIE]  # this machine's init may be late
    (lab / "requirements.txt").write_text(requirements)
    assert "asked runs True" in start(lab, "runs").stdout


def test_without_venv_it_says_what_to_install_and_the_next_start_works_on(tmp_path):
    shutil.copy(PROJECT / "start.py", tmp_path)
    (tmp_path / "requirements.txt").write_text("")
    code = "import sys; sys.modules['ensurepip'] = None; import start; sys.exit(start.main(['runs']))"
    said = start(tmp_path, code=code)
    assert said.returncode == 1 and "apt install python3-venv" in said.stderr and "Traceback" not in said.stderr
    assert not (tmp_path / ".venv").exists()


def unmark(lab):
    for mark in ("whole", "installed-requirements.txt"):
        (lab / ".venv" / mark).unlink(missing_ok=True)


@pytest.mark.parametrize("maker", ["python -m venv", "uv"])
def test_an_environment_that_somebody_made_is_used_as_it_is(lab, maker):
    """uv brings no pip."""
    start(lab, "runs")
    unmark(lab)
    (lab / ".venv" / "mine").touch()
    if maker == "uv":
        for one in [*packages(lab).glob("pip*"), *(lab / ".venv").glob("[Sb][ci]*/pip*")]:
            shutil.rmtree(one) if one.is_dir() else one.unlink()
    said = start(lab, "runs")
    assert said.stdout.endswith("asked runs True\n") and "Making" not in said.stdout, said.stderr
    assert (lab / ".venv" / "mine").exists() and start(lab, "runs").stdout == "asked runs True\n"


def test_an_installation_that_fails_is_a_sentence_and_leaves_what_was_there(lab):
    start(lab, "runs")
    (lab / "requirements.txt").write_text("./nowhere.whl")
    unmark(lab)
    (lab / ".venv" / "mine").touch()
    shutil.rmtree(packages(lab) / "pip")  # so that it cannot be used
    said = start(lab)
    assert said.returncode == 1 and "The installation failed" in said.stderr and "Traceback" not in said.stderr
    assert "Making an environment" in said.stdout and (lab / ".venv" / "mine").exists()
    assert (packages(lab) / "tiny.py").exists() and not (lab / ".venv-before").exists()
