"""The presets above the form: chosen, seen in the settings, the command and the address, and with a time to expect."""

import re

from playwright.sync_api import expect
from train_form import open_settings


def test_a_preset_fills_the_form_and_is_named_in_command_and_address(page, server):
    epochs, command = page.locator("#field-epochs input"), page.locator("#command code")
    page.goto(server.url + "/en/?tab=train&preset=sprint")
    expect(epochs).to_have_value("1", timeout=20_000)
    expect(command).to_contain_text("--preset sprint")
    page.locator("#field-preset").get_by_text("Thorough").click()
    expect(epochs).to_have_value("120")
    expect(command).to_contain_text("--preset thorough")
    expect(page).to_have_url(re.compile("preset=thorough"))
    page.locator("#field-preset").get_by_text("Standard").click()
    expect(epochs).to_have_value("5")
    expect(command).not_to_contain_text("--preset")
    expect(page.locator("#field-preset label").first).to_have_text(
        re.compile(r"Sprint.*98.4% · about \d+:\d\d", re.S), timeout=90_000
    )


def test_a_preset_chosen_before_the_form_asks_for_the_first_time_is_followed(page, server):
    """On a slow network the chips are there before the script that asks what follows from them."""
    held = []
    page.route("**/form_state.js", lambda route: route.continue_() if held is None else held.append(route))
    page.goto(server.url + "/en/?tab=train")
    page.locator("#field-preset").get_by_text("Sprint").click(timeout=40_000)
    expect(page.locator("#field-preset label.selected")).to_contain_text("Sprint")
    late, held = held, None
    for route in late:
        route.continue_()
    expect(page.locator("#settings-fold")).to_contain_text("Epochs 1", timeout=40_000)
    expect(page).to_have_url(re.compile("preset=sprint$"))


def test_a_learning_rate_is_looked_for_and_filled_in(page, server):
    page.goto(server.url + "/en/?tab=train&train_images=600&val_split=200&threads=1")
    open_settings(page)
    rate, found = page.locator("#field-lr input"), page.get_by_test_id("rate-found")
    expect(rate).to_have_value("0.1")
    page.locator("#find-rate").click()
    page.locator("#stop-rate").click(timeout=20_000)
    expect(found).to_have_text("Stopped.", timeout=30_000)
    expect(page.locator("#stop-rate")).to_be_hidden()
    page.locator("#find-rate").click()
    expect(found).to_contain_text("a third of the rate at which the loss was smallest", timeout=90_000)
    said = found.inner_text().partition(":")[0]
    expect(rate).to_have_value(said)
    expect(page.locator("#command code")).to_contain_text(f"--lr {said} ", timeout=30_000)
