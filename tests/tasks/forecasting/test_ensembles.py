"""Ensembles of forecasters: each member is the forecaster of its seed, what is said is their mean, all ways alike."""

import copy
import json
import signal

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from loopcell import Forecaster
from loopcell.cli.app import app
from loopcell.errors import FileFormatError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.core.model_kind import MODEL
from loopcell.tasks.forecasting.state import SeriesState
from tests.tasks.conftest import one_thread

__all__ = ["one_thread"]

QUICK = {
    "horizon": 3, "history": 8, "hidden_size": 6, "dropout": 0.1, "epochs": 2, "batch_size": 8, "device": "cpu",
    "random_state": 5, "adapt_rate": 0.0,
}  # fmt: skip
KINDS = {
    "steps": {"time": "time", "target": ("load", "wind"), "known": ("holiday",)},
    "segments": {"segment": 4},
    "together": {"multivariate": True, "cell": "lstm", "num_layers": 2},
    "student-t": {"head": "student-t"},
    "mean": {"head": "mean", "loss": "mae"},
}


def waves(steps=90, seed=0):
    drawn = np.random.default_rng(seed).normal(0, 0.3, (steps, 2))
    return np.stack([np.sin(np.arange(steps) / 3), np.cos(np.arange(steps) / 5)], 1) * 4 + drawn


def table(kind, steps=90):
    if kind != "steps":
        return waves(steps)
    hours = np.datetime64("2024-01-01", "h") + np.arange(steps)
    load, wind = waves(steps).T
    ahead = np.where(np.arange(steps) >= steps - QUICK["horizon"], np.nan, 1.0)  # what is known of steps to come
    return {"time": hours, "load": load * ahead, "wind": wind * ahead, "holiday": (np.arange(steps) % 24 > 20) * 1.0}


@pytest.fixture(scope="module")
def fitted():
    return {kind: Forecaster(**QUICK, **own, ensemble=2).fit(table(kind)) for kind, own in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_each_member_is_the_forecaster_of_its_seed(kind, fitted):
    for number in range(2):
        alone = Forecaster(**{**QUICK, **KINDS[kind], "random_state": 5 + number}).fit(table(kind))
        member = fitted[kind]._member(number)
        for name, tensor in alone.network_.state_dict().items():
            assert torch.equal(tensor, member.network_.state_dict()[name]), name
        assert (alone.predict(table(kind))[0].mean == member.predict(table(kind))[0].mean).all()


@pytest.mark.parametrize("kind", KINDS)
def test_means_and_quantiles_are_those_of_the_members_averaged(kind, fitted, tmp_path):
    model = copy.deepcopy(fitted[kind])
    model.network_.shift.zero_()  # what calibration adds belongs to each of them for itself
    alone = [model._member(number) for number in range(2)]
    for member in alone:
        member.network_.shift.zero_()
    found, (first, second) = model.predict(table(kind))[0], (one.predict(table(kind))[0] for one in alone)
    np.testing.assert_allclose(found.quantiles, (first.quantiles + second.quantiles) / 2, atol=1e-4)
    if kind == "mean":  # with quantiles, means are kept between the outer ones
        np.testing.assert_allclose(found.mean, (first.mean + second.mean) / 2, atol=1e-4)
    assert np.abs(first.mean - second.mean).max() > 1e-2
    model.save(tmp_path / "m.safetensors")
    loaded = Forecaster.load(tmp_path / "m.safetensors")
    assert loaded.ensemble == 2
    assert (loaded.predict(table(kind))[0].mean == model.predict(table(kind))[0].mean).all()


@pytest.mark.parametrize("kind", ["segments", "together", "student-t"])
def test_pieces_states_and_backtests_are_the_slow_way(kind, fitted, tmp_path):
    model, data = fitted[kind], table(kind)
    whole = model.predict(data)[0]
    _, state = model.predict_next(data[:50])
    state.save(tmp_path / "state")
    (pieces,), after = model.predict_next(data[50:], SeriesState.load(tmp_path / "state"))
    np.testing.assert_allclose(pieces.quantiles, whole.quantiles, atol=1e-5)
    (found,) = model.backtest(data, start=60, stride=7)
    for number, place in enumerate(found.places):
        np.testing.assert_allclose(found.mean[number], model.predict(data[:place])[0].mean, atol=1e-4)
    if kind == "segments":
        return  # whose state is the last values alone
    with pytest.raises(UsageError, match="was made by another model"):
        model._member(0).predict_next(data[80:], after)


def test_a_stream_says_what_predict_says(fitted):
    model, data = fitted["student-t"], table("student-t")
    stream = model.stream()
    said = [stream.step(row) for row in data][-1]
    np.testing.assert_allclose(said.quantiles, model.predict(data)[0].quantiles, atol=1e-4)


def test_intervals_are_calibrated_together_on_what_no_member_learned_from():
    data = waves(400)
    model = Forecaster(**QUICK, ensemble=3).fit(data)
    score = model.score_held_out(data)
    assert score.model["coverage 80%"] == pytest.approx(0.8, abs=0.04)
    assert model.network_.shift.abs().max() > 0


def test_counts_stay_whole_numbers_and_a_roll_out_draws_from_the_members():
    counts = np.random.default_rng(0).poisson(6, 90).astype(float)
    model = Forecaster(**QUICK, head="negative-binomial", ensemble=2).fit(counts)
    quantiles = model.predict(counts)[0].quantiles
    np.testing.assert_allclose(quantiles, np.round(quantiles), atol=1e-4)
    rolled = Forecaster(**QUICK, roll_out=True, paths=400, head="student-t", ensemble=2).fit(waves())
    said = rolled.predict(waves())[0]
    assert (np.diff(said.quantiles, axis=-1) >= 0).all()
    members = [rolled._member(number).predict(waves())[0] for number in range(2)]
    apart = np.abs(members[0].mean[0] - members[1].mean[0])
    middle = (members[0].mean[0] + members[1].mean[0]) / 2
    assert (np.abs(said.mean[0] - middle) < apart / 2 + 0.5).all()


class Stop(Exception):
    """Raised in the middle of a run."""


@pytest.mark.parametrize("stopped_at", [0, 2])
def test_a_run_that_was_cut_off_goes_on_as_if_it_never_was(stopped_at, tmp_path, fitted):
    rows = []

    def stop(row):
        rows.append(row)
        if len(rows) > stopped_at:
            raise Stop

    with pytest.raises(Stop):
        Forecaster(**QUICK, segment=4, ensemble=2, callbacks=stop).fit(waves(), run=tmp_path / "run")
    again = Forecaster(**QUICK, segment=4, ensemble=2, callbacks=rows.append)
    again.fit(waves(), run=tmp_path / "run", resume=True)
    for name, tensor in fitted["segments"].network_.state_dict().items():
        assert torch.equal(again.network_.state_dict()[name], tensor), name
    assert Forecaster.load(tmp_path / "run" / "member-2").ensemble == 1


def test_training_goes_on_from_the_weights_of_each_member():
    model = Forecaster(**QUICK, ensemble=2).fit(waves())
    alone = model._member(1)
    model.set_params(warm_start=True).fit(waves())
    alone.set_params(warm_start=True, random_state=6).fit(waves())
    for name, tensor in alone.network_.state_dict().items():
        torch.testing.assert_close(model._member(1).network_.state_dict()[name], tensor, rtol=0, atol=0)
    (found,) = model.backtest(waves(), windows=2, refit="warm", stride=20)
    assert np.isfinite(found.mean).all()
    with pytest.raises(UsageError, match="ensemble=2, not 3"):
        model.set_params(ensemble=3).fit(waves())


def test_what_one_network_alone_can_do_is_said(fitted):
    with pytest.raises(UsageError, match="this forecaster is an ensemble of networks, which have no common step"):
        fitted["mean"].step_model()
    shown = fitted["mean"].inspect(waves())
    assert "shown of the first of 2 networks; the answers are those of all together" in shown.notes[0]
    alone = fitted["mean"]._member(0).inspect(waves())
    np.testing.assert_array_equal(shown.layers[0].quantities["h"], alone.layers[0].quantities["h"])
    found = fitted["mean"].explain(waves(), places=2)
    np.testing.assert_allclose(found.values.sum((1, 2)), found.answer - found.base, atol=0.05)


def test_an_interruption_leaves_the_members_that_were_trained():
    rows = []

    def interrupt(row):
        rows.append(row)
        if len(rows) == 3:
            signal.raise_signal(signal.SIGINT)

    model = Forecaster(**QUICK, head="mean", ensemble=3, callbacks=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(waves())
    assert int(model.network_.trained) == len(model.outcomes_) == 2  # the second as far as it came
    members = [model._member(number).predict(waves())[0].mean for number in range(2)]
    np.testing.assert_allclose(model.predict(waves())[0].mean, sum(members) / 2, atol=1e-4)


def test_hostile_counts_are_harmless(fitted, tmp_path):
    fitted["mean"].save(tmp_path / "m")
    content = read_tensor_file(tmp_path / "m", MODEL)
    for trained in (-5, 0, 10**9):
        tensors = {**content.tensors, "trained": torch.tensor(trained)}
        write_tensor_file(tmp_path / "m", MODEL, TensorFile(tensors, content.facts))
        assert np.isfinite(Forecaster.load(tmp_path / "m").predict(waves())[0].mean).all()
    config = {**content.facts["config"], "ensemble": 100}
    write_tensor_file(tmp_path / "m", MODEL, TensorFile(content.tensors, {**content.facts, "config": config}))
    with pytest.raises(FileFormatError, match="is damaged"):
        Forecaster.load(tmp_path / "m")


def test_from_the_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt("a.csv", waves(), delimiter=",", header="a,b", comments="")
    typed = "train forecast a.csv --target a,b --ensemble 2 --horizon 3 --history 8 --hidden 6"
    typed += " --epochs 2 --seed 5 --run run"
    result = CliRunner().invoke(app, typed.split())
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"]["ensemble"] == 2
    for verb in (
        "predict run a.csv",
        "eval run a.csv",
        "eval run a.csv --start 70 --stride 9 --refit full",
        "resume run",
    ):
        result = CliRunner().invoke(app, verb.split())
        assert result.exit_code == 0, result.output
    lines = "a,b\n" + "".join(f"{a},{b}\n" for a, b in waves()[:12])
    result = CliRunner().invoke(app, ["predict", "run", "-", "--state", "kept"], input=lines)
    assert result.exit_code == 0, result.output
    assert "12 rows answered; the state after 12 is in kept" in result.output
    typed = "tune forecast a.csv --target a,b --horizon 3 --history 8 --ensemble 2 --epochs 2 --trials 2 --run tuned"
    result = CliRunner().invoke(app, typed.split())
    assert result.exit_code == 0, result.output
    assert "2 trials: 2 finished" in result.output
