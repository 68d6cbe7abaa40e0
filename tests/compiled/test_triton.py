"""torch.compile and torch.export where Triton's kernels are demanded: one operator, which runs them."""

from __future__ import annotations

import pytest
import torch
from torch._dynamo.exc import InternalTorchDynamoError

import loopcell
from loopcell import GRU, LSTM, Recurrent, cells
from loopcell.backends.triton.launch import run
from loopcell.errors import UsageError
from loopcell.runtime import operator, operator_spec
from loopcell.testing import assert_all_close
from tests.compiled.demanded import demand_the_same_under_autocast, everything

pytest.importorskip("triton", reason="triton comes with the extra `gpu`, on Linux")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

KINDS = {
    "LSTM": lambda: LSTM(3, 4, num_layers=2, bidirectional=True),
    "a product in the way": lambda: Recurrent(cells.get("gru_keeps_before"), 3, 4, batch_first=True),
    "a scan": lambda: Recurrent(cells.get("min_gru"), 3, 4),
}


@pytest.fixture(autouse=True)
def _triton():
    torch._dynamo.reset()
    with loopcell.backend("triton"):
        yield


@pytest.fixture
def loops(monkeypatch):
    """The names of the loops that ran as kernels."""
    ran = []

    def counted(loop, *arguments, **further):
        ran.append(loop.name)
        return run.run_loop(loop, *arguments, **further)

    monkeypatch.setattr("loopcell.backends.triton.launch.loops.run_loop", counted)
    return ran


def plain(net, x, **given):
    with loopcell.backend("reference"):
        return everything(net, net, x, **given)


@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "lengths and resets"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_compiled_network_is_the_network(kind, ragged):
    net = KINDS[kind]()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    for steps in (5, 3):
        x = torch.randn(3, steps, 3) if net.batch_first else torch.randn(steps, 3, 3)
        given = {}
        if ragged:
            reset = torch.rand(x.shape[:2]) < 0.3
            given = {"lengths": torch.tensor([steps, 0, 2]), "reset": reset}
        assert_all_close(everything(compiled, net, x, **given), plain(net, x, **given))


def test_what_is_compiled_runs_kernels_forward_and_in_reverse(loops):
    net, x = GRU(3, 4), torch.randn(5, 2, 3)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    everything(compiled, net, x)
    # What a forward loop saves has no form that a compiler could know, so the backward pass runs forward once more.
    assert loops == ["forward", "forward_and_save", "reverse"]


def test_a_compiled_network_under_autocast():
    demand_the_same_under_autocast(KINDS["LSTM"](), torch.randn(5, 3, 3))


def test_nothing_is_compiled_again_when_time_and_batch_change():
    net, counter = LSTM(3, 5), torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(net, fullgraph=True, backend=counter, dynamic=True)
    for steps, batch in ((7, 2), (9, 3), (4, 4)):
        x = torch.randn(steps, batch, 3)
        torch.testing.assert_close(compiled(x)[0], net(x)[0])
    assert counter.frame_count == 1
    assert counter.op_count < 40, "unrolled"


def test_an_exported_program_keeps_what_was_demanded(tmp_path, loops):
    net, x = KINDS["LSTM"](), torch.randn(5, 3, 3)
    program = torch.export.export(net, (x,))
    operators = [node for node in program.graph.nodes if "loopcell.run" in str(node.target)]
    assert len(operators) == 4
    assert all(str(node.args[3]).endswith("\ntriton") for node in operators)
    torch.export.save(program, tmp_path / "program.pt2")
    with loopcell.backend("auto"):  # what runs is in the program
        again = torch.export.load(tmp_path / "program.pt2").module()(x)
        assert loops == ["forward"] * 4
    torch.testing.assert_close(again, net(x))
    with loopcell.backend("c"), pytest.raises(UsageError, match="was compiled or exported for triton"):
        program.module()(x)


def test_the_operator_keeps_torchs_rules():
    net = GRU(3, 5).double()
    weights = net.sources(0, 0)
    leaves = {"input.x": torch.randn(4, 2, 3), "state.h": torch.randn(2, 5)}
    name = net.executable(0).operator_name(training=False)
    what = operator_spec.describe(name, leaves, weights.layout.text, None, "triton")
    tensors = [tensor.detach().double().requires_grad_() for tensor in (*leaves.values(), *weights.bases)]
    for lengths in (None, torch.tensor([4, 2])):
        torch.library.opcheck(operator.run, (tensors, lengths, None, what, True))


def test_a_tensor_without_memory_is_refused_in_a_sentence():
    net, x = GRU(3, 4, device="meta"), torch.randn(5, 2, 3, device="meta")
    for run_net in (lambda: net(x), lambda: torch.export.export(net, (x,))):
        with pytest.raises(UsageError, match="Triton kernels are for CUDA GPUs, and the tensors are on meta"):
            run_net()


def test_what_cannot_run_says_so_while_it_is_compiled(monkeypatch):
    monkeypatch.setattr("loopcell.backends.triton.toolchain.device.version", lambda: None)
    with pytest.raises(InternalTorchDynamoError, match="triton is not installed"):
        torch.compile(GRU(3, 4), fullgraph=True, backend="aot_eager")(torch.randn(3, 5, 3))
