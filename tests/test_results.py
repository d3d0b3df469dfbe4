"""Every button that makes something brings its result into view and hands it the focus."""

import ast
import re

from imgcls.web.shared.results import RESULTS
from imgcls.workspace import PROJECT

WEB, BROWSER = PROJECT / "imgcls" / "web", PROJECT / "tests" / "browser"
OPENS_ITSELF = "[data-panel]"  # its script has no Python beside it


def main_buttons():
    """(file, elem_id) of every button of Gradio that is drawn as the main one."""
    for path in WEB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "gr.Button":
                given = {one.arg: getattr(one.value, "value", None) for one in node.keywords}
                if given.get("variant") == "primary":
                    yield path.name, f"#{given['elem_id']}"


def test_every_main_button_says_where_its_result_is():
    found = list(main_buttons())
    assert len(found) >= 8 and not [one for one in found if one[1] not in RESULTS]


def test_every_result_is_shown_and_tried():
    python = "".join(path.read_text("utf-8") for path in WEB.rglob("*.py"))
    shown = set(re.findall(r'show_result_of\("([^"]+)"\)', python))
    shown |= set(re.findall(r'\("(#[\w-]+)", [\w.]+\.click\)', python))  # from a table
    assert shown == set(RESULTS) - {OPENS_ITSELF}
    assert "show(panel.inView" in (WEB / "classify" / "js" / "panels.js").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in BROWSER.glob("test_*.py"))
    assert set(re.findall(r'shows_result\(\w+, "([^"]+)"\)', tests)) == set(RESULTS)
