"""Kernels are built without a warning wherever these tests build them; for another target, where a test asks for it."""

from __future__ import annotations

import pytest

from loopcell.backends.c.toolchain.target import target
from loopcell.errors import UsageError
from loopcell.runtime import narrow, programs

STRICT = "-Wall -Wextra -Werror"


@pytest.fixture(autouse=True)
def _strict(monkeypatch):
    """For the tests alone: a user's compiler may have warnings of its own."""
    monkeypatch.setenv("LOOPCELL_CFLAGS", STRICT)


@pytest.fixture
def compiled_soon(monkeypatch):
    """Build without optimisation, in a third of the time: for tests of what the C says.

    That the optimiser leaves it so is proven of every cell by test_against_reference.py, and of single precision and
    steps by the tests of these, which all build as a user's process does.
    """
    monkeypatch.setenv("LOOPCELL_CFLAGS", f"{STRICT} -O0")
    _forget()
    yield
    _forget()


@pytest.fixture
def aimed(monkeypatch):
    """Have kernels built for a target, and with a compiler, from now on in this test."""

    def aim(name, cc=""):
        monkeypatch.setenv("LOOPCELL_TARGET", name)
        monkeypatch.setenv("CC", cc)
        _forget()
        try:
            found = target()
        except UsageError as error:
            pytest.skip(str(error))
        assert found is not None, "these tests need a C compiler"
        return found

    yield aim
    _forget()


def _forget():
    """Have kernels looked for anew."""
    programs.kernels_of.cache_clear()
    narrow.narrow_kernels_of.cache_clear()
