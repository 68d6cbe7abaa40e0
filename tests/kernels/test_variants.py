"""Kernels built for other vectors and by other compilers than this machine's own: the same as the reference path."""

from __future__ import annotations

import importlib.util
import shutil

import pytest
import torch

from loopcell.runtime import programs
from tests.kernels.test_against_reference import SIZES, both
from tests.kernels.test_laws import ALL
from tests.laws.table import case

CELLS = ("lstm", "gru", "lstm_layer_norm", "lstm_projected")
# A compiler's command, or "wheel"; and the target that it builds for. Native GCC is what all other tests run.
BUILT = [("gcc", "avx2"), ("gcc", "plain"), ("clang", "native"), ("clang", "plain"), ("wheel", "native")]


@pytest.fixture(params=BUILT, ids=" ".join)
def built(request, aimed, monkeypatch):
    cc, name = request.param
    if cc == "wheel":
        if importlib.util.find_spec("ziglang") is None:
            pytest.skip("ziglang is not installed: loopcell[compiler]")
        monkeypatch.setenv("PATH", "/nonexistent")
        return aimed(name)
    if shutil.which(cc) is None:
        pytest.skip(f"there is no {cc}")
    return aimed(name, cc)


@pytest.mark.parametrize("name", CELLS)
def test_single_precision(name, built):
    tried = case(ALL[name], **SIZES)
    both(tried, dtype=torch.float32, tolerance=1e-4, lengths=tried.lengths(), reset=tried.reset())
    assert programs.kernels_of.cache_info().misses  # built for this test, and not taken from the one before


def test_double_precision(built):
    for name in ("lstm", "lstm_projected"):
        tried = case(ALL[name], **SIZES)
        both(tried)
        both(tried, lengths=tried.lengths(), reset=tried.reset())
