"""The paths that a test runs on: back ends by name, and the order in which other devices than the CPU try them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import loopcell
from loopcell.runtime import routes

ELSEWHERE = "as elsewhere"
"""What "auto" tries on CUDA, tried on the CPU: torch's own operator, then the reference path. Triton, which stands
between them there, would take its interpreter here; it has tests of its own."""


@contextmanager
def path(name: str) -> Iterator[None]:
    """Run a block on a back end, or in the order of other devices."""
    if name != ELSEWHERE:
        with loopcell.backend(name):
            yield
        return
    with patch.object(routes, "of_device", lambda _: ("native",)), loopcell.backend("auto"):
        yield
