"""What a person can mend is a sentence at every address of the lab, in the language of the page that asks."""

import base64
import shutil

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from imgcls.errors import CheckpointError, DatasetError, ImgclsError, RunError, SettingsError, StorageError
from imgcls.web import static
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.classify.camera import frame_of
from imgcls.web.classify.pad import drawing_of
from imgcls.web.i18n.translator import Translator
from imgcls.web.server import error_answers
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.work_gate import Busy

FULL = StorageError("{path} could not be written ({reason}): free some space.", path="x.zip", reason="No space left")
KINDS = [
    (RunError("There is no run called {name}.", name="x"), 404),
    (CheckpointError("x"), 404), (DatasetError("x"), 404), (SettingsError("x"), 422), (FULL, 507), (Busy(), 429),
]  # fmt: skip


def raising(error):
    app = FastAPI()
    error_answers.add_handlers(app)

    @app.get("/it/{number}")
    async def it(number: int) -> None:
        raise error

    return TestClient(app)  # an error that nobody answers is raised here


@pytest.mark.parametrize(("error", "status"), KINDS)
def test_an_error_that_a_person_can_mend_is_its_sentence(error, status):
    answer = raising(error).get("/it/1")
    assert (answer.status_code, answer.text) == (status, str(error))
    assert ("retry-after" in answer.headers) == (status == 429)


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?language=zh", {}), ("", {"Referer": "http://lab/zh/?tab=train"}), ("", {"Accept-Language": "zh-CN"})],
)
def test_it_speaks_the_language_of_the_page_that_asks(query, headers):
    said = raising(Busy()).get(f"/it/1{query}", headers=headers).text
    assert said == Translator("zh").message(Busy().message) != str(Busy())
    assert raising(Busy()).get("/it/1?language=en", headers=headers).text == str(Busy())


@pytest.mark.parametrize("what", ["", "/units", "/epochs", "/page"])
def test_a_page_open_on_a_run_that_is_deleted_is_told_so(workspace, what):
    best = workspace.checkpoints / "mine" / "best.safetensors"
    shutil.copytree(workspace.shipped("checkpoints", "lenet-digits"), best.parent)
    weights = PageWeights(RunCache(workspace))
    app = FastAPI()
    error_answers.add_handlers(app)
    static.serve(app, weights)
    name = weights.name("mine/best")
    (best.parent / "epochs").mkdir()
    (best.parent / "epochs" / "0001.safetensors").write_bytes(b"left over")
    best.unlink()
    answer = TestClient(app).get(f"/weights/{name}{what}")
    assert answer.status_code == 404 and len(answer.text) > 20


@pytest.mark.parametrize(
    ("read", "prefix"), [(drawing_of, "data:image/png;base64,"), (frame_of, "data:image/jpeg;base64,")]
)
@pytest.mark.parametrize("content", ["é", "画", "AAA", "A A=", base64.b64encode(b"no picture").decode()])
def test_what_is_no_picture_in_base64_is_a_sentence(read, prefix, content):
    with pytest.raises(ImgclsError, match="cannot be read"):
        read(prefix + content)
