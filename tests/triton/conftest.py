"""Kernels of Triton run in its interpreter here, on the CPU; see docs/concepts/how-a-triton-kernel-is-made.md."""

from __future__ import annotations

import pytest

import loopcell

triton = pytest.importorskip("triton", reason="triton comes with the extra `gpu`, on Linux")


@pytest.fixture(autouse=True)
def _reference_path():
    """In place of the fixture of all tests: here calls run on Triton kernels, or raise."""
    with loopcell.backend("triton"):
        yield
