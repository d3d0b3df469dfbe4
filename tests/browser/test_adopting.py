"""Weights of one's own in Classify: refused with a sentence, or recognised, asked about once, and answering."""

import os
import pickle
import re
import sys
from pathlib import Path

from playwright.sync_api import expect
from results import shows_result

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from photos import flowers, photo  # noqa: E402

SOON = 40_000  # ms


class Evil:
    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (os.mkdir, (self.mark,))


def test_a_file_of_weights_becomes_a_checkpoint_or_a_sentence(page, server, tmp_path):
    import torch
    import torchvision

    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"conv1.weight": Evil(tmp_path / "ran")}))
    torch.save(torchvision.models.mobilenet_v3_small(num_classes=2).state_dict(), tmp_path / "our net.pth")
    photo("rose", 1).save(tmp_path / "rose.png")
    garden = flowers(server.root / "data" / "garden", each=3, classes=("rose", "tulip"))
    (garden / "tulip").rename(garden / "<b>tulip<b>")
    page.goto(f"{server.url}/en/")
    page.get_by_role("button", name="Use weights of your own").click(timeout=SOON)
    upload, said = page.locator("#adopt-file input[type=file]"), page.locator("#adopt-said")
    upload.set_input_files(tmp_path / "evil.pth")
    expect(said).to_contain_text("evil.pth holds more than tensors (pickle), which could run code", timeout=SOON)
    expect(said).to_contain_text("torch.save(model.state_dict()")
    assert not (tmp_path / "ran").exists()
    page.locator("#adopt-file button[aria-label]").last.click()
    expect(said).to_have_text("", timeout=SOON)

    upload.set_input_files(tmp_path / "our net.pth")
    expect(said).to_contain_text("mobilenet_v3_small; channels: 3, classes: 2", timeout=SOON)
    expect(page.locator("#adopt-mean input, #adopt-mean textarea")).to_have_value("0.485, 0.456, 0.406")
    page.get_by_role("button", name="Make it a checkpoint").click()
    shows_result(page, "#adopt-make")
    expect(said).to_contain_text("give 2 different names", timeout=SOON)
    chosen = page.locator("#adopt-set input")
    chosen.fill("garden")
    chosen.press("Enter")
    expect(page.locator("#adopt-classes textarea")).to_have_value("<b>tulip<b>, rose", timeout=SOON)
    page.get_by_role("button", name="Make it a checkpoint").click()
    expect(said).to_contain_text(
        re.compile(r"our-net is there\. It names \d of 6 images of garden right\."), timeout=SOON
    )
    expect(page.locator("#checkpoint input")).to_have_value(re.compile("^our-net"))
    page.locator("#photo input[type=file]").first.set_input_files(tmp_path / "rose.png")
    expect(page.locator("ol.bars li")).to_have_count(2, timeout=SOON)
    expect(page.locator("ol.bars")).to_contain_text("<b>tulip<b>")
