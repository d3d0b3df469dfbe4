"""More networks than have a button: looked through in a table, chosen, trained with."""

from playwright.sync_api import expect

SOON = 40_000  # ms


def test_a_network_of_the_table_gets_a_button_and_its_own_settings(page, server):
    page.goto(f"{server.url}/en/?tab=train")
    table = page.get_by_test_id("networks")
    page.get_by_role("button", name="More networks").click(timeout=SOON)
    row = table.locator("tbody tr", has_text="maxvit_t")
    expect(row).to_contain_text("30.9 M")
    expect(row).to_contain_text("83.7%")
    expect(row).to_contain_text("224 px")
    table.get_by_role("button", name="ImageNet accuracy").click()
    expect(table.locator("tbody tr").first).to_contain_text("vit_h_14")
    table.get_by_label("Find a network").fill("no such")
    expect(table.get_by_text("No network has that name.")).to_be_visible()
    table.get_by_label("Find a network").fill("MobileNet-v3")
    expect(table.locator("tbody tr:visible")).to_have_count(2)
    table.get_by_role("button", name="mobilenet_v3_small").click()
    expect(page.locator("#field-model label.selected")).to_have_text("mobilenet_v3_small", timeout=SOON)
    expect(page.locator("#command")).to_contain_text("--model mobilenet_v3_small", timeout=SOON)
    page.reload()  # the address holds it
    expect(page.locator("#field-model label.selected")).to_have_text("mobilenet_v3_small", timeout=SOON)
    page.locator("#field-model label", has_text="ResNet18").click()
    expect(page.locator("#field-model label")).to_have_count(5, timeout=SOON)
    expect(page.locator("#command")).not_to_contain_text("--model mobilenet", timeout=SOON)
