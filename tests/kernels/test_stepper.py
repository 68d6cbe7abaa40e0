"""One step at a time gives what the whole sequence gives, on memory that stays where it is."""

import copy
import gc
import pickle

import numpy as np
import pytest
import torch

import loopcell
from loopcell import GRU, LSTM, Recurrent, State
from loopcell.errors import InputError
from tests.kernels.test_laws import ALL
from tests.laws.table import case


def steps_of(stepper, x):
    return torch.stack([stepper.step(row).clone() for row in x])


@pytest.mark.parametrize("batch", [1, 3, 9])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "lstm_layer_norm", "lstm_projected", "sru", "zoneout"])
def test_steps_are_the_sequence(name, batch):
    tried = case(ALL[name], hidden_size=19, batch=batch, steps=7)
    net = tried.net(num_layers=2).eval()
    x, start = tried.inputs(), tried.state(net)
    with torch.no_grad():
        expected, last = net(x, start)
    stepper = net.stepper(batch, start)
    assert stepper.fused
    assert torch.allclose(steps_of(stepper, x), expected, atol=1e-12)
    for state, tensor in stepper.state.items():
        assert torch.allclose(tensor, last[state], atol=1e-12)


def test_the_reference_path_steps_too():
    net = LSTM(3, 5, num_layers=2, batch_first=True, dropout=0.5)
    x = torch.randn(6, 2, 3)
    fused = net.stepper(2)
    with loopcell.backend("reference"):
        plain = net.stepper(2)
        assert not plain.fused
        assert torch.allclose(steps_of(plain, x), steps_of(fused, x), atol=1e-6)
    assert net.training
    assert torch.allclose(plain.state.c, fused.state.c, atol=1e-6)


def test_state_is_put_back_and_rows_start_afresh():
    net = GRU(3, 5)
    stepper = net.stepper(2)
    x = torch.randn(4, 2, 3)
    first = stepper.step(x[0]).clone()
    kept = stepper.state
    second = stepper.step(x[1]).clone()
    stepper.state = kept
    assert torch.equal(stepper.step(x[1]), second)
    stepper.reset([True, False])
    row = stepper.step(x[0]).clone()
    assert torch.equal(row[0], first[0])
    assert not torch.equal(row[1], first[1])
    stepper.reset()
    assert torch.equal(stepper.step(x[0]), first)


def test_weights_are_those_of_the_making_until_refreshed():
    net = LSTM(3, 5)
    stepper, x = net.stepper(), torch.randn(1, 3)
    before = stepper.step(x).clone()
    with torch.no_grad():
        net.weight_hh_l0.mul_(2)
        net.bias_ih_l0.add_(1)
    stepper.reset()
    assert torch.equal(stepper.step(x), before)
    stepper.reset()
    stepper.refresh()
    with torch.no_grad():
        assert torch.allclose(stepper.step(x), net(x.unsqueeze(0))[0][0], atol=1e-6)


def test_vectors_too_are_those_of_the_making():
    net, x = Recurrent("gru", 3, 5), torch.randn(1, 3)
    stepper = net.stepper()
    before = stepper.step(x).clone()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.5)
    stepper.reset()
    assert torch.equal(stepper.step(x), before)
    stepper.reset()
    stepper.refresh()
    assert torch.allclose(stepper.step(x), net(x.unsqueeze(0))[0][0], atol=1e-6)


def test_memory_lives_as_long_as_the_stepper():
    stepper = LSTM(3, 16, num_layers=3).stepper()
    x = torch.ones(1, 3)
    first = stepper.step(x).clone()
    gc.collect()
    filler = [torch.full((4096,), float("nan")) for _ in range(200)]
    stepper.reset()
    assert torch.equal(stepper.step(x), first)
    del filler


def test_nothing_is_allocated_in_a_step():
    stepper, x = LSTM(3, 16).stepper(), torch.ones(1, 3)
    address = stepper.step(x).data_ptr()
    assert all(stepper.step(x).data_ptr() == address for _ in range(5))


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="bidirectional network reads the future"):
        LSTM(3, 5, bidirectional=True).stepper()
    stepper = LSTM(3, 5).stepper(2)
    for x in (torch.zeros(3), torch.zeros(1, 3), torch.zeros(2, 4), torch.zeros(2, 3, dtype=torch.float64)):
        with pytest.raises(InputError, match=r"a step takes torch.float32 \[2, 3\] on cpu"):
            stepper.step(x)
    with pytest.raises(InputError, match="state `h` must be"):
        stepper.state = State(h=torch.zeros(1, 3, 5), c=torch.zeros(1, 3, 5))
    with pytest.raises(InputError, match=r"a stepper's state is a loopcell\.State with h, c"):
        stepper.state = torch.zeros(1)


def test_a_strided_input():
    stepper, x = GRU(3, 5).stepper(2), torch.randn(3, 2)
    expected = stepper.step(x.T.contiguous()).clone()
    stepper.reset()
    assert torch.equal(stepper.step(x.T), expected)


def test_a_cell_that_has_no_use_for_its_input():
    from loopcell import cell, tanh

    @cell
    def alone(x, h, *, U):
        return tanh(U.h @ h + 1)

    net = Recurrent(alone, 2, 4)
    x = torch.randn(5, 1, 2)
    with torch.no_grad():
        assert torch.allclose(steps_of(net.stepper(), x), net(x)[0], atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_steps_on_kernels_with_its_state_in_single(dtype):
    torch.manual_seed(0)
    net = loopcell.LSTM(6, 20, 2).to(dtype)
    x = torch.randn(9, 3, 6).to(dtype)
    stepper = net.stepper(batch_size=3)
    assert stepper.fused
    ys = [stepper.step(now).clone() for now in x]
    y, (h, c) = net(x)
    assert ys[0].dtype == stepper.state.h.dtype == dtype
    torch.testing.assert_close(torch.stack(ys), y, rtol=0.02, atol=0.01)
    torch.testing.assert_close(stepper.state.c, c, rtol=0.02, atol=0.02)
    before = stepper.step(x[0]).clone()
    stepper.state = State(h=h, c=c)
    stepper.refresh()
    torch.testing.assert_close(stepper.step(x[0]), before, rtol=0.02, atol=0.01)


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda stepper: pickle.loads(pickle.dumps(stepper))])
@pytest.mark.parametrize("backend", ["auto", "native", "reference"])
def test_a_copy_goes_on_by_itself(travel, backend):
    net, x = GRU(3, 4, num_layers=2), torch.randn(6, 2, 3)
    with loopcell.backend(backend):
        stepper = net.stepper(batch_size=2)
        steps_of(stepper, x[:3])
        other = travel(stepper)
        wanted = steps_of(stepper, x[3:])
        torch.testing.assert_close(steps_of(other, x[3:]), wanted)
        torch.testing.assert_close(wanted, net(x)[0][3:].detach())


@pytest.mark.parametrize("given", [None, [[0.0, 0.0, 0.0]], np.zeros((1, 3), np.float32)])
def test_a_step_of_something_else_is_refused(given):
    with pytest.raises(InputError, match=r"a step takes a tensor, torch.float32 \[1, 3\]; got "):
        GRU(3, 4).stepper().step(given)
