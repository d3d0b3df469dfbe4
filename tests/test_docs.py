"""The documentation says what is there, all of it, in both languages, and its code runs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import reference

PROJECT = Path(__file__).resolve().parent.parent
DOCS = sorted((PROJECT / "docs").glob("*.md"))
PAGES = [*DOCS, *(PROJECT / name for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
TWINS = ("README", "docs/guide", "docs/hosting", "docs/terminal", "docs/course")
SOURCES = [path for path in (PROJECT / "imgcls").rglob("*.py")]


def text(page, chinese=False):
    return (PROJECT / f"{page}{'.zh-CN' if chinese else ''}.md").read_text("utf-8")


def blocks(page, language="python"):
    return [code for named, code in re.findall(r"^```(\w*)\n(.*?)^```", page, re.S | re.M) if named == language]


def uncommented(code):
    return re.sub(r"\s*#.*", "", code)


def commands(page):
    """The command lines of blocks that are not in a language of their own."""
    lines = (line for code in blocks(page, "") for line in code.splitlines())
    return [uncommented(line) for line in lines if re.match(r"(python|imgcls|pip|accelerate|tensorboard) ", line)]


@pytest.mark.parametrize("name", ["api", "commands", "tree"])
def test_the_reference_is_that_of_the_source(name):
    made = getattr(reference, name)()
    assert text(f"docs/{name}") == made, "run `python tests/reference.py`"


def test_the_reference_leaves_out_no_public_name_and_no_flag():
    import imgcls
    from imgcls.settings import TrainSettings

    assert sorted(name for names in reference.GROUPS.values() for name in names) == sorted(imgcls.__all__)
    flags = text("docs/commands")
    assert not [name for name in TrainSettings.model_fields if f"`--{name.replace('_', '-')} " not in flags]


@pytest.mark.parametrize("chinese", [False, True])
def test_every_environment_variable_is_documented(chinese):
    used = {
        name for path in SOURCES for name in re.findall(r"\b(?:IMGCLS_[A-Z_]+|HF_ENDPOINT)\b", path.read_text("utf-8"))
    }
    documented = set(re.findall(r"^\| .*?\|", text("docs/hosting", chinese), re.M))
    assert used and not {name for name in used if not any(f"`{name}`" in row for row in documented)}


@pytest.mark.parametrize("chinese", [False, True])
def test_every_endpoint_is_documented(chinese):
    tree = ast.parse((PROJECT / "imgcls" / "web" / "api.py").read_text("utf-8"))
    offered = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "_endpoint")
    made = [ast.unparse(call.args[0]).removeprefix("endpoints.") for call in offered]
    assert len(made) >= 7 and not [name for name in made if f"`/{name}`" not in text("docs/terminal", chinese)]


@pytest.mark.parametrize("page", TWINS)
def test_the_two_languages_have_the_same_code_and_headings(page):
    english, chinese = text(page), text(page, chinese=True)
    for said in (commands, lambda page: [uncommented(code) for code in blocks(page)]):
        assert said(english) == said(chinese)
    assert len(re.findall(r"^#+ ", english, re.M)) == len(re.findall(r"^#+ ", chinese, re.M))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    said = page.read_text("utf-8")
    for label, target in re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`]*`", "", said, flags=re.S)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: [{label}]({target})"
        if anchor:
            headings = re.findall(r"^#+ (.*)", file.read_text("utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: [{label}]({target})"


def test_the_readme_is_short():
    for page in ("README", "README.zh-CN"):
        assert len(text(page).splitlines()) <= 110


@pytest.mark.parametrize("page", ["README", "docs/guide"])
def test_python_of_the_documentation_runs(page, workspace, tmp_path):
    for code in blocks(text(page)):
        said = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=500)
        assert said.returncode == 0, said.stderr
        if "imgcls.compare" in code:
            assert "better" in said.stdout or "tell" in said.stdout


def test_the_version_stands_in_one_place():
    import imgcls

    assert f"\n## {imgcls.__version__}\n" in text("CHANGELOG")
    assert 'dynamic = ["version"]' in (PROJECT / "pyproject.toml").read_text("utf-8")


def test_what_contributing_names_is_there():
    named = re.findall(r"`((?:imgcls|tests|docs)/[\w./-]+)`", text("CONTRIBUTING"))
    assert len(named) > 25 and not [name for name in named if not (PROJECT / name).exists()]
