"""start.py with a tiny lab: it sets up, once, and it recovers from every set-up that was interrupted."""

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """start.py beside a package `imgcls` that says what it was asked, and requires one module from a file."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(PROJECT / "start.py", folder)
    (folder / "imgcls").mkdir()
    (folder / "imgcls" / "__main__.py").write_text("import sys, tiny; print('asked', *sys.argv[1:], tiny.HERE)")
    (folder / "requirements.txt").write_text(str(wheel(folder)))
    (folder / ".venv.tmp" / "bin").mkdir(parents=True)  # a first start that was killed
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


def test_every_interrupted_set_up_is_mended(lab):
    said = start(lab, "runs", "--json")
    assert said.returncode == 0 and said.stdout.endswith("asked runs --json True\n"), said.stderr
    assert "Making an environment" in said.stdout and not (lab / ".venv.tmp").exists()

    said = start(lab)
    assert said.stdout == "asked serve True\n"  # nothing is installed twice

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


def test_without_venv_it_says_what_to_install_and_the_next_start_works_on(tmp_path):
    shutil.copy(PROJECT / "start.py", tmp_path)
    (tmp_path / "requirements.txt").write_text("")
    code = "import sys; sys.modules['ensurepip'] = None; import start; sys.exit(start.main(['runs']))"
    said = start(tmp_path, code=code)
    assert said.returncode == 1 and "apt install python3-venv" in said.stderr and "Traceback" not in said.stderr
    assert not (tmp_path / ".venv").exists() and not (tmp_path / ".venv.tmp").exists()


def test_an_installation_that_fails_is_a_sentence(lab):
    (lab / "requirements.txt").write_text("./nowhere.whl")
    said = start(lab)
    assert said.returncode == 1 and "The installation failed" in said.stderr and "Traceback" not in said.stderr
