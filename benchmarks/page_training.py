"""Training in the browser against the trainer on one thread: images a second, in turns, and seconds to 98 %.

    python -m benchmarks.page_training [--rounds 5] [--steps 150] [--seeds 5] [--images 20000] [--epochs N]

Chromium's worker runs the very files that the page loads, plain and relaxed SIMD; PyTorch runs the trainer's own steps
on MNIST, batches included. Wall time: leave the machine alone. `CHROMIUM` names the browser.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import os
import shutil
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from imgcls.data.datasets import load_dataset
from imgcls.recipes import preprocess_for
from imgcls.training.device import choose_device
from imgcls.training.learner import make_learner
from imgcls.web.engine.build import FLAGS, HERE
from imgcls.web.engine.dataset_file import make_file, page_settings
from imgcls.web.standalone.build import built
from imgcls.web.train.page_options import default_settings
from imgcls.workspace import Workspace

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
TARGET = 0.98
# A worker with the images; `run(settings, steps)` trains a fresh network, and tells the seconds after each epoch.
PAGE = """async ([script, wasm, data]) => {
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
  const module = await WebAssembly.compile(bytes(wasm));
  const heard = said => new Promise(resolve => {
    worker.addEventListener('message', function one({ data }) {
      if (!said(data)) return;
      worker.removeEventListener('message', one);
      resolve(data);
    });
  });
  const loaded = heard(m => m.said === 'data');
  worker.postMessage({ do: 'data', buffer: bytes(data) });
  await loaded;
  window.train = async (settings, steps) => {
    const opened = heard(m => m.said === 'progress');
    worker.postMessage({ do: 'open', module, settings });
    await opened;
    const began = performance.now(), ends = [], known = new Set();
    const over = heard(m => {
      if (m.said !== 'progress') return false;
      for (const { epoch, accuracy } of m.held_out) {
        if (!known.has(epoch)) { known.add(epoch); ends.push([(performance.now() - began) / 1000, accuracy]); }
      }
      return m.done || m.step >= steps;
    });
    worker.postMessage({ do: 'run', mode: 'play' });
    const last = await over, seconds = (performance.now() - began) / 1000;
    const paused = heard(m => m.said === 'state');
    worker.postMessage({ do: 'run', mode: 'pause' });
    await paused;
    return { seconds, images: last.step * settings.batch_size, ends };
  };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=0, help="0: the page's own")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    torch.set_num_threads(1)
    data = base64.b64encode(make_file("mnist", arguments.images, Workspace.from_environment()).content).decode()
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        pages: dict[str, Any] = {}
        for name in FLAGS:
            pages[name] = browser.new_page()
            wasm = base64.b64encode((HERE / f"{name}.wasm").read_bytes()).decode()
            pages[name].evaluate(PAGE, [built("worker"), wasm, data])
        _speed(pages, arguments)
        _seconds(pages, arguments)
        browser.close()


def _speed(pages: dict[str, Any], arguments: argparse.Namespace) -> None:
    ways: dict[str, Callable[[], float]] = {"PyTorch, one thread": _torch_way(arguments.images, arguments.steps)}
    for name, page in pages.items():
        ways[name] = lambda page=page: _images_a_second(page, arguments)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(arguments.rounds + 1):  # the first warms up
        for name, way in ways.items():
            speed = way()
            if turn:
                taken[name].append(speed)
    base = taken["PyTorch, one thread"]
    for name, each in taken.items():
        ratio = statistics.median(a / b for a, b in zip(each, base, strict=True))
        print(f"{statistics.median(each):8,.0f} images/s ({min(each):,.0f} to {max(each):,.0f}), {ratio:.2f}  {name}")


def _images_a_second(page: Any, arguments: argparse.Namespace) -> float:
    said = page.evaluate("([s, n]) => train(s, n)", [{"epochs": 100, "batch_size": 128}, arguments.steps])
    return said["images"] / said["seconds"]


def _torch_way(images: int, steps: int) -> Callable[[], float]:
    workspace = Workspace.from_environment()
    settings = page_settings("mnist", images)
    data = load_dataset(settings, workspace, preprocess_for(settings))
    learner = make_learner(settings, data, workspace, choose_device(settings))
    learner.begin_epoch(0)

    def speed() -> float:
        batches = itertools.chain.from_iterable(learner.batches.epoch(number) for number in itertools.count())
        began, seen = time.perf_counter(), 0
        for inputs, labels in itertools.islice(batches, steps):
            learner.step(inputs, labels)
            seen += len(labels)
        return seen / (time.perf_counter() - began)

    return speed


def _seconds(pages: dict[str, Any], arguments: argparse.Namespace) -> None:
    recipe = default_settings("mnist")
    recipe |= recipe.pop("by_images")[str(arguments.images)]
    if arguments.epochs:
        recipe["epochs"] = arguments.epochs
    for name, page in pages.items():
        ended, last = [], []
        for seed in range(1, arguments.seeds + 1):
            settings = {**recipe, "seed": seed}
            ends = page.evaluate("([s, n]) => train(s, n)", [settings, 10**9])["ends"]
            ended.append(next((seconds for seconds, accuracy in ends if accuracy >= TARGET), None))
            last.append(ends[-1][1])
        there = [seconds for seconds in ended if seconds is not None]
        shown = f"median {statistics.median(there):.1f} s, longest {max(there):.1f} s" if there else "never"
        print(f"{name}: {len(there)} of {len(ended)} reach {TARGET:.0%}: {shown}; last epoch {min(last):.2%} or more")


if __name__ == "__main__":
    main()
