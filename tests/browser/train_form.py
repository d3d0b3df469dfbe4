"""The Train form under a test's hands: its settings lie below one line."""

from playwright.sync_api import expect

SOON = 40_000  # ms


def open_settings(page, group=None):
    """All settings in sight, of the `group` that a tab is called; what is just being built takes nothing yet."""
    fold = page.locator("#settings-fold button")
    expect(fold).to_be_visible(timeout=SOON)
    if fold.get_attribute("aria-expanded") == "false":
        fold.click()
    expect(page.locator("#field-epochs")).to_be_visible(timeout=SOON)
    if group:
        tabs = page.locator(".folded [role=tab]")
        tab = tabs.and_(page.get_by_role("tab", name=group, exact=True))
        if not tab.is_visible():  # what finds no room lies in a menu
            page.locator(".folded .overflow-menu > button").click()
            tab = page.locator(".folded .overflow-dropdown").get_by_text(group, exact=True)
        tab.click()
    page.wait_for_function("!document.querySelector('[inert]')")
