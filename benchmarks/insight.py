"""Measure the cost of looking inside, and the speed of the page: `python -m benchmarks.insight`, into insight.json.

Recording beside a plain forward pass and the gradient flow beside a plain training step, alternating in one process; a
look of a watched training (gates, units, gradients) beside one of its updates, and with it the share of the training
that looking takes at the default interval, where there is an evaluation as often as that;
and the page of 3 layers x 256 units x 2,000 steps x 6 quantities in headless Chromium: first paint, and the work of a
hover, from the pointer's event to the drawn picture, without the wait for the next frame. Needs `pip install
playwright` and a chromium on the path.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import loopcell
from benchmarks.measure import Patience, alternate, ratios
from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell import cells
from loopcell.data.text import Chunk, vocabulary_class
from loopcell.insight import Inspection, LayerView, gradient_flow
from loopcell.tasks.core.networks.watching import watch_of
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.settings import LanguageModelSettings
from loopcell.tasks.language_model.step import LanguageModelStep
from loopcell.training.config import Intervals

T, B, H = 100, 32, 256
STEPS, UNITS, LAYERS = 2_000, 256, 3
HOVERS = 200
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

HOVER = """async (count) => {
  const canvas = document.querySelector("canvas[tabindex]"), box = canvas.getBoundingClientRect(), times = [];
  for (let at = 0; at < count; at++) {
    const clientX = box.left + box.width * ((at * 37) % count) / count, clientY = box.top + 20 + (at * 13) % 200;
    let frame = 0;
    requestAnimationFrame(() => { frame = performance.now(); }); // before what the page asks for
    const began = performance.now();
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, pointerType: "mouse" }));
    const handled = performance.now() - began;
    await new Promise((done) => requestAnimationFrame(done));
    canvas.getContext("2d").getImageData(0, 0, 1, 1); // waits until it is drawn
    times.push(handled + performance.now() - frame);
  }
  return times;
}"""


def costs(patience: Patience) -> list[dict[str, Any]]:
    """Measure recording and the gradient flow of each cell."""
    rows = []
    for name in ("lstm", "gru", "rnn"):
        torch.manual_seed(0)
        net = loopcell.Recurrent(cells.get(name), H, H)
        x = torch.randn(T, B, H)

        def forward(net: Any = net, x: Any = x) -> object:
            with torch.no_grad():
                return net(x)

        def record(net: Any = net, x: Any = x) -> object:
            with torch.no_grad():
                return net.record(x)

        def train(net: Any = net, x: Any = x) -> object:
            net.zero_grad(set_to_none=True)
            net(x)[0].square().mean().backward()
            return None

        def flow(net: Any = net, x: Any = x) -> object:
            return gradient_flow(net, x, lambda y: y.square().mean(), dynamics=False)

        for what, ours, plain in (("recording", record, forward), ("gradient flow", flow, train)):
            found = alternate({"ours": ours, "plain": plain}, patience)
            seen = ratios(found["ours"].wall, found["plain"].wall)
            rows.append({"what": what, "cell": name, "ratio": seen.median, "low": seen.low, "high": seen.high})
            print(f"{name:5} {what:14} {seen.median:.2f} times the plain pass ({seen.low:.2f} to {seen.high:.2f})")
    return rows


def watching(patience: Patience) -> list[dict[str, Any]]:
    """Measure a look at the layers beside an update of a character model of two layers."""
    rows, every = [], Intervals().watch
    for name in ("lstm", "gru", "rnn"):
        torch.manual_seed(0)
        vocabulary = vocabulary_class("char").build([chr(97 + letter) for letter in range(26)])
        settings = LanguageModelSettings(cell=name, hidden_size=H, num_layers=2)
        network = LanguageModelNetwork(vocabulary, settings)
        step = LanguageModelStep(network)
        tokens = torch.randint(len(vocabulary), (settings.chunk + 1, B))
        everywhere = torch.ones(settings.chunk, B, dtype=torch.bool)
        chunk = Chunk(tokens[:-1], tokens[1:], reset=~everywhere, valid=everywhere)
        state = step.initial_state(B)
        optimizer = torch.optim.AdamW(step.parameters())
        watch = watch_of(network, step)

        def update(step: Any = step, chunk: Any = chunk, state: Any = state, optimizer: Any = optimizer) -> object:
            optimizer.zero_grad(set_to_none=True)
            result = step(chunk, state)
            (result.loss_sum / result.predictions).backward()
            torch.nn.utils.clip_grad_norm_(step.parameters(), 1.0)
            optimizer.step()
            return None

        def look(watch: Any = watch, chunk: Any = chunk, state: Any = state) -> object:
            return watch(chunk, state)

        found = alternate({"look": look, "update": update}, patience)
        seen = ratios(found["look"].wall, found["update"].wall)
        share = seen.median / every
        rows.append({"what": "watching", "cell": name, "look, in updates": seen.median, "share of training": share})
        rows[-1] |= {"low": seen.low, "high": seen.high, "every": every}
        print(f"{name:5} a look takes {seen.median:.2f} updates: {100 * share:.1f}% of training with one every {every}")
    return rows


def page() -> list[dict[str, Any]]:
    """Measure the page in a browser."""
    from playwright.sync_api import sync_playwright

    random = np.random.default_rng(0)
    cell = cells.get("lstm")
    smooth = random.normal(size=(LAYERS, 6, STEPS, UNITS)).cumsum(2).astype(np.float32) / 30
    layers = [
        LayerView(f"layer {layer}", cell, dict(zip("ifgoch", np.tanh(smooth[layer]), strict=True)))
        for layer in range(LAYERS)
    ]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "page.html"
        Inspection("as large as is promised", [chr(97 + step % 26) for step in range(STEPS)], layers).save(path)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        paints, hovers = [], []
        for _ in range(5):
            opened = browser.new_page(viewport={"width": 1400, "height": 900})
            opened.goto(path.as_uri())
            opened.wait_for_selector(".legend .bar")
            paints.append(opened.evaluate("performance.getEntriesByName('heat-map')[0].startTime"))
            opened.wait_for_timeout(2_000)
            hovers += opened.evaluate(HOVER, HOVERS)
            opened.close()
        browser.close()
        row = {
            "what": "page",
            "megabytes": path.stat().st_size / 1e6,
            "first paint, ms": statistics.median(paints),
            "hover, ms": statistics.median(hovers),
            "hover, 95th percentile, ms": float(np.quantile(hovers, 0.95)),
        }
    print(", ".join(f"{name} {value:.1f}" if name != "what" else str(value) for name, value in row.items()))
    return [row]


if __name__ == "__main__":
    file = SuiteFile(RESULTS / "insight.json", heading())
    file.add("page", page())
    file.add("costs", costs(Patience()))
    file.add("watching", watching(Patience()))
