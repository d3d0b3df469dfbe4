"""README's pictures: `python tests/browser/pictures.py` draws and trains in a real browser, in both languages.

Writes docs/pictures/<tab>.<language>.webp, each at most 150 KB; Classify's is a film of at most 1.5 MB. Takes some
minutes: a small run and a small comparison are really trained, in a workspace that is thrown away, or in the one
that is named, where they may stand already.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from conftest import FLAGS, PROJECT, THREE, Server, chromium  # noqa: E402

LARGEST = 150_000  # bytes
LARGEST_FILM = 1_500_000
FILM = (960, 645)  # px
SIZE = {"width": 1280, "height": 860}
SMALL = ["--train-images", "12000", "--val-split", "2000", "--threads", "1"]
FOUR = "kaiming-uniform,all-zeros,too-small,too-large"
COMMANDS = (
    ["train", "--name", "first-try", "--epochs", "4", *SMALL],
    ["init-lab", "--name", "four-starts", "--inits", FOUR, "--epochs", "2", *SMALL],
)


def film(page: Page, path: Path) -> None:
    """A digit is drawn, answered at each stroke, and looked into."""
    page.wait_for_selector("#pad canvas")
    page.wait_for_timeout(2000)
    frames: list[tuple[Image.Image, int]] = []  # (picture, ms that it stays)

    def shoot(stays: int) -> None:
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        frames.append((picture.resize(FILM, Image.Resampling.LANCZOS), stays))

    box = page.locator("#pad canvas").bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
    shoot(800)
    page.mouse.move(*points[0])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(x, y, steps=4)
        page.wait_for_timeout(60)
        shoot(120)
    page.mouse.up()
    page.get_by_test_id("answer").wait_for()
    page.wait_for_timeout(700)
    shoot(1800)
    page.locator("[data-panel=inside]").first.click()
    page.wait_for_timeout(2500)
    shoot(3500)
    first, stays = frames[0][0], [ms for _, ms in frames]
    for quality in (80, 70, 55, 40):
        others = [picture for picture, _ in frames[1:]]
        first.save(path, save_all=True, append_images=others, duration=stays, loop=0, quality=quality, method=4)
        if path.stat().st_size <= LARGEST_FILM:
            return
    raise SystemExit(f"{path} is larger than {LARGEST_FILM:,} bytes.")


def take(page: Page, path: Path) -> None:
    page.wait_for_timeout(2500)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in (88, 80, 70, 60, 45):
        picture.save(path, quality=quality, method=6)
        if path.stat().st_size <= LARGEST:
            return
    raise SystemExit(f"{path} is larger than {LARGEST:,} bytes.")


def main() -> None:
    into = PROJECT / "docs" / "pictures"
    into.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(sys.argv[1] if sys.argv[1:] else folder))
        for command in COMMANDS:
            if (server.root / "train_logs" / command[2]).exists():
                continue
            subprocess.run([sys.executable, "-m", "imgcls", *command], cwd=PROJECT, env=server.environment, check=True)
        server.start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            for language in ("en", "zh"):
                page = browser.new_page(viewport=SIZE)
                page.goto(f"{server.url}/{language}/")
                film(page, into / f"classify.{language}.webp")
                page.goto(f"{server.url}/{language}/?tab=train&run=first-try")
                page.locator("#card figure.chart").first.wait_for()
                page.get_by_test_id("plan").locator("strong").wait_for(timeout=300_000)  # about how long it would take
                take(page, into / f"train.{language}.webp")
                page.goto(f"{server.url}/{language}/?tab=data")
                page.locator("#samples img").first.wait_for()
                take(page, into / f"data.{language}.webp")
                page.goto(f"{server.url}/{language}/?tab=init-lab")
                page.locator(".lesson").first.wait_for()
                page.locator(".lesson").first.scroll_into_view_if_needed()
                take(page, into / f"init-lab.{language}.webp")
                page.close()
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
