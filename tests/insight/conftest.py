"""A real browser for the pages, and the tools of their front end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import missing

FRONT_END = Path(__file__).parents[2] / "frontend"


@pytest.fixture(scope="session")
def modules():
    """The folder of the front end's tools (npm ci)."""
    found = FRONT_END / "node_modules"
    if not found.is_dir():
        missing("this test needs the front end's tools: npm ci --prefix frontend")
    return found
