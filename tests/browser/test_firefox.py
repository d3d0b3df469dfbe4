"""A Firefox opens the lab, learns in the page to 97 %, draws and gets its answer."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import THREE
from engine import node

HERE = Path(__file__).parent
PUPPETEER = "puppeteer-core@25.16.0"  # speaks WebDriver BiDi, which Debian's Firefox has
PATIENCE = 240  # seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the script, beside the package that it imports."""
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("no npm here")
    made = tmp_path_factory.mktemp("firefox")
    command = [npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(made), PUPPETEER]
    if subprocess.run(command, check=False, cwd=made, timeout=PATIENCE).returncode:
        pytest.skip(f"npm cannot fetch {PUPPETEER}")
    shutil.copy(HERE / "firefox.mjs", made)
    return made


def test_a_firefox_learns_in_the_page_and_reads_a_drawing(server, folder):
    firefox = shutil.which("firefox-esr") or shutil.which("firefox")
    if not firefox:
        pytest.skip("no Firefox here")
    asked = {"firefox": firefox, "url": f"{server.url}/en/?tab=train", "points": THREE}
    done = subprocess.run(
        [node(), "firefox.mjs", json.dumps(asked)],
        cwd=folder,
        env=os.environ | {"HOME": str(folder)},  # a profile of its own
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert float(said["accuracy"].rstrip("%")) >= 97 and said["rate"] != "–"
    assert said["answer"] == "3" and said["wrong"] == []
