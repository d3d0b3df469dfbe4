"""Where a button's result appears: whoever presses it sees that, and the keyboard is there.

Every button of the page that makes something has its row in RESULTS; `tests/browser/test_results.py` presses each.
"""

from __future__ import annotations

import json

# {the button: what it makes}, as CSS selectors. A result may be there before, empty.
RESULTS = {
    "#start": "#card",
}


def show(selector: str) -> str:
    """JavaScript for an event: the result comes into view and gets the focus."""
    return f"() => {{ window.imgclsShow?.({json.dumps(selector)}); }}"


def show_result_of(button: str) -> str:
    return show(RESULTS[button])
