"""The scan's kernels, interpreted on the CPU, beside the scan in plain PyTorch.

The interpreter runs programs one after the other; that these kernels need no order among the programs of one launch is
argued in docs/concepts/gpus.md.
"""

from functools import partial

import pytest
import torch

import loopcell
from loopcell import cells
from loopcell.backends.lengths import Lengths
from loopcell.backends.reference import ReferenceProgram
from loopcell.backends.reference.scan import blocked_scan, run_scanned, scanned_program
from loopcell.backends.scan import scan_states
from loopcell.backends.triton.scan import launch
from loopcell.backends.triton.scan.launch import triton_scan
from loopcell.passes import build_program
from loopcell.testing import assert_all_close
from tests.backends.test_scan import gradient_before_a_restart, problem, step_by_step
from tests.laws.table import case
from tests.laws.test_derived import drawn


@pytest.fixture(params=[8, 1000], ids=["blocks", "one block"])
def block(request, monkeypatch):
    monkeypatch.setattr(launch, "FEWEST_STEPS", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("steps", [1, 19])
def test_equal_to_plain_pytorch(steps, restarts, reverse, dtype):
    given = problem(steps, rows=2, units=37, dtype=dtype, restarts=restarts, scale=0.7)
    torch.testing.assert_close(triton_scan(*given, reverse), blocked_scan(*given, reverse))


@pytest.mark.usefixtures("block")
def test_tensors_may_be_broadcast_and_transposed():
    a, b, first, restart = problem(9, rows=2, units=33)
    a, b = a[0, 0].expand(a.shape), b.transpose(0, 1).contiguous().transpose(0, 1)
    torch.testing.assert_close(triton_scan(a, b, first, None, False), step_by_step(a, b, first))
    torch.testing.assert_close(
        triton_scan(a, b, first.T.contiguous().T, restart, False), step_by_step(a, b, first, restart)
    )


@pytest.mark.usefixtures("block")
def test_products_stay_in_range():
    """A block's product passes 1e60 and 1e-60, which are no float32; the states themselves stay where numbers are."""
    a = torch.tensor([1e30, 1e30, 1e-30, 1e-30] * 6).view(-1, 1, 1)
    b, first = torch.zeros_like(a), torch.tensor([[1e-25]])
    torch.testing.assert_close(triton_scan(a, b, first, None, False), step_by_step(a, b, first), rtol=1e-5, atol=0)


@pytest.mark.usefixtures("block")
def test_a_restart_forgets_what_is_no_number():
    a, b, first, _ = problem(24, rows=2, units=3, dtype=torch.float32, restarts=False)
    restart = torch.zeros(24, 2, dtype=torch.bool)
    restart[13, 0] = True
    b[2] = float("nan")
    states = triton_scan(a, b, first, restart, False)
    assert states[13:, 0].isfinite().all()
    assert states[2:13].isnan().all()
    assert states[13:, 1].isnan().all()


@pytest.mark.usefixtures("block")
def test_no_gradient_passes_a_restart_even_where_the_coefficient_is_no_number():
    expected = gradient_before_a_restart(step_by_step)
    torch.testing.assert_close(gradient_before_a_restart(partial(scan_states, triton_scan)), expected)


@pytest.mark.usefixtures("block")
def test_a_program_by_kernels_gives_what_it_gives_in_plain_pytorch():
    tried = case(cells.get("min_gru"), steps=11)
    reference = ReferenceProgram(build_program(tried.cell.graph, training=False))
    lengths = Lengths(11, tried.lengths()).with_reset(tried.reset())
    leaves = drawn(tried, 11)
    wanted = [key for key in leaves if key.kind in ("input", "state", "parameter")]
    for key in wanted:
        leaves[key].requires_grad_()

    def observed(run):
        y, states, _ = run_scanned(scanned_program(reference), leaves, lengths, run)
        gradients = torch.autograd.grad(y.sin().sum() + states[0].cos().sum(), [leaves[key] for key in wanted])
        return {"the output": y, "the state": states[0], **dict(zip(map(str, wanted), gradients, strict=True))}

    assert_all_close(observed(triton_scan), observed(blocked_scan))


@pytest.mark.parametrize("shape", [(0, 2, 3), (4, 0, 3)])
def test_nothing_to_do(shape):
    empty = torch.empty(shape, requires_grad=True)
    first = torch.ones(shape[1:], requires_grad=True)
    states = scan_states(triton_scan, empty, empty, first)
    assert states.shape == shape
    states.sum().backward()
    assert first.grad.shape == shape[1:]


def test_blocks_fill_a_device_and_are_no_shorter_than_pays():
    def steps_a_block(steps, rows, units):
        tensor = torch.empty(1).expand(steps, rows, units)
        call = launch._ScanCall(tensor, tensor, None, False)
        return call.steps_a_block(torch.device("cpu"))

    assert steps_a_block(16384, 8, 1536) == 16384  # rows and units fill the one processor alone
    assert steps_a_block(16384, 1, 128) == 512
    assert steps_a_block(100, 1, 128) == launch.FEWEST_STEPS


@pytest.mark.parametrize("name", ["min_gru", "min_lstm", "lstm"])
def test_a_network_runs_the_scan_where_its_cell_is_one(name, monkeypatch):
    calls = []
    monkeypatch.setattr(launch, "triton_scan", lambda *given: calls.append(given) or triton_scan(*given))
    net = loopcell.Recurrent(name, 3, 5, num_layers=2)
    net(torch.randn(4, 2, 3))
    assert len(calls) == (0 if name == "lstm" else 2)
    assert ("scan over time" in net.plan()[0].reason) == bool(calls)
