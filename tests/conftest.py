"""What every test has: the data folder, a quiet machine, and hypothesis settings that suit it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.browser import browser, modules

__all__ = ["browser", "modules"]  # one for the whole process: Playwright starts its driver once

# The workers of pytest-xdist share the cores: one thread each, here before torch starts its pool, and in what
# the tests start. A test about threads sets its own number.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Triton reads this when it is first imported, be it by torch: kernels run in its interpreter, on the CPU.
os.environ.setdefault("TRITON_INTERPRET", "1")

# No deadline: a first example may wait for a build or a slow machine. In CI the examples are the same each
# time, so that a red run says something of the change; at a desk they differ each time, to find more.
settings.register_profile("desk", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


AS_USERS_DO = {"cli", "comparison", "docs", "examples", "kernels", "tasks", "training", "tuning"}
"""The folders of tests whose networks take the path that a user's would, that of the kernels wherever it can be had."""


@pytest.fixture(autouse=True)
def _path_of_the_folder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests of cells, layers and laws take plain PyTorch, of which all else is proven to be the equal.

    What trains, and the pages, runs as it does for users; it is also many times faster so.
    """
    import loopcell

    # Of the tests' own folders: a checkout may lie in one that is called so, too.
    here = request.path.relative_to(Path(__file__).parent).parts
    with loopcell.backend("auto" if AS_USERS_DO & set(here) else "reference"):
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the data folder, so that `-m 'not data'` leaves it out."""
    for item in items:
        if "data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.data)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; without one a test is skipped, but in CI it fails."""
    named = os.environ.get("LOOPCELL_DATA", "")
    if named and Path(named).is_dir():
        return Path(named)
    missing = f"LOOPCELL_DATA names {named}, which is no folder" if named else "LOOPCELL_DATA is not set"
    message = f"{missing}: this test needs the folder of public data sets"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
