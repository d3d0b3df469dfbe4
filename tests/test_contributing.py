"""CONTRIBUTING's recipes, followed in a copy of the project: a command, a column, a language, an endpoint, a panel."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy") / "imgcls"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("imgcls", "docs", "checkpoints", "weight"):
        shutil.copytree(PROJECT / name, root / name, ignore=ignored)
    (root / "tests").mkdir()
    for name in ("catalog.py", "reference.py"):
        shutil.copy(PROJECT / "tests" / name, root / "tests" / name)
    return root


def run(root, *command, home):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=os.environ | {"IMGCLS_HOME": str(home), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def insert(path, line, *, before="", after=""):
    """As a contributor does it, at a line that is there."""
    text, mark = path.read_text("utf-8"), before or after
    assert text.count(mark) == 1, (path, mark)
    path.write_text(text.replace(mark, line + mark if before else mark + line), "utf-8")


def test_a_command_and_a_column(copy, tmp_path):
    insert(
        copy / "imgcls/cli/parser.py",
        '    Command("greet", "say hello", lambda parser: None, ("greet",)),\n',
        before='    Command("work", "", _work, hidden=True),\n',
    )
    (copy / "imgcls/cli/commands/greet.py").write_text('def run(arguments):\n    print("hello")\n    return 0\n')
    assert run(copy, "-m", "imgcls", "greet", home=tmp_path) == "hello\n"
    assert "say hello" in run(copy, "-m", "imgcls", "--help", home=tmp_path)

    logs = tmp_path / "train_logs" / "one"
    logs.mkdir(parents=True)
    (logs / "settings.json").write_text(json.dumps({"dataset": "mnist", "model": "lenet"}))
    insert(
        copy / "imgcls/runs/summary.py",
        '        "letters": len(run_view.run.name),\n',
        before='        "place": queue.position(run_view.run)',
    )
    assert json.loads(run(copy, "-m", "imgcls", "runs", "--json", home=tmp_path))[0]["letters"] == 3


LOOK = """
import json, sys
from imgcls.web import api, page
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import ALONE
from imgcls.web.shared.run_cache import RunCache
from imgcls.workspace import Workspace
lab = RunCache(Workspace.from_environment())
people = People(lab.workspace, shared=False)
shown = page.build(Translator("en"), lab, PageWeights(lab), ALONE, people).config["components"]
print(json.dumps({
    "endpoints": list(api.build(lab, ALONE, people).get_api_info()["named_endpoints"]),
    "greeting": [c["props"].get("value") for c in shown if c["props"].get("elem_id") == "greeting"],
}))
"""


def test_an_endpoint_and_a_panel(copy, tmp_path):
    api = copy / "imgcls/web/api.py"
    greet = '    def greet(self) -> str:\n        """Say hello.\n\n        Returns:\n            a word\n        """\n'
    insert(api, greet + '        return "hello"\n\n', before="    def checkpoints(self)")
    insert(api, "        _endpoint(endpoints.greet, [])\n", before="        _endpoint(endpoints.checkpoints, [])\n")
    (copy / "imgcls/web/data/greeting.html.j2").write_text("<p>{{ _('Data') }}: {{ name }}</p>")
    (copy / "imgcls/web/data/greeting.py").write_text(
        "import gradio as gr\nfrom imgcls.web.shared.render import render\n\n\ndef greeting(translate):\n"
        "    return gr.HTML(render('greeting', translate, name='<b>'), elem_id='greeting')\n"
    )
    tab = copy / "imgcls/web/data/tab.py"
    insert(tab, "        greeting(translate)\n", before="        self.missing = FetchView(")
    insert(tab, "from imgcls.web.data.greeting import greeting\n", before="from imgcls.web.data import report_card\n")
    seen = json.loads(run(copy, "-c", LOOK, home=tmp_path).splitlines()[-1])
    assert "/greet" in seen["endpoints"] and seen["greeting"] == ["<p>Data: &lt;b&gt;</p>"]


def test_a_language(copy, tmp_path):
    insert(
        copy / "imgcls/web/i18n/translator.py", ', "fr": "Français"', after='LANGUAGES = {"en": "English", "zh": "中文"'
    )
    insert(copy / "imgcls/web/server/language.py", ', "fr": "fr"', after='CODES = {"en": "en", "zh": "zh-CN"')
    told = run(copy, "tests/catalog.py", home=tmp_path)
    assert "fr/LC_MESSAGES/imgcls.po" in told
    catalog = copy / "imgcls/locale/fr/LC_MESSAGES/imgcls.po"
    insert(catalog, "Commencer", after='msgid "Start training"\nmsgstr "')
    run(copy, "tests/catalog.py", home=tmp_path)
    say = "from imgcls.web.i18n.translator import Translator as T; print(T('fr')('Start training'), T('fr')('Data'))"
    assert run(copy, "-c", say, home=tmp_path) == "Commencer Data\n"
