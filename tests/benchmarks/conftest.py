"""A process for what must not be done in the tests' own."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.benchmarks import elsewhere


@pytest.fixture(scope="session")
def process():
    """Call `process(function, *arguments)`: it is done elsewhere, and what it returns comes back."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=elsewhere.start) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()
