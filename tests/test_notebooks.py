"""The course's notebooks are those of their source, and each runs from top to bottom without a network."""

import json
from pathlib import Path

import nbformat
import notebooks
import pytest
from nbclient import NotebookClient

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 500  # seconds until a cell counts as hanging


def test_what_is_checked_in_is_what_the_source_makes():
    there = {path.stem: path.read_text("utf-8") for path in notebooks.FOLDER.glob("*.ipynb")}
    assert there == {name: notebooks.notebook(name) for name in notebooks.NOTEBOOKS}


@pytest.mark.parametrize("name", notebooks.NOTEBOOKS)
def test_text_comes_in_both_languages(name):
    for cell in json.loads(notebooks.notebook(name))["cells"]:
        if cell["cell_type"] == "markdown":
            paragraphs = "".join(cell["source"]).split("\n\n")
            english, chinese = (any("\u4e00" <= c <= "\u9fff" for c in text) for text in paragraphs[:2])
            assert not english and (chinese or paragraphs[0] == paragraphs[1])  # a name is the same in both


# One in the gate: all five take three minutes of two cores.
SHORT = ("01",)
SLOW = pytest.mark.slow
ALL = [name if name.startswith(SHORT) else pytest.param(name, marks=SLOW) for name in notebooks.NOTEBOOKS]


@pytest.mark.parametrize("name", ALL)
def test_it_runs(name, workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    made = nbformat.reads(notebooks.notebook(name), as_version=4)
    nbformat.validate(made)
    client = NotebookClient(
        made, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "error"]
    assert [output for output in shown if "<svg" in output.get("data", {}).get("text/html", "")]
