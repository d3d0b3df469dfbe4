"""Where a button's result appears: whoever presses it sees that, and the keyboard is there.

Every button that makes something has its row here. `tests/test_results.py` asks for the rows, and for a test in the
browser that presses each.
"""

from __future__ import annotations

from imgcls.web.shared.scripts import calls

# {the button: what it makes, or opens}, as CSS selectors; the first that can be seen is meant.
RESULTS = {
    "#start": "#card",
    "#try": ".room.classify .card.give",
    "#evaluate-run": "#evaluation .evaluate-view",
    "#train-on-it": ".room.train .card.settings",
    "#adopt-make": "#adopt-said",
    "#audit-it": "#audit .audit-view",
    "#cross-validate": "#cross-validation section",
    "#draw-others": "#samples",
    "#unpack": "#report, #unpacked",
    "#lab-start": "#lab-card",
    "#wrong-start": "#wrong-card",
    "#wrong-find": "#flipped-audit .audit-view",
    "[data-panel]": ".panel-body",  # by classify/js/panels.js itself
}


def show_result_of(button: str) -> str:
    """JavaScript for an event: the button's result comes into view and gets the focus."""
    return calls("shared/show_result.js", "show", RESULTS[button])
