"""Whether only uploads are read is asked of the page itself before it is served."""

import pytest

from imgcls.cli.main import main
from imgcls.errors import InstallError
from imgcls.web import app
from imgcls.web.server.refusals import check_configuration


def test_a_lab_that_reads_any_file_is_not_served(workspace, monkeypatch, capsys):
    """As if Gradio had renamed what its check asks for: nothing else would fail."""
    monkeypatch.setattr(app, "only_uploads", lambda page, words: page)
    monkeypatch.setattr(app.uvicorn.Server, "run", lambda *_, **__: pytest.fail("it was served"))
    assert main(["serve", "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert "files that nobody has uploaded" in said and said.count("\n") == 1
    assert "pip install -r requirements.txt" in said


def test_the_tested_gradio_refuses(workspace, monkeypatch, capsys):
    served = []
    monkeypatch.setattr(app.uvicorn.Server, "run", lambda *_, **__: served.append(True))
    assert main(["serve", "--port", "0"]) == 0
    assert served and "Traceback" not in capsys.readouterr().err


FIELD = {"id": 1, "type": "dropdown", "props": {"elem_id": "field-model"}}
EVENT = {"id": 0, "outputs": [1]}


def test_a_page_that_is_described_otherwise_is_not_served():
    """The browser would take every late answer for the newest."""
    check_configuration({"components": [FIELD], "dependencies": [EVENT]})
    for config in (
        {},
        [],
        {"components": [FIELD]},
        {"components": [], "dependencies": [EVENT]},
        {"components": [FIELD | {"props": {}}], "dependencies": [EVENT]},
        {"components": [FIELD], "dependencies": [{"id": 0, "targets": []}]},
    ):
        with pytest.raises(InstallError, match="describes its pages otherwise"):
            check_configuration(config)
