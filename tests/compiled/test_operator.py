"""Inside a compiler a cell is one operator: nothing unrolled, nothing compiled again, equal numbers."""

import subprocess
import sys
import textwrap

import pytest
import torch

import loopcell
from loopcell import GRU, LSTM, Recurrent, cells
from loopcell.errors import UsageError
from loopcell.runtime import Lengths, Weights, operator, operator_spec
from loopcell.testing import Case, assert_all_close
from loopcell.testing.case import observe


@pytest.fixture(autouse=True)
def _kernels():
    torch._dynamo.reset()
    with loopcell.backend("auto"):
        yield
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ["lstm", "lstm_layer_norm", "sru"])
def test_fullgraph(name):
    tried = Case(cells.get(name))
    net = tried.net(num_layers=2, bidirectional=True)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    x, state = tried.inputs(), tried.state(net)
    assert_all_close(observe(net, compiled, x, state), observe(net, net, x, state))


def test_fullgraph_with_lengths_and_resets():
    tried = Case(cells.get("gru"))
    net = tried.net(num_layers=2)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    x, state = tried.inputs(), tried.state(net)
    masks = {"lengths": tried.lengths(), "reset": tried.reset()}
    expected = observe(net, lambda x, state: net(x, state, **masks), x, state)
    assert_all_close(observe(net, lambda x, state: compiled(x, state, **masks), x, state), expected)


def test_nothing_is_compiled_again_when_time_and_batch_change():
    net = LSTM(3, 5)
    counter = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(net, fullgraph=True, backend=counter, dynamic=True)
    for steps, batch in ((7, 2), (9, 3), (30, 4), (11, 2)):
        x = torch.randn(steps, batch, 3)
        assert torch.allclose(compiled(x)[0], net(x)[0], atol=1e-6)
    assert counter.frame_count == 1
    assert counter.op_count < 40, "unrolled"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torch_export_gives_a_program_that_runs_in_another_process(tmp_path):
    net = Recurrent(cells.get("lstm_layer_norm"), 3, 5, num_layers=2).eval()
    x = torch.randn(6, 2, 3)
    steps = torch.export.Dim("steps", min=2, max=1000)
    program = torch.export.export(net, (x,), dynamic_shapes={"x": {0: steps}})
    assert any("loopcell.run" in str(node.target) for node in program.graph.nodes)
    longer = torch.randn(11, 2, 3)
    assert torch.allclose(program.module()(longer)[0], net(longer)[0], atol=1e-6)
    torch.export.save(program, tmp_path / "program.pt2")
    torch.save({"x": longer, "y": net(longer)[0].detach()}, tmp_path / "expected.pt")
    script = f"""
        import torch
        from loopcell import Recurrent
        program = torch.export.load({str(tmp_path / "program.pt2")!r})
        expected = torch.load({str(tmp_path / "expected.pt")!r}, weights_only=True)
        assert torch.allclose(program.module()(expected["x"])[0], expected["y"], atol=1e-6)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=300)


def test_recorded_values_come_through_the_operator():
    net = LSTM(3, 5)
    x = torch.randn(4, 2, 3)
    expected = net.record(x, "f")["f"][0]  # before the compiler: it cannot read how a new variant is made
    compiled = torch.compile(lambda x: net.record(x, "f")["f"][0], fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x), expected)


def test_the_operator_keeps_torchs_rules():
    """torch's own check of an operator: shapes of the fake kernel, autograd, no results that share memory."""
    net = LSTM(3, 5).double()
    execute = net.executable(0)
    weights = net.sources(0, 0)
    leaves = {"input.x": torch.randn(4, 2, 3), "state.h": torch.randn(2, 5), "state.c": torch.randn(2, 5)}
    what = operator_spec.describe(execute.operator_name(training=False), leaves, weights.layout.text, None, "")
    tensors = [tensor.detach().double().requires_grad_() for tensor in (*leaves.values(), *weights.bases)]
    for lengths in (None, torch.tensor([4, 2])):
        arguments = (tensors, lengths, None, what, True)
        torch.library.opcheck(operator.run, arguments)
        gradients = torch.autograd.grad(sum(y.sin().sum() for y in operator.run(*arguments)[:3]), tensors)
        rows = Lengths(4, lengths)
        y, states, *_ = execute(tensors[0], tensors[1:3], weights_of(tensors[3:], weights), rows, training=False)
        expected = torch.autograd.grad(sum(v.sin().sum() for v in (y, *states)), tensors)
        for found, wanted in zip(gradients, expected, strict=True):
            assert torch.allclose(found, wanted)


def weights_of(bases, like):
    return Weights(tuple(bases), like.layout)


def test_a_demand_that_cannot_be_met_is_said_to_the_compiler_too():
    net = GRU(3, 4, device="meta")
    with loopcell.backend("c"), pytest.raises(UsageError, match="the kernels are for the CPU"):
        torch.export.export(net, (torch.randn(5, 2, 3, device="meta"),))
