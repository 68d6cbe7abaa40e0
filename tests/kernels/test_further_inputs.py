"""Cells with several inputs on kernels: repeated calls, steps, half precision, and the gradient of every input."""

from __future__ import annotations

import pytest
import torch

import loopcell
from loopcell import Recurrent
from loopcell.errors import TensorError
from tests.reference.decays import gru_d, gru_decay, lstm_time_aware

T, B, D, H = 7, 4, 3, 17
STEPS = {"gru_decay": gru_decay, "gru_d": gru_d, "lstm_time_aware": lstm_time_aware}


def made(name, dtype=torch.float64, **options):
    torch.manual_seed(1)
    net = Recurrent(name, D, H, dtype=dtype, **options).eval()
    assert all(plan.fused for plan in net.plan())
    return net


def drawn(net, seed=2):
    torch.manual_seed(seed)
    x = torch.randn(T, B, D, dtype=torch.float64)
    given = {key: torch.rand(T, B, width, dtype=torch.float64) for key, (_, width) in net.spec.further.items()}
    if "mask" in given:
        given["mask"] = (given["mask"] < 0.6).double()
    dtype = net.get_parameter("l0.U.n" if "gru" in net.cell.name else "l0.U.i").dtype
    return x.to(dtype), {key: value.to(dtype) for key, value in given.items()}


def by_hand(net, x, given):
    states = tuple(x.new_zeros(B, size) for size in net.spec.state_sizes.values())
    outputs = []
    for t in range(T):
        step = torch.cat([x[t], *(value[t] for value in given.values())], -1)
        output, states = STEPS[net.cell.name](step, states, net.weights(0, 0))
        outputs.append(output)
    return torch.stack(outputs), states


def gradients(y, states, inputs, net):
    loss = (y * torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view(y.shape)).sum()
    loss = loss + sum((state**2).sum() for state in states)
    return torch.autograd.grad(loss, [*inputs, *net.parameters()], allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", STEPS)
def test_outputs_and_all_gradients_are_those_of_the_papers_loop(name, dtype):
    net = made(name, dtype)
    x, given = drawn(net)
    inputs = [tensor.requires_grad_() for tensor in (x, *given.values())]
    expected, states = by_hand(net, x, given)
    tolerance = {"rtol": 1e-10, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 2e-4, "atol": 2e-5}
    wanted = gradients(expected, states, inputs, net)
    for _ in range(2):  # the second call is a remembered one
        y, state = net(x, **given)
        torch.testing.assert_close(y, expected, **tolerance)
        found = gradients(y, [one[0] for one in state.values()], inputs, net)
        for ours, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, **tolerance)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_a_remembered_call_reads_the_inputs_of_its_own_call(name, batch_first):
    net = made(name, batch_first=batch_first)
    for seed in (2, 3, 4):
        x, given = drawn(net, seed)
        expected, _ = by_hand(net, x, given)

        def form(tensor):
            return tensor.transpose(0, 1) if batch_first else tensor

        flat = {key: form(value if net.spec.further[key].size else value.squeeze(-1)) for key, value in given.items()}
        with torch.no_grad():
            for again in (flat, {key: form(value) for key, value in given.items()}):
                torch.testing.assert_close(form(net(form(x), **again)[0]), expected, rtol=1e-10, atol=1e-12)
    assert len(net._calls._calls) == 1
    for key in given:
        with pytest.raises(TensorError):
            net(form(x), **{other: form(value) for other, value in given.items() if other != key})
        with pytest.raises(TensorError):
            net(form(x), **{other: form(value)[:1] for other, value in given.items()})


@pytest.mark.parametrize("name", STEPS)
def test_views_with_gaps_are_read_where_they_lie(name):
    net = made(name)
    x, given = drawn(net)
    wide = torch.cat([x, *given.values()], -1)
    parts = wide.split([D, *(value.shape[-1] for value in given.values())], -1)
    y, _ = net(parts[0], **dict(zip(given, parts[1:], strict=True)))
    torch.testing.assert_close(y, net(x, **given)[0], rtol=0, atol=0)
    row = {key: value[:, :1] for key, value in given.items()}
    expected, _ = net(x, **{key: value.expand(T, B, -1).contiguous() for key, value in row.items()})
    spread, _ = net(x, **{key: value.expand(T, B, -1) for key, value in row.items()})
    torch.testing.assert_close(spread, expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", STEPS)
def test_steps_are_the_sequence(name, dtype):
    net = made(name, dtype)
    x, given = drawn(net)
    with torch.no_grad():
        y, state = net(x, **given)
    stepper = net.stepper(B)
    assert stepper.fused
    tolerance = 1e-12 if dtype == torch.float64 else 2e-2
    for t in range(T):
        found = stepper.step(x[t], **{key: value[t] for key, value in given.items()})
        torch.testing.assert_close(found, y[t], rtol=0, atol=tolerance)
    for key, value in stepper.state.items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=tolerance)
    stepper.reset()
    flat = {key: value[0] if net.spec.further[key].size else value[0].squeeze(-1) for key, value in given.items()}
    torch.testing.assert_close(stepper.step(x[0], **flat), y[0], rtol=0, atol=tolerance)


def test_steps_of_two_layers_have_one_time():
    net = made("gru_decay", num_layers=2)
    x, given = drawn(net)
    y, _ = net(x, **given)
    stepper = net.stepper(B)
    for t in range(T):
        torch.testing.assert_close(stepper.step(x[t], dt=given["dt"][t]), y[t].detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", STEPS)
def test_checkpoints_and_autocast(name):
    net = made(name, torch.float32)
    x, given = drawn(net)
    inputs = [tensor.requires_grad_() for tensor in (x, *given.values())]
    y, state = net(x, **given)
    expected = gradients(y, [one[0] for one in state.values()], inputs, net)
    net.gradient_checkpointing_enable(3)
    again, state = net(x, **given)
    for ours, theirs in zip(gradients(again, [one[0] for one in state.values()], inputs, net), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    net.gradient_checkpointing_disable()
    with torch.autocast("cpu", torch.bfloat16):
        half, _ = net(x, **given)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), y, rtol=0, atol=3e-2)


def test_without_its_inputs_no_kernel_runs():
    net = made("gru_d")
    x, _ = drawn(net)
    rest = [x.new_zeros(B, size) for size in net.spec.state_sizes.values()]
    with pytest.raises(loopcell.errors.InputError, match="cell `gru_d` also reads mask, dt; 0 came"):
        net.executable(0)(x, rest, net.sources(0, 0), loopcell.runtime.Lengths(T), training=False)
