"""A client's file, as a type checker sees it: what a call gives is known, and a wrong use is found.

Read by test_types.py; it is never run. `assert_type` fails where a type is less exact than it says.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import torch

import loopcell
from loopcell import (
    GRU,
    LSTM,
    Cell,
    Drift,
    Forecast,
    Forecaster,
    Plan,
    Recording,
    Recurrent,
    ScoreTable,
    SequenceClassifier,
    SeriesState,
    State,
    Stepper,
    backend,
    cell,
    cells,
    chrono_,
    explain,
    tanh,
)
from loopcell.data import Column, LogMel, MelStream, Records, Series, fetch, read, series_from, split_random


@cell
def mine(x: Any, h: Any, *, W: Any, U: Any) -> Any:
    """A cell of the client's own; equations have no types."""
    return tanh(W.h @ x + U.h @ h)


assert_type(mine, Cell)
net = Recurrent("gru", 8, 16)
assert_type(Recurrent(mine, 8, 16).cell, Cell)
assert_type(cells.get("gru"), Cell)
assert_type(cells.zoneout("lstm", 0.1), Cell)
assert_type(explain("lstm"), str)
assert_type(chrono_(net, 100), Recurrent)
assert_type(chrono_(GRU(3, 4), 100), GRU)

assert_type(net.forward(torch.zeros(5, 2, 8))[1], State)
assert_type(LSTM(3, 4).forward(torch.zeros(5, 2, 3))[1], tuple[torch.Tensor, torch.Tensor])
assert_type(net.initial_state(2).select(torch.tensor([0])), State)
assert_type(net.plan(), list[Plan])
assert_type(net.plan()[0].backend, str)
assert_type(net.record(torch.zeros(5, 2, 8), "h"), Recording)
assert_type(net.stepper(2), Stepper)
assert_type(net.stepper(2).step(torch.zeros(2, 8)), torch.Tensor)
assert_type(net.stepper(2, weights="int8").compare(torch.zeros(3, 2, 8)), Drift)
with backend("c"):
    pass

assert_type(read("reviews.tsv"), Records)
assert_type(read("reviews.tsv").column("text"), Column)
assert_type(loopcell.data.read("reviews.tsv"), Records)
assert_type(series_from({"y": [1.0, 2.0]}, target="y"), list[Series])
assert_type(LogMel(16_000).stream(), MelStream)
assert_type(fetch("ett")["ETTh1.csv"], Path)
split_random(10, 0.1)

classifier = SequenceClassifier(cell="gru", hidden_size=4)
assert_type(classifier.fit([[1.0, 2.0]], ["a"]), SequenceClassifier)
assert_type(classifier.evaluate([[1.0, 2.0]], ["a"]), ScoreTable)
assert_type(classifier.evaluate([[1.0, 2.0]], ["a"]).rows, Mapping[str, Mapping[str, float]])
forecaster = Forecaster(horizon=2, history=8)
assert_type(forecaster.predict([1.0] * 20), list[Forecast])
assert_type(forecaster.predict_next([1.0] * 20), tuple[list[Forecast], SeriesState])
facts: dict[str, Any] = loopcell.load_model("model.safetensors").get_params()

Recurrent(3, 8, 16)  # type: ignore[arg-type]  # a cell, or its name
path = net.plan()[0].path  # type: ignore[attr-defined]  # it is called backend
