"""Modified cells against the papers' words: in evaluation by formula, in training by finding the draws again."""

import itertools

import pytest
import torch

from loopcell import Recurrent, State, cells
from loopcell.cells import recurrent_dropout, residual, weight_dropout, without, zoneout
from tests.laws.table import case
from tests.laws.test_independent import compare
from tests.reference.steps import STEPS

I3, H4 = 3, 4


def zoned(step, rates):
    """Zoneout's expectation: a share of the old state stays."""

    def modified(x, states, p):
        output, new = step(x, states, p)
        mixed = tuple(rate * old + (1 - rate) * n for rate, old, n in zip(rates, states, new, strict=True))
        return (mixed[0] if output is new[0] else output), mixed

    return modified


def added(step):
    def modified(x, states, p):
        output, new = step(x, states, p)
        return output + x, new

    return modified


def unbiased(step, *names):
    def modified(x, states, p):
        like = states[-1]
        return step(x, states, p | {name: like.new_zeros(like.shape[-1]) for name in names})

    return modified


IN_EVALUATION = {
    "zoneout": (zoneout(cells.get("lstm"), {"h": 0.1, "c": 0.5}), zoned(STEPS["lstm"], (0.1, 0.5))),
    "zoneout of one state": (zoneout(cells.get("lstm"), {"c": 0.5}), zoned(STEPS["lstm"], (0.0, 0.5))),
    "zoneout, output apart": (zoneout(cells.get("sru"), 0.3), zoned(STEPS["sru"], (0.3,))),
    "recurrent dropout": (recurrent_dropout(cells.get("gru"), 0.3, input_rate=0.2), STEPS["gru"]),
    "weight dropout": (weight_dropout(cells.get("lstm"), 0.3), STEPS["lstm"]),
    "residual": (residual(cells.get("gru")), added(STEPS["gru"])),
    "residual, output apart": (residual(cells.get("sru")), added(STEPS["sru"])),
    "without": (
        without(cells.get("lstm_peephole"), "b", "p"),
        unbiased(STEPS["lstm_peephole"], *(f"b.{gate}" for gate in "ifgo"), *(f"p.{gate}" for gate in "ifo")),
    ),
    "without, candidate": (without(cells.get("gru"), "d"), unbiased(STEPS["gru"], "d.n")),
}


@pytest.mark.parametrize("name", IN_EVALUATION)
def test_in_evaluation(name):
    cell, step = IN_EVALUATION[name]
    tried = case(cell)
    compare(tried, step)
    compare(tried, step, bidirectional=True, lengths=tried.lengths(), reset=tried.reset())


def in_training(cell, *, hidden_size=H4, seed=0):
    """A network that draws, and its parameters by the names of the equations."""
    torch.manual_seed(seed)
    net = Recurrent(cell, I3, hidden_size, dtype=torch.float64).train()
    return net, {name: parameter.detach() for name, parameter in net.weights(0, 0).items()}


@torch.no_grad()
def test_zoneout_keeps_each_unit_of_each_state_by_its_own_draw():
    rates = {"h": 0.3, "c": 0.6}
    net, p = in_training(zoneout(cells.get("lstm"), rates))
    x, state = torch.randn(60, 5, I3, dtype=torch.float64), State(h=drawn(1, 5, H4), c=drawn(1, 5, H4))
    kept = {"h": [], "c": []}
    for t in range(len(x)):
        _, new = STEPS["lstm"](x[t], (state.h[0], state.c[0]), p)
        y, after = net(x[t : t + 1], state)
        assert torch.equal(y, after.h)
        for name, fresh in zip("hc", new, strict=True):
            stayed = torch.isclose(after[name][0], state[name][0], rtol=0, atol=1e-12)
            assert (stayed | torch.isclose(after[name][0], fresh, rtol=0, atol=1e-12)).all()
            kept[name].append(stayed)
        state = after
    for name, rate in rates.items():
        assert_rate(torch.stack(kept[name]), rate)
    assert not torch.equal(torch.stack(kept["h"]), torch.stack(kept["c"]))


@torch.no_grad()
def test_zoneout_draws_anew_at_each_step_of_a_sequence():
    net, p = in_training(zoneout(cells.get("gru"), 0.4))
    x = drawn(50, 6, I3)
    y, _ = net(x)
    before = torch.cat([torch.zeros_like(y[:1]), y[:-1]])
    fresh = torch.stack([STEPS["gru"](x[t], (before[t],), p)[0] for t in range(len(x))])
    stayed = torch.isclose(y, before, rtol=0, atol=1e-12)
    assert (stayed | torch.isclose(y, fresh, rtol=0, atol=1e-12)).all()
    assert_rate(stayed, 0.4)
    assert not (stayed == stayed[:1]).all()


@torch.no_grad()
def test_recurrent_dropout_holds_one_mask_a_row_over_the_whole_sequence():
    rate, input_rate = 0.5, 0.25
    net, p = in_training(recurrent_dropout(cells.get("rnn"), rate, input_rate=input_rate))
    x, B = drawn(5, 120, I3), 120
    y, _ = net(x)
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=I3 + H4)), dtype=torch.float64)
    on_x, on_h = masks[:, None, :I3] / (1 - input_rate), masks[:, None, I3:] / (1 - rate)
    h, errors = torch.zeros(len(masks), B, H4, dtype=torch.float64), []
    for t in range(len(x)):
        h = torch.tanh((x[t] * on_x) @ p["W.h"].T + (h * on_h) @ p["U.h"].T + p["b.h"])
        errors.append((h - y[t]).abs().amax(-1))
    fits = torch.stack(errors).amax(0) < 1e-12
    assert (fits.sum(0) == 1).all(), "each row is explained by exactly one mask, the same at all steps"
    found = masks[fits.int().argmax(0)]
    assert_rate(found[:, I3:] == 0, rate)
    assert_rate(found[:, :I3] == 0, input_rate)


@torch.no_grad()
def test_weight_dropout_drops_entries_of_the_recurrent_matrix_once_a_sequence():
    net, p = in_training(weight_dropout(cells.get("rnn"), 0.25), hidden_size=2)
    x, dropped = drawn(6, 3, I3), []
    for _ in range(60):
        y, _ = net(x)
        fits = [mask for mask in itertools.product([0.0, 1.0], repeat=4) if explains(mask, x, y, p)]
        assert len(fits) == 1
        dropped.append(fits[0])
    assert_rate(torch.tensor(dropped) == 0, 0.25)


def explains(mask, x, y, p):
    U = p["U.h"] * torch.tensor(mask, dtype=torch.float64).view(2, 2) / 0.75
    h = torch.zeros_like(y[0])
    for t in range(len(x)):
        h, _ = STEPS["rnn"](x[t], (h,), p | {"U.h": U})
        if not torch.allclose(h, y[t], rtol=0, atol=1e-12):
            return False
    return True


@pytest.mark.parametrize("modify", [zoneout, recurrent_dropout, weight_dropout])
def test_a_rate_of_zero_changes_nothing_in_training(modify):
    cell = cells.get("lstm")
    modified, _ = in_training(modify(cell, 0.0), seed=5)
    plain, _ = in_training(cell, seed=5)
    x = drawn(4, 3, I3)
    assert torch.equal(modified(x)[0], plain(x)[0])


@pytest.mark.parametrize("modify", [zoneout, recurrent_dropout, weight_dropout])
def test_one_seed_gives_one_result_in_training(modify):
    net, _ = in_training(modify(cells.get("lstm"), 0.5))
    x, results = drawn(4, 3, I3), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(net(x)[0])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def assert_rate(events, expected):
    """The share of events lies within five standard deviations of its expectation."""
    spread = (expected * (1 - expected) / events.numel()) ** 0.5
    assert abs(events.double().mean().item() - expected) < 5 * spread
