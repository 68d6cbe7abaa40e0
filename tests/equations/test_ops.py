"""The op table and the tables keyed by it."""

from __future__ import annotations

import math

import pytest
import torch

from loopcell.backends.reference.spelling import FUNCTIONS, SPELLING
from loopcell.equations.ops import LEAVES, OPS
from loopcell.passes.derivatives import DERIVATIVES

COMPUTED = set(OPS) - LEAVES


def assert_rows(table, ops, file):
    lacks, has = sorted(ops - set(table)), sorted(set(table) - ops)
    assert not lacks, f"src/loopcell/{file} has no row for {', '.join(lacks)}"
    assert not has, f"src/loopcell/{file} has a row for {', '.join(has)}, which is no such operation"


def test_every_op_has_a_derivative():
    # Products are differentiated in derive.py: half of them leaves the loop.
    assert_rows(DERIVATIVES, COMPUTED - {"matmul", "matmul_t"}, "passes/derivatives.py")


def test_every_pointwise_op_is_spelled_in_c():
    from loopcell.backends.c.codegen.spelling import SPELLING as IN_C

    assert_rows(IN_C, COMPUTED - {"matmul", "matmul_t", "sum"}, "backends/c/codegen/spelling.py")


def test_every_pointwise_op_is_spelled_in_triton():
    from loopcell.backends.triton.spelling import SPELLING as IN_TRITON

    assert_rows(IN_TRITON, COMPUTED - {"matmul", "matmul_t", "sum"}, "backends/triton/spelling.py")


def test_every_op_is_spelled_in_torch():
    assert_rows(SPELLING, COMPUTED, "backends/reference/spelling.py")
    called = {spelling.partition("(")[0] for spelling in SPELLING.values() if "(" in spelling}
    assert_rows(FUNCTIONS, called, "backends/reference/spelling.py")


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
