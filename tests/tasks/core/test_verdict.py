"""A model beside its best baseline, and tables whose columns stand apart whatever the numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.verdict import Verdict, aligned, verdict_of

APART = "the model cannot be told apart from its best baseline"


@pytest.mark.parametrize(
    ("rows", "beaten", "sentence"),
    [
        (
            {"model": {"accuracy": 0.16}, "majority class": {"accuracy": 0.1}, "logistic": {"accuracy": 0.68}},
            False,
            "the model is no better than its best baseline, logistic: accuracy 0.1600 against 0.6800",
        ),
        (
            {"model": {"MSE": 1.5, "R2": 0.2}, "mean": {"MSE": 2.0, "R2": 0.0}, "ridge": {"MSE": 9e9, "R2": -5.0}},
            True,
            "the model is better than its best baseline, mean: MSE 1.5000 against 2.0000",
        ),
        (
            {"model": {"accuracy": 0.5}, "majority class": {"accuracy": 0.5}},
            False,
            f"{APART}, majority class: accuracy 0.5000 against 0.5000 (less than 1% apart)",
        ),
        (
            {"model": {"MSE": 0.4991}, "naive": {"MSE": 0.5}},
            False,
            f"{APART}, naive: MSE 0.4991 against 0.5000 (less than 1% apart)",
        ),
        (
            {"model": {"perplexity": 4.0, "BLEU": 3.0}, "copy": {"BLEU": 1.0}, "broken": {"BLEU": math.nan}},
            True,
            "the model is better than its best baseline, copy: BLEU 3.0000 against 1.0000",
        ),
        (
            {"model": {"accuracy": math.nan}, "majority class": {"accuracy": 0.5}},
            False,
            "the model is no better than its best baseline, majority class: accuracy nan against 0.5000",
        ),
    ],
)
def test_the_first_metric_that_both_have_decides(rows, beaten, sentence):
    found = verdict_of(rows)
    assert (found.beaten, found.sentence) == (beaten, sentence)
    assert ScoreTable("", rows).verdict() == found


@pytest.mark.parametrize(
    ("own", "how", "beaten"),
    [
        (0.60, "is better than", True), (0.53, "cannot be told apart from", False),
        (0.47, "cannot be told apart from", False), (0.40, "is no better than", False),
    ],
)  # fmt: skip
def test_within_two_standard_errors_both_are_about_as_good(own, how, beaten):
    rows = {"model": {"accuracy": own}, "majority class": {"accuracy": 0.5}, "other": {"accuracy": 0.1}}
    found = verdict_of(rows, {"majority class": {"accuracy": 0.02}, "other": {"accuracy": 1.0}})
    assert found.sentence.startswith(f"the model {how} its best baseline, majority class: accuracy {own:.4f}")
    assert (found.beaten, found.alike) == (beaten, how == "cannot be told apart from")
    assert ("two standard errors of the difference are 0.0400" in found.sentence) == found.alike


def test_where_both_are_never_off_no_other_run_is_recommended():
    found = verdict_of({"model": {"MSE": 0.0}, "naive": {"MSE": 0.0}})
    sentence = "neither the model nor its best baseline, naive, is ever off"
    assert found == Verdict(False, sentence, improvable=False, metric="MSE", best="naive")
    assert verdict_of({"model": {"MSE": 1e-9}, "naive": {"MSE": 0.0}}).improvable


def test_without_a_baseline_there_is_no_verdict():
    assert verdict_of({"model": {"F1": 1.0}}) is None
    assert verdict_of({"model": {"F1": 1.0}, "naive": {"alarms": 0.1}}) is None


def test_parts_of_a_metric_and_shares_of_alarms_decide_nothing():
    quiet = {"model": {"alarms": 0.1, "mean score": 0.9}, "jump": {"alarms": 0.0, "mean score": 0.1}}
    assert verdict_of(quiet) is None
    rows = {
        "model": {"precision": 0.0, "recall": 0.0, "F1": 0.0, "alarms": 0.1, "average precision": 0.9},
        "jump": {"precision": 1.0, "recall": 0.1, "F1": 0.2, "alarms": 0.9, "average precision": 0.3},
    }
    found = verdict_of(rows)
    assert found.sentence == "the model is better than its best baseline, jump: average precision 0.9000 against 0.3000"


# Up to 1e300: the very largest numbers, rounded up to four digits, would read back as infinity.
numbers = st.floats(-1e300, 1e300) | st.floats(-1e12, 1e12) | st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.dictionaries(st.sampled_from("abc"), st.lists(numbers, min_size=3, max_size=3)), st.tuples(*[numbers] * 3))
def test_columns_never_run_together(rows, model):
    rows = {"model": model, **rows}
    table = ScoreTable("data", {name: dict(zip(("MSE", "MAE", "R2"), row, strict=True)) for name, row in rows.items()})
    _, head, *lines = table.lines()
    assert head.split() == ["MSE", "MAE", "R2"]
    for (name, row), line in zip(rows.items(), lines, strict=True):
        first, *cells = line.split()
        assert first == name
        assert [float(cell) for cell in cells] == pytest.approx(row, rel=1e-3, abs=1e-4, nan_ok=True)
    assert len({len(line) for line in (head, *lines)}) == 1


def test_large_numbers_by_hand():
    rows = {"model": {"MSE": 12345678901.5, "MAE": 123456.5}, "naive": {"MSE": 1.0}}
    assert ScoreTable("3 series", rows).lines() == [
        "3 series:",
        "                MSE          MAE",
        "model    1.2346e+10  123456.5000",
        "naive        1.0000",
    ]
    assert aligned(["perplexity"], {"a": ["1,234,567,890.12"]}) == ["           perplexity", "a    1,234,567,890.12"]
