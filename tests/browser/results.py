"""Whether what a button has made is where one looks."""

from imgcls.web.shared.results import RESULTS

LONG = 90_000  # ms
IN_SIGHT = """where => {
  const result = document.activeElement?.closest(where), box = result?.getBoundingClientRect();
  return Boolean(box) && box.top >= -1 && (box.top < innerHeight - 40 || box.bottom <= innerHeight);
}"""


def shows_result(page, button):
    """The result of the button has the focus, and begins in the window."""
    page.wait_for_function(IN_SIGHT, arg=RESULTS[button], timeout=LONG)
