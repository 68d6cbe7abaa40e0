"""The network of segments: what it computes, what it goes together with, what is kept of it, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from loopcell import Forecaster, cell, sigmoid, tanh
from loopcell.errors import UsageError
from loopcell.layers import branches
from loopcell.tasks import SeriesState
from loopcell.tasks.core.settings import checked
from loopcell.tasks.forecasting.examples import SeriesBatch
from loopcell.tasks.forecasting.heads import HEADS
from loopcell.tasks.forecasting.network import Sizes
from loopcell.tasks.forecasting.segments import LEAST, SegmentNetwork
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "horizon": 8,
    "history": 12,
    "segment": 6,
    "season": 6,
    "hidden_size": 16,
    "dropout": 0.0,
    "batch_size": 32,
    "learning_rate": 2e-2,
    "warmup": 2,
    "epochs": 1,
    "device": "cpu",
    "random_state": 1,
}
K, P, Q, H, N, B = 3, 2, 1, 5, 4, 2


def wave(steps=300, seed=0, columns=2):
    """Columns of a season of 6 with noise, each with a level of its own, [T, K]."""
    t = np.arange(steps)[:, None] + np.arange(columns)
    return 10 + 5 * np.arange(columns) + np.sin(2 * np.pi * t / 6) + np.random.default_rng(seed).normal(0, 0.3, t.shape)


SIZES = Sizes(K, P, Q, 1)


def network(sizes=SIZES, head="quantiles", **settings):
    """A network in double precision, in evaluation mode, for a horizon of 8 in segments of 6."""
    told = checked(Forecaster(**{**QUICK, "hidden_size": H, "head": head, **settings}))
    torch.manual_seed(0)
    levels = () if head == "mean" else told.quantiles
    return SegmentNetwork(told, sizes, HEADS[head](levels), told.horizon).double().eval()


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def answer(net, windows, around, known):
    with torch.no_grad():
        return net.forecast(around, windows, known)


def by_hand(net, window, around, known, target, place, size):
    """The n numbers [f, n] of one target of one window [h], in plain torch with the equations of an Elman network."""
    weights = dict(net.recurrent.named_parameters())

    def cell(x, h):
        return torch.tanh(weights["l0.W.h"] @ x + weights["l0.U.h"] @ h + weights["l0.b.h"])

    h = torch.zeros(H, dtype=torch.float64)
    for start in range(0, len(window), 6):
        piece = [(window[start : start + 6] - place) / size, around[:, start : start + 6].flatten()]
        h = cell(functional.relu(net.first.weight @ torch.cat(piece) + net.first.bias), h)
    found = []
    padded = torch.cat([known, torch.zeros(4, P, dtype=torch.float64)])  # 8 steps are two segments of 6
    for number in range(2):
        asked = torch.cat([net.positions[number], net.channels[target]])
        asked = asked + net.ahead.weight @ padded[6 * number : 6 * number + 6].flatten() + net.ahead.bias
        found.append((net.out.weight @ cell(asked, h) + net.out.bias).view(6, -1))
    found = torch.cat(found)[:8]
    return size * found + place  # of a head whose numbers are all places


@pytest.mark.parametrize("normalise", [None, "last", "window", "none"])
def test_forecasts_are_those_of_plain_torch(normalise):
    net = network(cell="rnn", normalise=normalise)
    windows, around, known = drawn(N, B, K, 12), drawn(N, B, P + Q, 12, seed=2), drawn(N, B, 8, P, seed=3)
    found = answer(net, windows, around, known)
    assert found.shape == (N, B, K, 8, 4)
    for n, b, k in ((0, 0, 0), (3, 1, 2), (2, 0, 1)):
        window = windows[n, b, k]
        place, size = {
            "window": (window.mean(), (window.var(correction=0) + LEAST).sqrt()),
            "none": (0.0, 1.0),
        }.get(normalise, (window[-1], 1.0))
        with torch.no_grad():
            expected = by_hand(net, window, around[n, b], known[n, b], k, place, size)
        assert torch.allclose(found[n, b, k], expected, atol=1e-12)


@cell
def leaking(x, h, *, W, U, p):
    """A cell of a user, with a gate of the state alone."""
    keep = sigmoid(U.keep @ h + p.keep)
    return keep * h + tanh(W.h @ x + U.h @ (keep * h))


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_lets_before", leaking], ids=str)
@pytest.mark.parametrize("sizes", [SIZES, Sizes(K, 0, 0, 1)])
def test_what_segments_share_changes_no_number_and_no_gradient(kind, sizes, monkeypatch):
    net = network(sizes, cell=kind, num_layers=2)
    drawn_ones = (
        drawn(N, B, K, 12),
        drawn(N, B, sizes.known + sizes.past, 12, seed=2),
        drawn(N, B, 8, sizes.known, seed=3),
    )

    def found():
        windows, around, known = (part.clone().requires_grad_() for part in drawn_ones)
        forecasts = net.forecast(around, windows, known)
        forecasts.backward(drawn(*forecasts.shape, seed=4))
        gradients = [weight.grad for weight in net.parameters()]
        net.zero_grad()
        return [forecasts, windows.grad, *(part.grad for part in (around, known) if part.numel()), *gradients]

    shared = found()
    monkeypatch.setattr(branches, "shares_a_step", lambda *_, **__: False)
    for mine, whole in zip(shared, found(), strict=True):
        torch.testing.assert_close(mine, whole, rtol=0, atol=1e-12)


def test_reading_step_by_step_gives_the_windows_of_the_whole():
    net = network()
    values, covariates = drawn(30, B, K), drawn(30, B, P + Q, seed=2)
    around, windows, memory = net.read(values, covariates)
    assert windows.shape == (30, B, K, 12)
    assert around.shape == (30, B, P + Q, 12)
    assert torch.equal(windows[20], values[9:21].permute(1, 2, 0))
    assert torch.equal(around[20], covariates[9:21].permute(1, 2, 0))
    piece = None
    for step in range(30):
        one = slice(step, step + 1)
        here, window, piece = net.read(values[one], covariates[one], piece)
        assert torch.equal(window[0], windows[step])
        assert torch.equal(here[0], around[step])
    assert torch.equal(piece.recent, memory.recent)
    assert torch.equal(piece.recurrent.covariates, memory.recurrent.covariates)
    assert not network(Sizes(K, 0, 0, 1)).start(values[0]).recurrent  # nothing beside the values


def test_targets_in_another_order_are_forecast_in_that_order():
    net, order = network(), [2, 0, 1]
    windows, around, known = drawn(N, B, K, 12), drawn(N, B, P + Q, 12, seed=2), drawn(N, B, 8, P, seed=3)
    found = answer(net, windows, around, known)
    with torch.no_grad():
        net.channels.copy_(net.channels[order].clone())
    assert torch.allclose(answer(net, windows[:, :, order], around, known), found[:, :, order], atol=1e-12)
    assert not torch.allclose(answer(net, windows, around, known), found)  # the vectors tell the targets apart


def test_a_level_is_added_to_the_forecast_exactly():
    net = network(head="mean")
    windows = torch.round(drawn(N, B, K, 12) * 1024) / 1024  # numbers of which 8 can be taken without rounding
    windows = windows - windows[..., -1:]
    around, known = drawn(N, B, P + Q, 12, seed=2), drawn(N, B, 8, P, seed=3)
    assert torch.equal(answer(net, windows + 8, around, known), answer(net, windows, around, known) + 8)
    other = network(head="mean", normalise="none")
    assert not torch.allclose(answer(other, windows + 8, around, known), answer(other, windows, around, known) + 8)


def test_a_window_of_another_size_has_a_forecast_of_that_size():
    net = network(Sizes(K, 0, 0, 1), head="mean", normalise="window")
    windows, nothing, known = drawn(N, B, K, 12), drawn(N, B, 0, 12), drawn(N, B, 8, 0)
    found, large = answer(net, windows, nothing, known), answer(net, 1000 * windows + 7, nothing, known)
    assert torch.allclose(large, 1000 * found + 7, atol=0.05)  # but for what keeps a still window from zero


def test_targets_that_are_read_together_are_one_row():
    net = network(multivariate=True)
    windows, around, known = drawn(N, B, K, 12), drawn(N, B, P + Q, 12, seed=2), drawn(N, B, 8, P, seed=3)
    found = answer(net, windows, around, known)
    assert found.shape == (N, B, K, 8, 4)
    windows[:, :, 0] += torch.linspace(0, 1, 12, dtype=torch.float64)
    moved = answer(net, windows, around, known)
    assert not torch.allclose(moved[:, :, 1], found[:, :, 1])  # what comes of one goes by the others
    alone = network()
    found = answer(alone, windows, around, known)
    windows[:, :, 0] += torch.linspace(0, 1, 12, dtype=torch.float64)
    assert torch.equal(answer(alone, windows, around, known)[:, :, 1], found[:, :, 1])


def test_many_windows_are_answered_in_parts(monkeypatch):
    from loopcell.tasks.forecasting import segments

    net = network()
    windows, around, known = drawn(N, B, K, 12), drawn(N, B, P + Q, 12, seed=2), drawn(N, B, 8, P, seed=3)
    whole = answer(net, windows, around, known)
    monkeypatch.setattr(segments, "ROWS", 1)
    assert torch.allclose(answer(net, windows, around, known), whole, atol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"multivariate": True}])
def test_no_window_has_no_forecast(settings):
    net = network(**settings)
    nothing = drawn(0, B, K, 12), drawn(0, B, P + Q, 12), drawn(0, B, 8, P)
    assert answer(net, *nothing).shape == (0, B, K, 8, 4)


def test_blocks_of_a_long_series_without_a_place_are_read_past(monkeypatch):
    from loopcell.tasks.forecasting import strategies

    model = Forecaster(**{**QUICK, "head": "mean"}).fit(wave())
    (whole,) = model.predict(wave())
    monkeypatch.setattr(strategies, "BLOCK", 50)
    assert model.predict(wave())[0].mean == pytest.approx(whole.mean, abs=1e-5)


def test_the_loss_is_that_of_every_value_of_the_horizon():
    net = network(head="mean")
    values, known, past = drawn(20, B, K), drawn(20, B, P, seed=2), drawn(20, B, Q, seed=3)
    batch = SeriesBatch(values, known, past, torch.ones(B, K), torch.ones(B, dtype=torch.int64))
    loss = net.loss(batch)
    around = torch.cat([known, past], -1)[:12].permute(1, 2, 0)
    found = answer(net, values[:12].permute(1, 2, 0)[None], around[None], known[12:].transpose(0, 1)[None])
    true = values[12:].permute(1, 2, 0)
    assert loss.predictions == B * K * 8
    assert loss.total.item() == pytest.approx(((found[0, ..., 0] - true) ** 2).sum().item())


# --- with everything else --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"head": "mean", "loss": "mae", "multivariate": True, "normalise": "window"},
        {"roll_out": True, "head": "mean", "cell": "lstm", "num_layers": 2},
    ],
)
def test_it_beats_the_season_before_it(settings):
    table = Forecaster(**{**QUICK, "epochs": 8, **settings}).fit(wave()[:240]).evaluate(wave(), start=240)
    assert table.model["MSE"] < 0.9 * table.rows["seasonal naive (6)"]["MSE"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"roll_out": True, "paths": 7},
        {"head": "student-t", "cell": "mgu"},
        {"normalise": "none", "known": ("price",), "past": ("rain",), "time": "time", "target": ("a", "b")},
    ],
)
def test_rows_in_pieces_and_a_file_give_the_forecast_of_the_whole(settings, tmp_path):
    data = wave()
    names = {"a": data[:, 0], "b": data[:, 1], "price": np.sin(np.arange(300)), "rain": np.cos(np.arange(300))}
    table = {"time": np.arange(300), **names} if "time" in settings else data

    def cut(start, stop, ahead=0):
        if "time" not in settings:
            return table[start:stop]
        found = {name: column[start : stop + ahead].astype(float) for name, column in table.items()}
        for name in ("a", "b", "rain") if ahead else ():
            found[name][stop - start :] = np.nan
        return found

    model = Forecaster(**{**QUICK, **settings}).fit(cut(0, 240))
    model.save(tmp_path / "model.safetensors")
    loaded = Forecaster.load(tmp_path / "model.safetensors")
    ahead = 8 if "time" in settings else 0
    (whole,), (again,) = model.predict(cut(0, 280, ahead)), loaded.predict(cut(0, 280, ahead))
    assert (again.mean == whole.mean).all()
    assert (again.quantiles == whole.quantiles).all()
    state = None
    for start, stop in ((0, 100), (100, 101), (101, 250), (250, 280)):
        (forecast,), state = model.predict_next(cut(start, stop, ahead), state)
        state.save(tmp_path / "state.safetensors")
        state = SeriesState.load(tmp_path / "state.safetensors")
    assert forecast.mean == pytest.approx(whole.mean, abs=1e-4)
    assert forecast.quantiles == pytest.approx(whole.quantiles, abs=1e-4)


def test_a_state_of_a_network_that_reads_step_by_step_is_refused():
    _, state = Forecaster(**{**QUICK, "segment": None, "epochs": 1}).fit(wave()).predict_next(wave())
    with pytest.raises(UsageError, match="the state of the series was made by another model"):
        Forecaster(**{**QUICK, "epochs": 1}).fit(wave()).predict_next(wave()[:3], state)


def test_there_is_no_state_of_a_step_to_look_at():
    with pytest.raises(UsageError, match="this network reads segments, and not step by step"):
        Forecaster(**QUICK).fit(wave()).inspect(wave())


def test_several_series_are_each_on_their_scale():
    table = {"shop": np.repeat(["x", "y"], 150), "sold": np.concatenate([wave(150)[:, 0], 1000 * wave(150)[:, 1]])}
    model = Forecaster(**{**QUICK, "epochs": 2, "series": "shop", "target": "sold"}).fit(table)
    first, second = model.predict(table)
    assert first.mean.mean() == pytest.approx(10, abs=2)
    assert second.mean.mean() == pytest.approx(15_000, abs=2000)


def test_training_goes_on_from_the_weights_and_again_from_a_seed():
    model = Forecaster(**QUICK).fit(wave())
    same = Forecaster(**QUICK).fit(wave())
    assert (model.predict(wave())[0].mean == same.predict(wave())[0].mean).all()
    before = model.network_.out.weight.clone()
    model.set_params(warm_start=True, epochs=1).fit(wave())
    assert not torch.equal(before, model.network_.out.weight)
    with pytest.raises(UsageError, match="segment=6, not 4"):
        model.set_params(segment=4).fit(wave())


def test_usual_numbers_are_those_of_single_windows():
    assert checked(Forecaster(segment=24)).pace(8449)._asdict() == {
        "batch_size": 64, "epochs": 12, "patience": 5, "learning_rate": 2e-3, "warmup": 100,
    }  # fmt: skip
    assert checked(Forecaster()).pace(8449).batch_size == 8


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"segment": 5},
            "a history of 12 is no whole number of segments of 5 steps: take history=10 or history=15",
        ),
        ({"segment": 24}, "a history of 12 is no whole number of segments of 24 steps: take history=24"),
        (
            {"lags": 6},
            "segments are cut of all of the history: leave out lags, or read step by step (no segment=)",
        ),
        (
            {"segment": None, "normalise": "window"},
            "normalise='window' is for a network of segments: name their length (segment=)",
        ),
        (
            {"normalise": "window", "head": "student-t"},
            "normalise='window' is for head='mean' and 'quantiles', and the head is 'student-t'",
        ),
    ],
)
def test_what_does_not_go_together_is_one_sentence(settings, sentence):
    with pytest.raises(UsageError) as error:
        Forecaster(**{**QUICK, **settings}).fit(wave())
    assert str(error.value) == sentence
