"""Every sentence has its translation: of the page, of settings, and of every error, finding and note."""

import ast
import gettext
import string
import struct
from pathlib import Path

import catalog
import pytest
from chinese import english

from imgcls.augmentations import AUGMENTATIONS
from imgcls.cli.main import main
from imgcls.messages import Message, Setting, plural
from imgcls.optimizers import OPTIMIZERS
from imgcls.settings import TrainSettings, choices
from imgcls.web.i18n.labels import GROUPS, LABELS, VALUES
from imgcls.web.i18n.translator import LANGUAGES, LOCALE, Translator

PROJECT = Path(__file__).resolve().parent.parent
OTHERS = [language for language in LANGUAGES if language != "en"]
AGAIN = "run `python tests/catalog.py`, fill in every empty msgstr, and run it again"


def entries(language):
    with catalog.source(language).open("rb") as file:
        return {m.id: m for m in catalog.read_po(file, locale=language, domain=catalog.DOMAIN) if m.id}


def forms(entry):
    ids = entry.id if isinstance(entry.id, tuple) else (entry.id,)
    made = entry.string if isinstance(entry.string, tuple) else (entry.string,)
    return ids, made


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated_and_none_is_left_over(language):
    there, said = entries(language), {m.id for m in catalog.said() if m.id}
    assert not said - set(there), f"not in the catalog: {AGAIN}"
    assert not set(there) - said, f"nobody says these any more: {AGAIN}"
    assert not [ids for ids, entry in there.items() if not all(forms(entry)[1])], AGAIN


def test_the_catalog_misses_no_sentence_in_the_source():
    """Babel reads tokens: what stands inside an f-string, it does not see."""
    found = {text for ids in (m.id for m in catalog.said()) for text in (ids if isinstance(ids, tuple) else (ids,))}
    for place, name, call in written():
        for text in call.args[: 2 if name == "plural" else 1]:
            if isinstance(text, ast.Constant):
                assert text.value in found, f"{place}: {text.value}"


@pytest.mark.parametrize("language", OTHERS)
def test_the_compiled_catalog_is_the_written_one(language):
    path = catalog.source(language).with_suffix(".mo")
    compiled = gettext.translation(catalog.DOMAIN, LOCALE, [language])
    there = entries(language)
    for entry in there.values():
        ids, made = forms(entry)
        got = compiled.ngettext(*ids, 2) if len(ids) > 1 else compiled.gettext(ids[0])
        assert got == made[-1], AGAIN
    assert struct.unpack("<I", path.read_bytes()[8:12])[0] == len(there) + 1, AGAIN  # one is the header


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_fills_in_the_same_values(language):
    for entry in entries(language).values():
        ids, made = forms(entry)
        wanted = set().union(*map(fields, ids))
        for text in made:
            assert fields(text) <= wanted, ids
            assert wanted - fields(text) <= {"count"}, f"{ids}: a value is not said"


def written():
    """(place, call) of everything in the package that says a sentence."""
    for path in sorted((PROJECT / "imgcls").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = ast.unparse(node.func).split(".")[-1]
                if name in (*catalog.ERRORS, "Message", "plural", "words", "N_"):
                    yield f"{path.relative_to(PROJECT)}:{node.lineno}", name, node


def test_no_sentence_is_put_together_before_it_is_translated():
    for place, name, call in written():
        for text in call.args[: 2 if name == "plural" else 1]:
            assert not isinstance(text, ast.JoinedStr | ast.BinOp | ast.IfExp), f"{place}: {ast.unparse(text)}"


def test_every_value_of_a_sentence_is_given():
    for place, _, call in written():
        texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        given = {keyword.arg for keyword in call.keywords}
        if texts and None not in given and given - {"field"}:
            wanted = set().union(*map(fields, texts))
            assert wanted <= given, f"{place}: {wanted - given} is not given"
            assert given - {"field", "count"} <= wanted, f"{place}: {given - wanted} is not said"


def test_every_setting_is_named():
    assert set(TrainSettings.model_fields) <= set(LABELS)
    assert {info.json_schema_extra["group"] for info in TrainSettings.model_fields.values()} <= set(GROUPS)
    known = {value for name in TrainSettings.model_fields for value in choices(name) or ()}
    assert known - set(VALUES) - set(OPTIMIZERS) - set(AUGMENTATIONS) <= {"bf16", "fp16", "fp32"}


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [("en", 1, "1 image is there more than once."), ("en", 2, "2 images are there more than once."),
     ("zh", 1, "1 张图重复出现。"), ("zh", 2, "2 张图重复出现。")],
)  # fmt: skip
def test_one_and_many(language, count, said):
    message = plural("{count} image is there more than once.", "{count} images are there more than once.", count=count)
    assert Translator(language).message(message) == said


def test_the_page_calls_a_setting_by_its_label_the_terminal_by_its_name():
    with pytest.raises(Exception, match="^batch_size is 0, but must be a whole number from 1 to 8192") as caught:
        TrainSettings.checked({"batch_size": 0})
    message = caught.value.message
    assert Translator("en").message(message).startswith("Batch size is 0, but must be")
    assert Translator("zh").message(message) == "“批大小”现在是 0，但必须是 1 到 8192 的整数。"


def test_a_flag_is_named_in_the_terminal(capsys):
    assert main(["train", "--batch-size", "0"]) == 2
    assert "--batch-size is 0, but must be a whole number from 1 to 8192." in capsys.readouterr().err


def test_what_another_program_says_stays_as_it_is():
    assert Translator("zh").message(Message("What {nobody} has ever said.")) == "What {nobody} has ever said."
    said = Message("{file} is cut off or damaged: save or copy it again.", file="{0.__class__}")
    assert Translator("zh").message(said).startswith("{0.__class__} 不完整")


@pytest.mark.parametrize("language", ["zh"])
def test_no_english_is_left_in_chinese(language):
    said = [text for entry in entries(language).values() for text in forms(entry)[1]]
    assert not english(said)


def test_setting_alone():
    assert Translator("zh").message(Message("{x}", x=Setting("transfer", "head"))) == "只训练最后一层"
