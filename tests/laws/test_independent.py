"""Every cell against steps that were written by hand from the papers: forward, final states and every gradient."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

from loopcell import cells
from loopcell.testing import assert_all_close
from loopcell.testing.case import observe, run
from tests.laws.table import OTHERS, REGISTERED, case
from tests.laws.unusual import UNUSUAL
from tests.reference.sequence import run_stack
from tests.reference.steps import STEPS
from tests.reference.unusual import UNUSUAL_STEPS

KINDS = {
    "plain": {},
    "lengths": {"lengths": True},
    "reset": {"reset": True},
    "lengths and reset": {"lengths": True, "reset": True},
    "both directions": {"bidirectional": True},
    "both directions, lengths and reset": {"bidirectional": True, "lengths": True, "reset": True},
    "three layers": {"num_layers": 3, "lengths": True},
    "two layers, both directions, lengths and reset": {
        "num_layers": 2,
        "bidirectional": True,
        "lengths": True,
        "reset": True,
    },
}


def by_hand(net, step, state_type, **options):
    """The run of a network's own parameters by the plain runner, to be differentiated by autograd."""
    names = [
        f"l{layer}{suffix}." for layer in range(net.num_layers) for suffix in ("", "_reverse")[: net.num_directions]
    ]

    def how(x, state):
        weights = dict(net.named_parameters())
        layers = [
            {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
            for prefix in names
        ]
        size = net.output_size // net.num_directions
        y, final = run_stack(step, x, dict(state), layers, output_size=size, bidirectional=net.bidirectional, **options)
        return y, state_type(**final)

    return how


def compare(tried, step, *, dtype=torch.float64, num_layers=1, bidirectional=False, lengths=None, reset=None):
    net = tried.net(num_layers=num_layers, bidirectional=bidirectional, dtype=dtype)
    x, state = tried.inputs().to(dtype), tried.state(net).to(dtype)
    further = tried.joined_size - tried.input_size
    how = by_hand(net, step, type(state), lengths=lengths, reset=reset, further=further)
    expected = observe(net, how, x, state)
    assert_all_close(observe(net, run(net, lengths=lengths, reset=reset), x, state), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REGISTERED)
def test_registered_cells_in_double_precision(name, kind):
    tried, asked = REGISTERED[name], dict(KINDS[kind])
    asked |= {mask: getattr(tried, mask)() for mask in ("lengths", "reset") if asked.get(mask)}
    compare(tried, STEPS[name], **asked)


@pytest.mark.parametrize("name", REGISTERED)
def test_registered_cells_in_single_precision(name):
    tried = REGISTERED[name]
    compare(tried, STEPS[name], dtype=torch.float32, lengths=tried.lengths(), reset=tried.reset())


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_cells(name):
    tried = OTHERS[name]
    compare(tried, UNUSUAL_STEPS[name])
    compare(tried, UNUSUAL_STEPS[name], bidirectional=True, lengths=tried.lengths(), reset=tried.reset())


@st.composite
def situations(draw):
    """A cell, sizes, and masks: T from 0, B from 1, lengths with zeros in any order, resets anywhere."""
    T, B = draw(st.integers(0, 7)), draw(st.integers(1, 5))
    name = draw(st.sampled_from(sorted(STEPS)))
    tried = case(
        cells.get(name),
        input_size=draw(st.integers(1, 6)),
        hidden_size=draw(st.integers(1, 11)),
        steps=T,
        batch=B,
    )
    lengths = draw(st.none() | st.lists(st.integers(0, T), min_size=B, max_size=B).map(torch.tensor))
    resets = st.lists(st.lists(st.booleans(), min_size=B, max_size=B), min_size=T, max_size=T)
    reset = draw(st.none() | resets.map(lambda rows: torch.tensor(rows, dtype=torch.bool).view(T, B)))
    asked = {"num_layers": draw(st.integers(1, 2)), "bidirectional": draw(st.booleans())}
    return name, tried, asked | {"lengths": lengths, "reset": reset}


@given(situations())
@settings(max_examples=100)
def test_any_cell_in_any_situation(situation):
    name, tried, asked = situation
    compare(tried, STEPS[name], **asked)
