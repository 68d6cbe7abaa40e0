"""Triton kernels beside the reference path in double precision: outputs, final states and every gradient."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

import loopcell
from loopcell.backends.triton import KINDS, KernelChoice, forced
from loopcell.testing import assert_all_close
from loopcell.testing.case import observe
from loopcell.testing.laws import sequences
from tests.kernels.test_laws import ALL
from tests.laws.drawn import cell_of, drawings
from tests.laws.table import case

SMALL = {"units": 16, "depth": 16}  # so that 19 units are two blocks, of the result and of the product's depth


def both(tried, *, dtype=torch.float64, tolerance=None, **options):
    """Compare the two paths."""
    net = tried.net(dtype=dtype)

    def wide(x, state):  # so that both losses weigh in the same numbers
        y, final = net(x, state, **options)
        return y.double(), final.to(torch.float64)

    x, state = tried.inputs().to(dtype), tried.state(net).to(dtype)
    found = observe(net, wide, x, state)
    with loopcell.backend("reference"):
        expected = observe(net.double(), wide, x.double(), state.to(torch.float64))
    assert_all_close({name: value.double() for name, value in found.items()}, expected, tolerance=tolerance)


@pytest.mark.parametrize("name", ALL)
def test_every_cell_with_lengths_and_resets(name):
    tried = case(ALL[name], steps=3, batch=2)
    assert tried.net().plan()[0].backend == "triton"
    both(tried, lengths=torch.tensor([3, 2]), reset=tried.reset())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "resident"])
@pytest.mark.parametrize("name", ["lstm_projected", "gru_lets_before", "scalars_of_the_past"])
def test_every_kind_of_kernel(name, kind):
    """A projection, a product whose operand is computed in the step, and sums over all blocks."""
    tried = case(ALL[name], hidden_size=19, steps=2, batch=2)
    with forced(KernelChoice(kind, **SMALL)):
        both(tried, lengths=torch.tensor([1, 2]), reset=tried.reset())


@given(drawing=drawings(), kind=st.sampled_from(KINDS))
@settings(max_examples=8)
def test_drawn_equations(drawing, kind):
    with forced(KernelChoice(kind, **SMALL)):
        both(case(cell_of(drawing), hidden_size=17 if kind != "resident" else 5, steps=2, batch=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["resident", "streamed"])
def test_shorter_numbers(dtype, kind):
    """Sums are of float32. The interpreter multiplies bfloat16 as float32, so no product is rounded there."""
    tolerance = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 5e-2}[dtype]
    with forced(KernelChoice(kind, **SMALL)):
        both(case(ALL["lstm"], hidden_size=19, steps=3, batch=2), dtype=dtype, tolerance=tolerance)


def test_more_rows_than_a_program_has():
    both(case(ALL["gru"], steps=2, batch=19), dtype=torch.float32, tolerance=1e-5)


@pytest.mark.parametrize(
    "law",
    [
        sequences.chunks_make_the_whole,
        sequences.rows_do_not_see_each_other,
        sequences.padding_changes_nothing,
        sequences.a_reset_is_a_fresh_start,
        sequences.no_steps_change_nothing,
        sequences.directions_are_two_networks,
        sequences.layers_are_networks_in_a_row,
    ],
)
def test_laws_of_sequences(law):
    law(case(ALL["gru"], hidden_size=3, steps=3, batch=2))
