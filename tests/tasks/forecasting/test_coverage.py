"""Quantiles that follow: by hand, in pieces, and in the long run."""

from __future__ import annotations

import numpy as np
import pytest

from loopcell import Forecaster, load_model
from loopcell.tasks.forecasting.coverage import follow, kept_inside, moved_to_cover, sides_of, tracked
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

LEVELS = (0.1, 0.9)


def test_a_step_by_hand():
    said = np.array([[[[0.0, 2.0]]], [[[10.0, 12.0]]], [[[0.0, 4.0]]]])  # one step ahead, one target
    came = np.array([[99.0], [3.0], [11.0]])
    moved, kept = follow(tracked(np.zeros((1, 1, 2))), said, came, LEVELS, rate=0.5)
    assert moved[0, 0, 0].tolist() == [0, 2]  # nothing was said of 99
    wider = 0.5 * 2 * (1 - 0.2)  # 3 is outside of 0 to 2; the width is that of 10 to 12
    assert moved[1, 0, 0] == pytest.approx([10 - wider, 12 + wider])
    narrower = 0.5 * 4 * 0.2  # 11 is inside; the width is that of 0 to 4
    assert moved[2, 0, 0] == pytest.approx([0 - wider + narrower, 4 + wider - narrower])
    assert kept.shift[0, 0] == pytest.approx([narrower - wider, wider - narrower])


def test_a_level_without_its_partner_is_moved_alone_and_the_median_stays():
    said = np.tile([0.0, 5.0, 9.0, 10.0], (2, 1, 1, 1))
    _, kept = follow(tracked(np.zeros((1, 1, 4))), said, np.array([[0.0], [9.5]]), (0.1, 0.5, 0.8, 0.9), rate=0.1)
    assert kept.shift[0, 0] == pytest.approx(10 * 0.1 * np.array([0.2, 0, 0.8, -0.2]))


def test_a_value_that_is_missing_moves_nothing():
    said = np.tile([-1.0, 1.0], (3, 1, 2, 1))
    _, kept = follow(
        tracked(np.zeros((1, 2, 2))), said, np.array([[0.0, 0.0], [9.0, np.nan], [np.nan, np.nan]]), LEVELS, 0.1
    )
    assert kept.shift[0, 1].tolist() == [0, 0]
    assert kept.shift[0, 0] == pytest.approx([-0.16, 0.16])


def test_each_step_ahead_is_judged_by_the_value_it_was_said_of():
    said = np.tile(np.array([[[-1.0, 1.0]], [[-3.0, 3.0]]]), (4, 1, 1, 1))
    came = np.array([[0.0], [0.0], [2.0], [0.0]])  # 2 is outside of one step ahead, and inside of two
    _, kept = follow(tracked(np.zeros((2, 1, 2))), said, came, LEVELS, rate=0.1)
    one = 0.1 * 2 * (-0.2 + 0.8 - 0.2)
    assert kept.shift[0, 0] == pytest.approx([-one, one])
    assert kept.shift[1, 0] == pytest.approx(0.1 * 6 * 2 * np.array([0.2, -0.2]))  # of the last two values


def test_a_late_outcome_is_held_against_the_interval_that_was_given_then():
    """Two steps ahead: an interval that was wide when it was given is not missed since it is narrow by now."""
    said = np.tile([-1.0, 1.0], (4, 2, 1, 1))
    start = tracked(np.tile([-5.0, 5.0], (2, 1, 1)))
    _, kept = follow(start, said, np.array([[0.0], [0.0], [5.9], [0.0]]), LEVELS, rate=0.9)
    assert kept.shift[1, 0, 1] == pytest.approx(5 - 2 * 0.9 * 2 * 0.2)  # 5.9 lies in -6 to 6, and 4.6 would not hold it


def test_pieces_are_the_whole():
    drawn = np.random.default_rng(0)
    said, came = np.sort(drawn.normal(size=(30, 3, 2, 2)), -1), drawn.normal(size=(30, 2))
    whole, end = follow(tracked(np.zeros((3, 2, 2))), said, came, LEVELS, 0.1)
    kept, parts = tracked(np.zeros((3, 2, 2))), []
    for start, stop in ((0, 1), (1, 2), (2, 17), (17, 30)):
        part, kept = follow(kept, said[start:stop], came[start:stop], LEVELS, 0.1)
        parts.append(part)
    assert np.concatenate(parts) == pytest.approx(whole)
    assert kept.shift == pytest.approx(end.shift)


def test_in_the_long_run_coverage_is_right():
    drawn = np.random.default_rng(0)
    said = np.tile([-0.1, 0.1], (5000, 1, 1, 1))
    came = drawn.normal(size=(5000, 1))
    moved, _ = follow(tracked(np.zeros((1, 1, 2))), said, came, LEVELS, 0.1)
    inside = (moved[999:-1, 0, 0, 0] <= came[1000:, 0]) & (came[1000:, 0] <= moved[999:-1, 0, 0, 1])
    assert inside.mean() == pytest.approx(0.8, abs=0.02)


def test_a_mean_outside_of_its_interval_is_moved_to_the_nearer_end():
    mean, quantiles = np.array([[0.0], [2.0], [9.0]]), np.array([[[1.0, 3.0]], [[1.0, 3.0]], [[1.0, 3.0]]])
    assert kept_inside(mean, quantiles, LEVELS)[:, 0].tolist() == [1, 2, 3]
    for levels in ((0.5, 0.9), (0.9, 0.95), (0.1, 0.5)):
        assert kept_inside(mean, quantiles, levels) is mean
    assert kept_inside(mean, quantiles[..., :0], ()) is mean


def test_levels_that_are_intervals():
    assert sides_of((0.05, 0.1, 0.5, 0.9, 0.95)) == (((0, 4, pytest.approx(0.9)), (1, 3, pytest.approx(0.8))), ())
    assert sides_of((0.3, 0.5)) == ((), (0,))


def plain_conformal(scores, share):
    """Return the smallest score that covers one of n + 1 exchangeable ones (Romano et al., eq. 8)."""
    return np.sort(scores)[int(np.ceil((len(scores) + 1) * share)) - 1]


def test_an_interval_is_widened_by_the_quantile_of_its_scores():
    """Beside the formula with whole ranks, from which ours differs by less than a rank."""
    errors = np.random.default_rng(0).normal(size=(200, 1, 1, 2)) + np.array([0.3, -0.3])
    low, high = moved_to_cover(errors, np.zeros((200, 1), bool), LEVELS)[0, 0]
    scores = np.maximum(-errors[..., 0], errors[..., 1])[:, 0, 0]
    ranks = np.sort(scores)
    at = np.searchsorted(ranks, plain_conformal(scores, 0.8))
    assert low == -high
    assert ranks[at - 1] <= high <= ranks[at + 1]


def test_new_values_are_covered_as_n_scores_allow():
    drawn, inside = np.random.default_rng(0), []
    for _ in range(4000):
        errors = drawn.normal(size=(19, 1, 1, 1))
        _, wider = moved_to_cover(np.concatenate([errors, errors], -1), np.zeros((19, 1), bool), LEVELS)[0, 0]
        inside.append(abs(drawn.normal()) <= wider)
    assert np.mean(inside) == pytest.approx(0.8, abs=0.02)  # the plain quantile of 19 scores covers 76%


def test_few_places_widen_an_interval_and_do_not_narrow_it():
    still = np.zeros((30, 1), bool)
    wide, tight = (
        np.tile([1.0, -1.0], (30, 4, 1, 1)),
        np.tile([-0.5, 0.5], (30, 4, 1, 1)),
    )  # inside by 1, outside by 0.5
    assert moved_to_cover(wide, still, LEVELS)[:, 0].tolist() == [[1, -1], [1, -1], [1, -1], [0, 0]]  # 30, 15, 10, 7.5
    assert moved_to_cover(tight, still, LEVELS)[:, 0].tolist() == [[-0.5, 0.5]] * 4
    assert (moved_to_cover(tight[:4], still[:4], LEVELS) == 0).all()


# --- in a forecaster ------------------------------------------------------------------------------------------------

QUICK = {
    "horizon": 4,
    "history": 12,
    "season": 6,
    "hidden_size": 8,
    "dropout": 0.0,
    "batch_size": 8,
    "epochs": 3,
    "device": "cpu",
    "random_state": 1,
}


def wave(steps, noise=0.3, seed=0):
    return np.sin(2 * np.pi * np.arange(steps) / 6) + np.random.default_rng(seed).normal(0, noise, steps)


@pytest.fixture(scope="module")
def model():
    return Forecaster(**QUICK).fit(wave(240))


def test_an_interval_does_not_know_what_comes(model):
    """Of a backtest the forecast from a place is the same whatever the values at it and after it are."""
    data, place = wave(300), 270
    other = np.concatenate([data[:place], 50 + wave(30, seed=5)])
    (found,), (changed,) = (model.backtest(one, start=240) for one in (data, other))
    same = found.places <= place
    assert same.sum() == 31
    assert (found.quantiles[same] == changed.quantiles[same]).all()
    assert (found.mean[same] == changed.mean[same]).all()
    assert (found.quantiles[~same] != changed.quantiles[~same]).any()


def test_what_training_saw_moves_nothing(model):
    data = wave(400)
    (found,) = model.backtest(data, start=12)
    raw = Forecaster(**QUICK, adapt_rate=0.0)
    raw.__dict__.update({key: value for key, value in vars(model).items() if key.endswith("_") or key[0] == "_"})
    (fixed,) = raw.backtest(data, start=12)
    until = found.places <= 240
    assert found.quantiles[until] == pytest.approx(fixed.quantiles[until], abs=1e-9)
    assert (found.quantiles[~until][1:] != fixed.quantiles[~until][1:]).any()


def test_an_array_that_begins_otherwise_is_new_from_its_first_row(model):
    (found,) = model.backtest(wave(120, noise=2.0, seed=3))
    (start,) = model.backtest(wave(240)[:120])
    width = [one.quantiles[-1, 0, 0, -1] - one.quantiles[-1, 0, 0, 0] for one in (found, start)]
    assert width[0] > 1.5 * width[1]  # the rough one was followed


def test_what_training_saw_is_in_the_file_and_in_the_state(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    data = wave(300, noise=0.6)
    data[:240] = wave(240)
    assert (loaded.backtest(data)[0].quantiles == model.backtest(data)[0].quantiles).all()
    whole = loaded.predict(data)[0]
    state, pieces = None, [data[:100], data[100:239], data[239:260], data[260:]]
    from loopcell.tasks import SeriesState

    for piece in pieces:
        (found,), state = loaded.predict_next(piece, state)
        state.save(tmp_path / "state")
        state = SeriesState.load(tmp_path / "state")
    assert found.quantiles == pytest.approx(whole.quantiles, abs=1e-5)


def test_coverage_holds_where_the_level_shifts():
    """A series whose level and noise double after training: 200 steps later intervals of 80% hold within 3 points."""
    drawn = np.random.default_rng(4)
    level = np.where(np.arange(1200) < 500, 1.0, 2.0)
    data = level * (10 + np.sin(2 * np.pi * np.arange(1200) / 6) + drawn.normal(0, 0.5, 1200))
    shares = {}
    for rate in (0.0, 0.1):
        model = Forecaster(**QUICK | {"epochs": 10}, adapt_rate=rate).fit(data[:500])
        shares[rate] = model.evaluate(data, start=700).model["coverage 80%"]
    assert shares[0.0] < 0.65
    assert shares[0.1] == pytest.approx(0.8, abs=0.03)
