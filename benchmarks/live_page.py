"""Measure the live pages of the documentation in Chromium: `python -m benchmarks.live_page`, into live_page.json.

For each model of `docs/live`: the size of its page, the time from a key to the drawn picture with the next tokens
beside it, over a text of 300 characters, and that of the gradient and the memory, which follow a pause. Needs `pip
install playwright` and a chromium on the path.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.insight import BROWSER
from benchmarks.live_models import FOLDER
from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell import LanguageModel

CHARACTERS = 300
DURATIONS = "(name) => performance.getEntriesByName(name).map((entry) => entry.duration)"


def measure(browser: Any, name: str, first: str) -> dict[str, Any]:
    """Return the figures of one model's page."""
    model = LanguageModel.load(FOLDER / f"{name}.safetensors")
    text = model.sample(first, length=CHARACTERS, temperature=0.7, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "live.html"
        model.live_page(path)
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.goto(path.as_uri())
        opened.wait_for_selector("#text")
        opened.focus("#text")
        for character in text[:CHARACTERS]:
            opened.keyboard.insert_text(character)
        opened.wait_for_timeout(2_000)
        keys, panels = (opened.evaluate(DURATIONS, of) for of in ("key", "panels"))
        opened.close()
        return {
            "what": f"live page, {name}",
            "megabytes": path.stat().st_size / 1e6,
            "tokens": len(model.vocabulary_.encode(text[:CHARACTERS])),
            "key, ms": float(np.median(keys)),
            "key, 95th percentile, ms": float(np.quantile(keys, 0.95)),
            "gradient and memory, ms": panels[-1],
        }


def main() -> None:
    """Measure every model and write the file."""
    from playwright.sync_api import sync_playwright

    models = json.loads((FOLDER / "models.json").read_text(encoding="utf-8"))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        rows = [measure(browser, name, facts["first"]) for name, facts in models.items()]
        browser.close()
    for row in rows:
        print(row)
    SuiteFile(RESULTS / "live_page.json", heading()).add("pages", rows)


if __name__ == "__main__":
    main()
