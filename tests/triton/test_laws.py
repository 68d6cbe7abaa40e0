"""Triton kernels beside the reference path in double precision: outputs, final states and every gradient."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

import loopcell
from loopcell import Recurrent, cells
from loopcell.backends.triton import KINDS, Choice, forced
from loopcell.testing import LAWS, assert_all_close
from loopcell.testing.case import observe
from tests.kernels.test_laws import ALL
from tests.laws.drawn import cell_of, drawings
from tests.laws.table import case

TILES = {"units": 16, "depth": 16}  # more than one block, of units and of a product's depth


def both(tried, *, dtype=torch.float64, tolerance=None, layers=1, **options):
    """Compare the two paths."""
    net = tried.net(num_layers=layers, bidirectional=layers > 1, dtype=dtype)
    x, state = tried.inputs().to(dtype), tried.state(net).to(dtype)
    assert net.plan()[0].backend == "triton"
    found = observe(net, lambda x, state: net(x, state, **options), x, state)
    with loopcell.backend("reference"):
        net, x, state = net.double(), x.double(), state.to(torch.float64)
        expected = observe(net, lambda x, state: net(x, state, **options), x, state)
    assert_all_close({name: value.to(torch.float64) for name, value in found.items()}, expected, tolerance=tolerance)


@pytest.mark.parametrize("name", ALL)
def test_every_cell_with_lengths_and_resets(name):
    tried = case(ALL[name], steps=4)
    both(tried, lengths=tried.lengths(), reset=tried.reset())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["lstm_projected", "lstm_layer_norm", "gru_lets_before", "gru_d", "every_op", "sru"])
def test_every_kind_of_kernel(name, kind):
    tried = case(ALL[name], hidden_size=19, steps=3, batch=2)
    with forced(Choice(kind, **TILES)):
        both(tried)
        both(tried, lengths=tried.lengths(), reset=tried.reset())
