"""The op table and the tables keyed by it."""

from __future__ import annotations

import math

import pytest
import torch

from loopcell.backends.reference.spelling import FUNCTIONS, SPELLING
from loopcell.equations.ops import LEAVES, OPS
from loopcell.passes.derivatives import DERIVATIVES

COMPUTED = set(OPS) - LEAVES


def test_every_op_has_a_derivative():
    # Products are differentiated in derive.py: half of them leaves the loop.
    assert set(DERIVATIVES) == COMPUTED - {"matmul", "matmul_t"}


def test_every_pointwise_op_is_spelled_in_c():
    from loopcell.backends.c.codegen.spelling import SPELLING as IN_C

    assert set(IN_C) == COMPUTED - {"matmul", "matmul_t", "sum"}


def test_every_op_is_spelled_in_torch():
    assert set(SPELLING) == COMPUTED
    called = {spelling.partition("(")[0] for spelling in SPELLING.values() if "(" in spelling}
    assert called == set(FUNCTIONS)


@pytest.mark.parametrize("op", sorted(OPS))
def test_every_row_is_complete(op):
    row = OPS[op]
    assert row.name == op
    assert row.text
    assert row.latex
    for place in range(max(row.arity, 0)):
        assert f"{{{place}}}" in row.text
        assert f"{{{place}}}" in row.latex


@pytest.mark.parametrize("value", [-745.0, -40.0, -21.0, -1e-8, 0.0, 1.0, 19.99, 20.01, 45.0, 709.0])
def test_softplus_is_exact_on_both_sides(value):
    expected = math.log1p(math.exp(-abs(value))) + max(value, 0.0)
    found = FUNCTIONS["softplus"](torch.tensor(value, dtype=torch.float64)).item()
    assert found == pytest.approx(expected, rel=1e-14, abs=1e-320)
