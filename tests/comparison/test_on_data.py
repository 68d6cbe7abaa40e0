"""Data as a job: every estimator that reads sequences, scored on what it holds out, the same for every cell."""

import numpy as np
import pytest

import loopcell
from loopcell.comparison import OnData, compare
from loopcell.comparison.on_data import first_call
from loopcell.errors import InputError

SHORT = {"epochs": 1, "hidden_size": 4, "device": "cpu", "batch_size": 2}


def job(name):
    drawn = np.random.default_rng(0)
    X = [drawn.normal(size=(drawn.integers(3, 9), 2)).astype(np.float32) for _ in range(40)]
    if name == "lm":
        model = loopcell.LanguageModel(**SHORT, num_layers=1, chunk=16)
        return OnData(estimator=model, examples=("the cat sat on the mat. " * 60,))
    if name == "forecast":
        pandas = pytest.importorskip("pandas")
        table = pandas.DataFrame({"load": np.sin(np.arange(200.0))})
        return OnData(estimator=loopcell.Forecaster(**SHORT, target="load", history=8, horizon=2), examples=(table,))
    if name == "tag":
        y = [["a" if step[0] > 0 else "b" for step in x] for x in X]
        return OnData(estimator=loopcell.SequenceTagger(**SHORT), examples=(X, y))
    if name == "regress":
        return OnData(estimator=loopcell.SequenceRegressor(**SHORT), examples=(X, [float(x[0, 0]) for x in X]))
    y = ["up" if x[0, 0] > 0 else "down" for x in X]
    return OnData(estimator=loopcell.SequenceClassifier(**SHORT), examples=(X, y), data="40 drawn sequences")


@pytest.mark.parametrize("name", ["classify", "regress", "tag", "lm", "forecast"])
def test_each_job_is_compared(name):
    found = compare(job(name), ["rnn", "min_gru"], seeds=1, budget="parameters")
    rnn, min_gru = found.runs
    assert (rnn.cell, min_gru.cell, rnn.distance, rnn.solved) == ("rnn", "min_gru", None, None)
    assert np.isfinite([rnn.score, min_gru.score]).all()
    assert rnn.baselines == min_gru.baselines != {}  # the same part is held out
    assert rnn.hidden_size == 4
    assert abs(rnn.parameters - min_gru.parameters) <= 0.3 * rnn.parameters
    assert len(rnn.gradient["end"]) >= 8 if name == "lm" else len(rnn.gradient["end"]) == rnn.shape["steps"]
    assert rnn.shape["batch"] == found.costs[0].batch == 2
    assert rnn.gradient["end"][0] > 0
    assert found.larger_is_better == (name in ("classify", "tag"))
    assert found.distances == []
    assert found.table().splitlines()[1].split()[0] == found.metric.split()[0]
    assert '"distances": []' in found.html()


def test_a_score_is_that_of_the_estimator_alone():
    one = job("classify")
    found = compare(one, ["rnn", "gru"], seeds=[3])
    alone = loopcell.SequenceClassifier(**SHORT, cell="gru", random_state=3).fit(*one.examples)
    assert found.runs[1].score == pytest.approx(alone.score_held_out(*one.examples).model["accuracy"], abs=1e-6)
    assert found.metric == "accuracy"
    assert found.settings["epochs"] == 1
    with pytest.raises(InputError, match="have no distance"):
        found.farthest("rnn")


def test_without_a_held_out_part_there_is_nothing_to_compare_by():
    model = loopcell.SequenceClassifier(validation_fraction=0.0)
    with pytest.raises(InputError, match=r"nothing is; try validation_fraction=..., or validation=..."):
        OnData(estimator=model, examples=([], []))
    one = job("classify")
    one.estimator.set_params(validation_fraction=1e-4)  # less than one example
    with pytest.raises(InputError, match="nothing is; try"):
        compare(one, ["rnn", "gru"], seeds=1)


def test_only_the_first_call_is_kept():
    import torch

    net = torch.nn.Sequential(loopcell.GRU(2, 3))
    with first_call(net) as calls:
        net(torch.ones(4, 2, 2))
        net(torch.ones(5, 2, 2))
    net(torch.ones(6, 2, 2))
    assert [call.x.shape[0] for call in calls] == [4]
