"""The two spellings of every activation, as an equation and over tensors, give the same numbers."""

import pytest
import torch

from loopcell import Recurrent, cell
from loopcell.importing.activations import KERAS, ONNX, Activated

ROWS = KERAS | {f"onnx {name}": row.made(0.7, 0.3) for name, row in ONNX.items()}


@pytest.mark.parametrize("name", ROWS)
def test_both_spellings_agree(name):
    row = ROWS[name]

    @cell
    def one(x, h, *, W):
        return row.equation(W.h @ x + 0 * h)

    net = Recurrent(one, 1, 1, dtype=torch.float64)
    net.assign(0, 0, "W.h", torch.ones(1, 1, dtype=torch.float64))
    values = torch.tensor([-40.0, -3.1, -1.0, -0.4, 0.0, 0.2, 0.69, 0.71, 2.9, 6.5, 40.0], dtype=torch.float64)
    came = net(values[:, None])[0].flatten()
    assert torch.allclose(came, row.function(values), rtol=1e-10, atol=1e-12)
    assert torch.isfinite(came).all()


def test_a_layer_says_what_it_is():
    assert repr(Activated("tanh", torch.tanh)) == "Activated(tanh)"
    assert Activated("tanh", torch.tanh)(torch.zeros(2)).tolist() == [0.0, 0.0]
