"""A sequence of no steps: on every back end the state as it was, and zeros for every gradient but the state's."""

from __future__ import annotations

import pytest
import torch

import loopcell
from loopcell import Recurrent, State, cells
from loopcell.runtime.asked import BACKENDS

CELLS = {"gru": BACKENDS, "lstm": BACKENDS, "lstm_layer_norm": None, "min_gru": None}
"""With the back ends that run them; None: all but torch's own operators."""

CASES = [
    (name, backend)
    for name, backends in CELLS.items()
    for backend in backends or [backend for backend in BACKENDS if backend != "native"]
]


@pytest.mark.parametrize("steps", [0, 3], ids=["T=0", "lengths of 0"])
@pytest.mark.parametrize(("name", "backend"), CASES)
def test_without_steps_the_state_stays_and_gradients_are_zeros(name, backend, steps):
    if backend == "triton":
        pytest.importorskip("triton")
    net = Recurrent(cells.get(name), 3, 4, num_layers=2)
    x = torch.randn(steps, 2, 3, requires_grad=True)
    state = State(**{name: torch.randn(2, 2, 4, requires_grad=True) for name in net.cell.states})
    lengths = torch.zeros(2, dtype=torch.int64) if steps else None
    with loopcell.backend(backend):
        y, after = net(x, state, lengths=lengths)
        loss = y.sum() + sum(3.0 * tensor.sum() for tensor in after.values())
        d_states = torch.autograd.grad(loss, list(state.values()), retain_graph=True)
        others = torch.autograd.grad(loss, [x, *net.parameters()])
    assert y.shape == (steps, 2, 4)
    assert y.eq(0.0).all()
    torch.testing.assert_close(list(after.values()), list(state.values()))
    assert all(gradient.eq(3.0).all() for gradient in d_states)
    assert all(gradient.eq(0.0).all() for gradient in others)
