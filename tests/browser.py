"""A real browser for pages; without one a test is skipped, but in CI it fails."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

MODULES = Path(__file__).parents[1] / "frontend" / "node_modules"

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]


def missing(what):
    """Skip at a desk, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def modules():
    """The folder of the front end's tools (npm ci)."""
    if not MODULES.is_dir():
        missing("this test needs the front end's tools: npm ci --prefix frontend")
    return MODULES


@contextmanager
def opened(browser, path, *, width=1300, height=900, locale="en-GB", scheme="light", fragment="", wait):
    """A page of the library, with a check that it said nothing to the console and asked nobody for anything.

    `wait` is called with the page, and returns when it is drawn.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, locale=locale, color_scheme=scheme)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri() + fragment)
    wait(page)
    yield page
    assert complaints == []
    context.close()


def serious_violations(page, modules):
    """What axe-core finds wrong with a page, by rule, where it is serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate((modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ preload: false }).then((result) => result.violations)")
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    return {each["id"]: [node["html"] for node in each["nodes"]] for each in serious}


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, driven by Playwright."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("this test opens a page in Chromium, and there is none")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=QUIET)
        yield chromium
        chromium.close()
