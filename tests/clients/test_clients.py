"""Two light clients in every test run; the others are the command `make clients`. And that a difference is seen."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

import loopcell
from tests.clients.compare import complaint, furthest
from tests.clients.program import flat, run
from tests.clients.swap import counted, ours
from tests.clients.table import CLIENTS

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "clients.json"


@pytest.mark.filterwarnings("default")  # of the clients, about themselves
@pytest.mark.parametrize("name", ["skorch", "pytorch-crf"])
def test_a_client_computes_the_same_with_ours(name):
    before = torch.are_deterministic_algorithms_enabled()
    try:
        with loopcell.backend("auto"):
            theirs, placed = run(name, "torch"), run(name, "loopcell")
    finally:
        torch.use_deterministic_algorithms(before)
    assert complaint(theirs, placed) == ""
    assert furthest(theirs["numbers"], placed["numbers"]) <= CLIENTS[name].tolerance


def test_ours_take_torchs_place_and_give_it_back():
    lstm = torch.nn.LSTM
    with counted() as calls, ours():
        placed = torch.nn.LSTM(2, 3)
        placed(torch.zeros(1, 1, 2))
    assert isinstance(placed, loopcell.LSTM)
    assert torch.nn.LSTM is lstm
    assert calls == {"loopcell.LSTM": 1}
    with counted() as calls:
        lstm(2, 3)(torch.zeros(1, 1, 2))
    assert calls == {"torch.LSTM": 1}


def test_a_difference_is_seen():
    assert furthest({"a": [1.0, -4.0]}, {"a": [1.0, -4.0]}) == 0
    assert furthest({"a": [1.0, -4.0]}, {"a": [1.4, -4.0]}) == pytest.approx(0.1)
    assert furthest({"a": [1.0]}, {"b": [1.0]}) == furthest({"a": [1.0]}, {"a": [1.0, 2.0]}) == math.inf
    assert furthest({"a": [math.nan]}, {"a": [math.nan]}) == furthest({"a": []}, {"a": []}) == math.inf
    assert furthest({}, {}) == math.inf
    assert flat([torch.tensor(1.0), 2]) == flat(torch.tensor([[1.0, 2.0]])) == [1.0, 2.0]


def test_a_run_that_left_torchs_modules_in_is_seen():
    assert complaint({"calls": {"torch.GRU": 2}}, {"calls": {"loopcell.GRU": 2}}) == ""
    assert "calls no recurrent module" in complaint({"calls": {}}, {"calls": {}})
    assert "was called in the run with ours" in complaint({"calls": {"torch.GRU": 1}}, {"calls": {"torch.GRU": 1}})
    assert complaint({"calls": {"torch.GRU": 2}}, {"calls": {"loopcell.GRU": 1}}) == (
        "called {'GRU': 2} times with torch.nn, {'GRU': 1} with ours"
    )


def test_the_results_are_of_every_client_and_all_the_same():
    found = json.loads(RESULTS.read_text(encoding="utf-8"))["clients"]
    assert set(found) == set(CLIENTS)
    for name, one in found.items():
        assert one["result"] == "same", name
        assert one["furthest"] <= one["tolerance"] == CLIENTS[name].tolerance
        assert (one["what"], one["package"]) == (CLIENTS[name].what, CLIENTS[name].package)
