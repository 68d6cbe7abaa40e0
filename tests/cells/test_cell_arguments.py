"""Whatever takes a cell takes a name too, by one resolver with one error."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import loopcell
from loopcell import Forecaster, Recurrent, SequenceClassifier, cells, testing
from loopcell.errors import InputError, UsageError

TAKERS = {
    "cells.get": cells.get,
    "Recurrent": lambda cell: Recurrent(cell, 3, 4).cell,
    "explain": loopcell.explain,
    "zoneout": lambda cell: cells.zoneout(cell, 0.1),
    "recurrent_dropout": lambda cell: cells.recurrent_dropout(cell, 0.1),
    "weight_dropout": lambda cell: cells.weight_dropout(cell, 0.1),
    "residual": cells.residual,
    "without": lambda cell: cells.without(cell, "b"),
}


def described(value):
    return value if isinstance(value, str) else value.to_json()


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_a_name_is_the_cell_of_that_name(take):
    expected = described(take(cells.get("light_gru")))
    for name in ("light_gru", "LIGHT_GRU", "light-gru"):
        assert described(take(name)) == expected


@pytest.mark.parametrize("take", [*TAKERS.values(), testing.check_cell], ids=[*TAKERS, "check_cell"])
def test_what_is_no_cell(take):
    def mine(x, h, *, W, U, b):
        return h

    with pytest.raises(UsageError, match=r"^no cell is named 'grru'; did you mean 'gru'\?$"):
        take("grru")
    with pytest.raises(InputError, match=r"one of loopcell.cells; got the function `mine`: put @cell above it"):
        take(mine)
    with pytest.raises(InputError, match=r"named as one of loopcell.cells; got the class LSTM$"):
        take(torch.nn.LSTM)
    with pytest.raises(UsageError, match=r"cell='mine.py:mine' names a file, which only the command line runs"):
        take("mine.py:mine")


def test_the_laws_of_a_name():
    testing.check_cell("rnn", input_size=2, hidden_size=3)


@pytest.mark.parametrize("cell", ["GRU", "gru", cells.get("gru")], ids=["upper", "lower", "object"])
def test_estimators(cell):
    x = [np.sin(np.arange(8.0) * scale) for scale in (0.3, 0.4, 2.0, 2.2)] * 4
    common = {"hidden_size": 4, "epochs": 1, "random_state": 0, "progress": False}
    found = SequenceClassifier(cell=cell, **common).fit(x, ["slow", "slow", "fast", "fast"] * 4)
    expected = SequenceClassifier(cell="gru", **common).fit(x, ["slow", "slow", "fast", "fast"] * 4)
    assert np.array_equal(found.predict_proba(x), expected.predict_proba(x))
    series = np.sin(np.arange(60.0) / 5)
    forecaster = Forecaster(cell=cell, horizon=2, history=8, **common).fit(series)
    (found,) = forecaster.predict([series])
    assert found.mean.shape == (2, 1)


def test_an_estimator_offers_the_nearest_name():
    x = [np.arange(5.0), np.arange(6.0)] * 4
    with pytest.raises(UsageError, match=r"no cell is named 'lstmm'; did you mean 'lstm'\?"):
        SequenceClassifier(cell="lstmm", epochs=1, validation_fraction=0.0, progress=False).fit(x, ["a", "b"] * 4)
