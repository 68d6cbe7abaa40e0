"""Products after the reverse loop on tiles: on AMX where the CPU has it, and everywhere on a model of it."""

from __future__ import annotations

import functools

import pytest
import torch

import loopcell
from loopcell.backends.c import Factors, Kernels
from loopcell.backends.c.launch.large_products import LargeProducts
from loopcell.passes import build_program
from tests.kernels.conftest import STRICT
from tests.kernels.test_tiles import TILES_OF, UNITS

SHAPES = [(1, 1, 1), (16, 32, 32), (37, 70, 45), (129, 33, 61), (150, 513, 19), (40, 1100, 33)]
"""Rows, terms and columns: of a part of a tile, of whole ones, and of more terms and rows than are packed at a time."""


@pytest.fixture(params=UNITS)
def unit(request, monkeypatch):
    monkeypatch.setenv("LOOPCELL_CFLAGS", f"{STRICT} -O1")
    return request.param


@functools.cache
def large_products(factors, unit):
    program = build_program(loopcell.cells.get("rnn").graph, training=True).fused
    return Kernels(program, torch.float32, factors, TILES_OF[unit]).functions["large_products"]


def whole_numbers(*shape):
    return torch.randint(-99, 100, shape).float()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("by_columns", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("factors", [Factors.TILES, Factors.SPLIT], ids=lambda factors: factors.name.lower())
def test_products_of_whole_numbers_are_exact(factors, by_columns, threads, unit):
    """Whatever the order of sums. Two products of one operand are packed together, and one that adds comes last."""
    for rows, terms, columns in SHAPES:
        a = whole_numbers(terms, rows + 5)[:, :rows].t() if by_columns else whole_numbers(rows, terms + 5)[:, :terms]
        b, c = whole_numbers(terms, columns + 3)[:, :columns], whole_numbers(terms, 7)
        block = torch.full((rows, columns + 9), torch.nan)
        first, second, third = block[:, :columns], torch.full((rows, 7), torch.nan), whole_numbers(rows, columns)
        expected = third + a @ b
        products = LargeProducts(large_products(factors, unit), threads)
        products.add(a, b, first, add=False)
        products.add(a, c, second, add=False)
        products.add(a.clone(), b, third, add=True)
        products.run()
        for found, exact in ((first, a @ b), (second, a @ c), (third, expected)):
            assert torch.equal(found, exact), (rows, terms, columns)
        assert block[:, columns:].isnan().all()  # what lies beside a result is not written


def test_split_products_lose_less_than_a_hundred_thousandth(unit):
    a, b, found = torch.randn(50, 700), torch.randn(700, 40), torch.empty(50, 40)
    exact, reach = a.double() @ b.double(), a.abs().double() @ b.abs().double()
    for factors, low, high in ((Factors.SPLIT, 0, 1e-5), (Factors.TILES, 1e-4, 1e-2)):
        products = LargeProducts(large_products(factors, unit), 1)
        products.add(a, b, found, add=False)
        products.run()
        assert low <= ((found - exact).abs() / reach).max() < high
