"""What may differ when a run goes on, and how the rest is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopcell.errors import UsageError
from loopcell.training.resumption import demand_same_job

BEFORE = {
    "task": "sequence-classifier",
    "config": {"epochs": 3, "patience": 5, "hidden_size": 8, "time_limit": None, "sizes": {"proj": 2}},
    "cell": {"doc": ""},
    "learned": {"input": "char"},
    "seed": 1,
    "fingerprint": "aa",
    "source": {"data": "not compared"},
}
RUN = Path("runs/x")


def changed(**changes):
    now = {name: value for name, value in BEFORE.items() if name != "source"}
    return {**now, **changes}


@pytest.mark.parametrize(
    "config",
    [{}, {"epochs": 9}, {"patience": None}, {"time_limit": 60.0}, {"epochs": 1, "patience": 1, "time_limit": 1}],
)
def test_a_run_may_be_longer(config):
    demand_same_job(RUN, BEFORE, changed(config={**BEFORE["config"], **config}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fingerprint": "bb", "learned": {"input": "word"}}, "other data"),
        (
            {"config": {**BEFORE["config"], "epochs": 9, "hidden_size": 16}},
            "other settings: hidden_size was 8 and is 16",
        ),
        (
            {"config": {**BEFORE["config"], "sizes": {"proj": 4}}},
            "other settings: sizes was {'proj': 2} and is {'proj': 4}",
        ),
        ({"cell": {"doc": "mine"}}, "another cell"),
        ({"seed": 2}, "another seed: it was 1 and is 2"),
        ({"columns": {"input": "a"}}, "other columns"),
        ({"task": "chat"}, "another task: it was 'sequence-classifier' and is 'chat'"),
    ],
)
def test_the_first_difference_is_named(changes, sentence):
    with pytest.raises(UsageError) as caught:
        demand_same_job(RUN, BEFORE, changed(**changes))
    assert str(caught.value) == (
        f"the run runs/x was started with {sentence}; it can only go on with the same "
        "(only epochs, updates, patience and time_limit may change)"
    )
