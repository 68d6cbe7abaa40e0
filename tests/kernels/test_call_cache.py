"""The call cache: a later call gives what the first one gave, and follows whatever has changed since."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import loopcell
from loopcell.layers.call_cache import CachedCall, CallCache
from loopcell.runtime.kernels import KernelRunner


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def reference(net, *given):
    with loopcell.backend("reference"):
        return net(*given)


def agree(net, *given):
    y, state = net(*given)
    expected, final = reference(net, *given)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(state, final)
    return y


@pytest.fixture(params=[False, True], ids=["time first", "batch first"])
def net(request):
    torch.manual_seed(0)
    return loopcell.LSTM(3, 5, 2, batch_first=request.param)


@pytest.fixture
def calls(monkeypatch):
    """Which calls ran from the cache."""
    seen = []
    find, run = CallCache.find, CachedCall.run

    def found(*given):
        seen.append(False)
        return find(*given)

    def cached(*given):
        results = run(*given)
        seen[-1] = results is not None
        return results

    monkeypatch.setattr(CallCache, "find", found)
    monkeypatch.setattr(CachedCall, "run", cached)
    return lambda: seen


def test_a_second_call_runs_from_the_cache_and_gives_the_same(net, calls):
    x = torch.randn(4, 2, 3)
    first, second = net(x), net(x)
    assert calls() == [False, True]
    torch.testing.assert_close(second, first, rtol=0, atol=0)
    agree(net, x)


def test_weights_that_change_are_seen(net, calls):
    x = torch.randn(4, 2, 3)
    agree(net, x)
    with torch.no_grad():
        net.weight_hh_l1.mul_(3)
        net.bias_ih_l0.data.add_(1)
    agree(net, x)
    net.weight_ih_l0 = nn.Parameter(torch.randn(20, 3))
    agree(net, x)
    net.weight_hh_l0.data = torch.randn(5, 20).t()  # columns in one piece: a kernel does not read that
    agree(net, x)
    parametrize.register_parametrization(net, "weight_hh_l1", Doubled())
    agree(net, x)
    net.double()
    agree(net, x.double())
    assert calls().count(True) >= 2


def test_a_state_is_read_and_gradients_flow(net, calls):
    x = torch.randn(4, 2, 3)
    batch = 4 if net.batch_first else 2
    h, c = torch.randn(2, batch, 5, requires_grad=True), torch.randn(2, batch, 5, requires_grad=True)
    for _ in range(3):
        found, expected = [], []
        for run, gradients in ((net, found), (lambda *given: reference(net, *given), expected)):
            net.zero_grad()
            h.grad = c.grad = None
            y, (last, _) = run(x, (h, c))
            (y.square().sum() + last.sum()).backward()
            gradients += [h.grad, c.grad, *(weight.grad for weight in net.parameters())]
        torch.testing.assert_close(found, expected)
    assert any(calls())


def test_the_states_at_rest_are_not_the_users():
    net = loopcell.GRU(3, 5)
    x = torch.randn(1, 2, 3)
    with torch.no_grad():
        first = net(x)[0].clone()
        for _ in range(3):
            y, h = net(x)
            y.zero_(), h.fill_(7)
        assert torch.equal(net(x)[0], first)


def test_what_is_wrong_is_still_said(net):
    x = torch.randn(4, 2, 3)
    net(x)
    for state in ((torch.zeros(2, 9, 5),) * 2, (torch.zeros(2, 2, 5, dtype=torch.float64),) * 2):
        with pytest.raises(loopcell.errors.InputError, match="state `h`"):
            net(x, state)
    net.double()
    with pytest.raises(loopcell.errors.InputError, match="float32"):
        net(x)


@pytest.mark.parametrize("called", [False, True])
def test_weights_of_another_shape_are_refused_before_memory_is_read(called):
    for net in (loopcell.LSTM(3, 5), loopcell.Recurrent(loopcell.cells.get("gru"), 3, 5)):
        x = torch.randn(4, 2, 3)
        if called:
            net(x)
        owner, name = (net, "weight_hh_l0") if isinstance(net, loopcell.LSTM) else (net.l0.U, "n")
        kept = getattr(owner, name).data
        for wrong in (torch.randn(2, 2), kept[:-1], kept[:, :-1].contiguous()):
            setattr(owner, name, nn.Parameter(wrong))
            with pytest.raises(loopcell.errors.InputError, match="must be"):
                net(x)
        setattr(owner, name, nn.Parameter(kept))
        agree(net, x)


def test_modes_hold(net):
    x = torch.randn(4, 2, 3)
    net.dropout = 0.5
    net.eval()
    kept = agree(net, x)
    agree(net, x)
    net.train()
    assert not torch.equal(net(x)[0], net(x)[0])
    net.eval()
    assert torch.equal(net(x)[0], kept)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net(x)[0].dtype == torch.bfloat16
    assert torch.vmap(lambda one: net(one)[0])(x.unsqueeze(0)).shape == (1, 4, 2, 5)


def test_draws_are_drawn_anew():
    net = loopcell.Recurrent(loopcell.cells.zoneout(loopcell.cells.get("lstm"), 0.5), 3, 5)
    x = torch.randn(6, 2, 3)
    assert not torch.equal(net(x)[0], net(x)[0])


def test_copies_remember_for_themselves(net):
    x = torch.randn(4, 2, 3)
    agree(net, x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        with torch.no_grad():
            other.weight_hh_l0.zero_()
        agree(other, x)
        agree(other, x)
    agree(net, x)


def test_a_call_is_remembered_as_it_ran_and_not_prepared_twice(net, monkeypatch):
    prepared = []
    prepare = KernelRunner.prepare
    monkeypatch.setattr(KernelRunner, "prepare", lambda *given: prepared.append(given) or prepare(*given))
    x = torch.randn(4, 2, 3)
    net(x), net(x)
    assert len(prepared) == net.num_layers


def test_the_kernels_of_autocast_are_not_those_of_other_calls(net, calls):
    x = torch.randn(4, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # the kernels of this call are not those of the next ones
        net(x)
    net(x), net(x)
    assert calls() == [False, False, True]


def test_settings_that_change_empty_the_cache(calls):
    net, x = loopcell.Recurrent(loopcell.cells.get("gru"), 3, 5), torch.randn(4, 4, 3)
    net(x), net(x)
    net.batch_first = True
    agree(net, x), net(x)
    net.dropout = 0.5  # from one layer to the next, of which there is none; but the cache does not look so far
    net(x), net(x)
    assert calls() == [False, True, False, False, True, False, False]  # the fourth is the reference path's


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_cached_too(net, calls, dtype):
    net.to(dtype)
    x = torch.randn(4, 2, 3).to(dtype)
    first = net(x)
    torch.testing.assert_close(net(x), first, rtol=0, atol=0)
    state = tuple(tensor.detach() for tensor in first[1])
    expected = net(x, state, lengths=[4, 4] if not net.batch_first else [2] * 4)
    torch.testing.assert_close(net(x, state), expected, rtol=0, atol=0)
    assert calls() == [False, True, True]
