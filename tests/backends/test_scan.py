"""Scans over time: equal to the recurrence step by step, in every gradient, at every length, for every coefficient."""

from functools import partial

import pytest
import torch

from loopcell import cells
from loopcell.backends.lengths import Lengths
from loopcell.backends.reference import ReferenceProgram, run
from loopcell.backends.reference.scan import blocked_scan, run_scanned, scanned_program
from loopcell.backends.scan import scan_states
from loopcell.cells import zoneout
from loopcell.passes import build_program
from loopcell.testing import assert_all_close
from tests.laws.table import case
from tests.laws.test_derived import drawn
from tests.passes.test_scan import highway, smoothed_twice

CELLS = {
    equations.name: equations
    for equations in (
        cells.get("min_gru"),
        cells.get("min_lstm"),
        zoneout(cells.get("min_gru"), 0.2),
        highway,
        smoothed_twice,
    )
}


def step_by_step(a, b, first, restart=None):
    states, h = [], first
    for t in range(len(b)):
        h = h if restart is None else h.masked_fill(restart[t].unsqueeze(-1), 0.0)
        h = a[t] * h + b[t]
        states.append(h)
    return torch.stack(states) if states else torch.empty_like(b)


def problem(steps, *, rows=3, units=2, dtype=torch.float64, restarts=True, scale=1.0, seed=0):
    torch.manual_seed(seed)
    a, b = torch.randn(2, steps, rows, units, dtype=torch.float64).unbind(0)
    restart = torch.rand(steps, rows) < 0.1 if restarts else None
    return (a * scale).to(dtype), b.to(dtype), torch.randn(rows, units, dtype=torch.float64).to(dtype), restart


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("steps", [0, 1, 11])
def test_a_scanned_program_gives_what_the_loop_gives(name, masked, steps):
    tried = case(CELLS[name], steps=max(1, steps))
    leaves = drawn(tried, steps)
    wanted = [key for key in leaves if key.kind in ("input", "state", "parameter")]
    for key in wanted:
        leaves[key].requires_grad_()
    reference = ReferenceProgram(build_program(CELLS[name].graph, training=True))
    lengths = Lengths(steps, tried.lengths()).with_reset(tried.reset()) if masked and steps else Lengths(steps)

    def observed(y, states, _):
        results = {"the output": y, **{f"the final {k}": s for k, s in zip(reference.states, states, strict=True)}}
        loss = sum((part * torch.cos(torch.arange(part.numel())).view(part.shape)).sum() for part in results.values())
        asked = [leaves[key] for key in wanted]
        gradients = torch.autograd.grad(loss, asked, allow_unused=True, materialize_grads=True)
        return results | {f"the gradient of {key}": g for key, g in zip(wanted, gradients, strict=True)}

    expected = observed(*run(reference, leaves, lengths))
    assert_all_close(observed(*run_scanned(scanned_program(reference), leaves, lengths)), expected)


def test_what_is_recorded_is_the_loops():
    from loopcell.runtime.programs import recording

    graph = recording(cells.get("min_gru").graph, ("z", "h"))
    reference = ReferenceProgram(build_program(graph, training=False))
    leaves = drawn(case(cells.get("min_gru")), 5)
    _, _, expected = run(reference, leaves, Lengths(5, torch.tensor([5, 0, 3])))
    _, _, recorded = run_scanned(scanned_program(reference), leaves, Lengths(5, torch.tensor([5, 0, 3])))
    assert_all_close(recorded, expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 3, 17, 100])
def test_blocks_of_every_size(steps, reverse):
    a, b, first, restart = problem(steps)
    states = blocked_scan(a, b, first, restart, reverse)
    if reverse:  # g_t = b_t + a_{t+1} g_{t+1}, by hand
        g, expected = first, []
        for t in reversed(range(steps)):
            if t + 1 < steps:
                g = a[t + 1] * g.masked_fill(restart[t + 1].unsqueeze(-1), 0.0)
            g = b[t] + g
            expected.insert(0, g)
        torch.testing.assert_close(states, torch.stack(expected))
    else:
        torch.testing.assert_close(states, step_by_step(a, b, first, restart))


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0], ids=["decaying", "mixed", "exploding"])
@pytest.mark.parametrize("seed", range(3))
def test_the_error_is_within_the_bound_of_the_recurrence_itself(scale, seed):
    """Every rounding is at most eps of a term, so the same scan of absolute values bounds the error."""
    a, b, first, restart = problem(60, dtype=torch.float32, scale=scale, seed=seed)
    exact = step_by_step(a.double(), b.double(), first.double(), restart)
    bound = step_by_step(a.double().abs(), b.double().abs(), first.double().abs(), restart)
    error = (blocked_scan(a, b, first, restart, False).double() - exact).abs()
    in_range = bound < torch.finfo(torch.float32).max
    assert in_range.float().mean() > 0.2
    steps = torch.arange(1, 61).view(-1, 1, 1)
    assert (error / bound / steps)[in_range].max() < 3 * torch.finfo(torch.float32).eps


def test_a_product_beyond_all_numbers_leaves_a_state_that_is_one():
    """1e30 * 1e30 is no float32, and neither is 1e-30 * 1e-30; the states below never leave the range."""
    a = torch.tensor([1.0, 1e30, 1e30, 1e-30, 1e-30, 1e-30] * 20).view(-1, 1, 1)
    b = torch.zeros_like(a)
    first = torch.tensor([[1e-35]])
    tiny = a.flatten().double().cumprod(0) * 1e-35
    a[59], b[59] = 0.0, 1e-35  # begins anew, in the middle of a block
    states = blocked_scan(a, b, first, None, False)
    torch.testing.assert_close(states, step_by_step(a, b, first), rtol=1e-5, atol=0)
    assert tiny[:3].max() < 3e38
    assert torch.isfinite(states).all()
    assert states.max() > 1e24


@pytest.mark.parametrize("lost", [float("nan"), float("inf")])
def test_what_is_no_number_ends_at_a_restart_and_nowhere_else(lost):
    a, b, first, _ = problem(40, rows=2, restarts=False)
    restart = torch.zeros(40, 2, dtype=torch.bool)
    restart[25, 0] = True
    b[7] = lost
    states = blocked_scan(a, b, first, restart, False)
    assert states[:7].isfinite().all()
    assert not states[7:25].isfinite().any()
    assert states[25:, 0].isfinite().all()
    assert not states[25:, 1].isfinite().any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype):
    a, b, first, restart = problem(64, dtype=dtype, scale=0.5)
    exact = step_by_step(a.float(), b.float(), first.float(), restart).to(dtype)
    torch.testing.assert_close(blocked_scan(a, b, first, restart, False), exact)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_gradient_can_be_differentiated_again(restarts):
    a, b, first, restart = problem(5, rows=2, units=1, restarts=restarts, seed=1)
    if restarts:
        restart[2, 0] = restart[0, 1] = True
    asked = [tensor.requires_grad_() for tensor in (a, b, first)]
    scan = lambda a, b, first: scan_states(blocked_scan, a, b, first, restart)  # noqa: E731
    assert torch.autograd.gradcheck(scan, asked)
    assert torch.autograd.gradgradcheck(scan, asked)


def test_a_cell_that_is_no_scan_has_no_scanned_program():
    assert scanned_program(ReferenceProgram(build_program(cells.get("lstm").graph, training=False))) is None


def gradient_before_a_restart(scanned):
    """The gradient of the steps before one that restarts, and whose coefficient is no number."""
    a, b, first, _ = problem(24, rows=2, units=3, restarts=False)
    restart = torch.zeros(24, 2, dtype=torch.bool)
    a[13], restart[13] = float("nan"), True
    b.requires_grad_()
    return torch.autograd.grad(scanned(a, b, first, restart)[:13].sum(), b)[0][:13]


def test_no_gradient_passes_a_restart_even_where_the_coefficient_is_no_number():
    expected = gradient_before_a_restart(step_by_step)
    assert expected.isfinite().all()
    torch.testing.assert_close(gradient_before_a_restart(partial(scan_states, blocked_scan)), expected)
