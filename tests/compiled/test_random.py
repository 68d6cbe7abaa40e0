"""Networks that draw numbers while they train: torch.compile takes them whole, forward and backward."""

import pytest
import torch

from loopcell import cells
from loopcell.testing import TOLERANCES, Case, assert_all_close
from loopcell.testing.case import observe

DRAWING = {
    "zoneout": cells.zoneout(cells.get("lstm"), {"h": 0.3, "c": 0.5}),
    "recurrent_dropout": cells.recurrent_dropout(cells.get("gru"), 0.4, input_rate=0.2),
    "weight_dropout": cells.weight_dropout(cells.get("lstm"), 0.5),
}


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("name", DRAWING)
def test_fullgraph_in_training(name):
    """With the same seed the same draws, so the same numbers and gradients; with another one others."""
    tried = Case(DRAWING[name], steps=3)
    net = tried.net().train()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    x, state = tried.inputs(), tried.state(net)

    def seen(how, seed):
        torch.manual_seed(seed)
        return observe(net, how, x, state)

    assert_all_close(seen(compiled, 5), seen(net, 5), tolerance=TOLERANCES[torch.float64])
    assert not torch.equal(seen(compiled, 5)["the output"], seen(compiled, 6)["the output"])


@pytest.mark.parametrize("name", DRAWING)
def test_the_compiled_network_follows_its_mode(name):
    """Evaluation after training draws nothing: it is compiled anew, or was compiled for both."""
    tried = Case(DRAWING[name], steps=3)
    net = tried.net().train()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    x, state = tried.inputs(), tried.state(net)
    observe(net, compiled, x, state)
    net.eval()
    assert_all_close(observe(net, compiled, x, state), observe(net, net, x, state))
