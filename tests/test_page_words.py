"""Every sentence has both languages: the page's own, the settings', and every error that the page can show."""

import ast
import re
from pathlib import Path

import pytest

from imgcls.settings import TrainSettings, choices
from imgcls.web.components.fields import FIELDS
from imgcls.web.i18n.chinese import PARTS, SENTENCES, chinese
from imgcls.web.i18n.words import TABLE, Words

PROJECT = Path(__file__).resolve().parent.parent
ERRORS = {"SettingsError", "DatasetError", "WeightsError", "CheckpointError", "RunError", "InputError", "DeviceError"}
ELSEWHERE = ("imgcls/models/torchvision_check.py", "imgcls/cli/commands/fetch.py")  # terminal only


def template(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{[^{}]*\}", "{}", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return None


def raised():
    for path in sorted((PROJECT / "imgcls").rglob("*.py")):
        name = path.relative_to(PROJECT).as_posix()
        if name.startswith("imgcls/web/") or name in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called, made = ast.unparse(node.func).split(".")[-1], None
            if called in ERRORS:
                made = template(node.args[0])
            elif called == "Problem" or called == "note":  # a finding of a data report
                made = template(node.args[-1])
            if made:
                yield name, made


def test_every_error_has_its_chinese():
    missing = [(where, text) for where, text in raised() if text not in SENTENCES]
    assert not missing


@pytest.mark.parametrize("table", [SENTENCES, PARTS], ids=["sentences", "parts"])
def test_chinese_uses_only_values_that_are_there(table):
    for english, made in table.items():
        used = {int(n) for n in re.findall(r"\{(\d)\}", made)}
        assert used <= set(range(english.count("{}"))), english


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ("lr is -1, but must be a number above 0 and at most 100.", "lr 现在是 -1，但必须是大于 0 且不超过 100 的数。"),
        (
            "epochs is empty, but must be a whole number from 1 to 1000.",
            "epochs 现在是 空的，但必须是 1 到 1000 的整数。",
        ),
        ("What nobody has ever said.", "What nobody has ever said."),
    ],
)
def test_chinese(english, expected):
    assert chinese(english) == expected


def test_both_languages_fill_the_same_values():
    for key, (english, made) in TABLE.items():
        assert set(re.findall(r"\{(\w+)", english)) == set(re.findall(r"\{(\w+)", made)), key
        assert english.strip() and made.strip()


def test_every_setting_is_named():
    assert set(FIELDS) == set(TrainSettings.model_fields)
    groups = {info.json_schema_extra["group"] for info in TrainSettings.model_fields.values()}
    for language in ("en", "zh"):
        assert all(Words(language)(f"group_{group}") for group in groups)
    assert choices("model") == ("lenet", "alexnet", "resnet18")
