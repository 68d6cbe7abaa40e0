"""torch.compile and torch.export where torch's own operator is demanded: one operator, which runs it."""

from __future__ import annotations

import pytest
import torch
from torch._dynamo.exc import InternalTorchDynamoError

import loopcell
from loopcell import GRU, LSTM, Recurrent, cells
from loopcell.errors import UsageError
from loopcell.testing import assert_all_close
from tests.compiled.demanded import demand_the_same_under_autocast, everything

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

KINDS = {
    "LSTM": lambda: LSTM(3, 4, num_layers=2, bidirectional=True),
    "GRU": lambda: GRU(3, 4, batch_first=True),
    "a user's": lambda: Recurrent(cells.get("gru_lets_after"), 3, 4),
}


@pytest.fixture(autouse=True)
def _native():
    torch._dynamo.reset()
    with loopcell.backend("native"):
        yield


@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
@pytest.mark.parametrize("kind", KINDS)
def test_a_compiled_network_is_the_network(kind, lengths):
    net = KINDS[kind]()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    for steps in (5, 3):
        x = torch.randn(3, steps, 3) if net.batch_first else torch.randn(steps, 3, 3)
        given = {} if lengths is None else {"lengths": torch.tensor(lengths).clamp(max=steps)}
        assert_all_close(everything(compiled, net, x, **given), everything(net, net, x, **given))


def test_a_compiled_network_under_autocast():
    demand_the_same_under_autocast(KINDS["LSTM"](), torch.randn(5, 3, 3))


def test_what_cannot_run_says_so_while_it_is_compiled():
    net, reset = KINDS["GRU"](), torch.zeros(3, 5, dtype=torch.bool)
    with pytest.raises(InternalTorchDynamoError, match="torch's operator has no resets"):
        torch.compile(net, fullgraph=True, backend="aot_eager")(torch.randn(3, 5, 3), reset=reset)


def test_an_exported_program_keeps_what_was_demanded():
    net, x = KINDS["LSTM"](), torch.randn(5, 3, 3)
    program = torch.export.export(net, (x,))
    operators = [node for node in program.graph.nodes if "loopcell.run" in str(node.target)]
    assert len(operators) == 4
    assert all(str(node.args[3]).endswith("\nnative") for node in operators)
    with loopcell.backend("reference"):  # what runs is in the program
        torch.testing.assert_close(program.module()(x), net(x))


def test_a_plain_trace_is_of_the_operator():
    net, x = KINDS["GRU"](), torch.randn(3, 5, 3)
    graph = torch.fx.experimental.proxy_tensor.make_fx(lambda x: net(x)[0])(x)
    assert any("loopcell" in str(node.target) for node in graph.graph.nodes)
    torch.testing.assert_close(graph(x), net(x)[0])


def test_another_back_end_that_is_demanded_later_is_an_error():
    net, x = GRU(3, 4), torch.randn(5, 2, 3)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    compiled(x)
    with loopcell.backend("c"), pytest.raises(UsageError, match="was compiled or exported for native"):
        compiled(x)
