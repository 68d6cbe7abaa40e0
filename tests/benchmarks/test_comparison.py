"""Equality first: what is wrong is not timed, and what is absent is said."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch

from benchmarks.comparison import Absent, Entry, Settings, compare, complaint
from benchmarks.measure import Patience

TRUTH = {"the output": torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)}
SETTINGS = Settings(Patience(seconds=0.0, block=0.001, fewest=3, most=3))
CASE = {"cell": "lstm", "job": "forward"}


def entry_of(name="ours", *, off=0.0, seconds=0.001, **others):
    gives = {"the output": TRUTH["the output"].float() + off}
    return Entry(name, lambda: time.sleep(seconds), lambda: gives, TRUTH, **others)


def test_a_row_has_times_and_ratios_over_the_first():
    row = compare(CASE, [entry_of(), entry_of("theirs", seconds=0.003)], SETTINGS)
    assert row["cell"] == "lstm"
    assert set(row["times"]) == {"ours", "theirs"}
    assert set(row["ratios"]) == {"theirs"}
    assert 1.5 < row["ratios"]["theirs"]["median"] < 4
    assert 1 <= row["times"]["ours"]["median"] < 2  # milliseconds


def test_who_is_wrong_is_not_timed():
    row = compare(CASE, [entry_of(), entry_of("theirs", off=0.01)], SETTINGS)
    assert set(row["times"]) == {"ours"}
    assert row["ratios"] == {}
    assert "the output, by 0.005 of its largest entry (0.0001 is allowed)" in row["wrong"]["theirs"]


def test_where_the_first_is_wrong_there_are_no_times_at_all():
    row = compare(CASE, [entry_of(off=0.01), entry_of("theirs")], SETTINGS)
    assert row["times"] == row["ratios"] == {}
    assert set(row["wrong"]) == {"ours"}


def test_who_is_absent_is_named_and_the_others_are_timed():
    row = compare(CASE, [Absent("ours", "there is no stepper"), entry_of("theirs")], SETTINGS)
    assert row["absent"] == {"ours": "there is no stepper"}
    assert set(row["times"]) == {"theirs"}
    assert row["ratios"] == {}


def test_nobody_there():
    row = compare(CASE, [Absent("ours", "no"), Absent("theirs", "no")], SETTINGS)
    assert row["times"] == {}


def test_several_jobs_in_a_call_share_its_time():
    row = compare(CASE, [entry_of(), replace(entry_of("theirs", seconds=0.004), jobs=4)], SETTINGS)
    assert 0.5 < row["ratios"]["theirs"]["median"] < 2


@pytest.mark.parametrize("off", [float("nan"), float("inf"), 1e-3])
def test_what_is_no_number_is_wrong(off):
    assert "1 of 1 tensors are off" in complaint(entry_of(off=off))


def test_a_missing_or_misshapen_tensor_is_wrong():
    assert "instead of" in complaint(replace(entry_of(), observe=dict))
    assert "[1] instead of [3]" in complaint(replace(entry_of(), observe=lambda: {"the output": torch.zeros(1)}))


def test_rounding_may_be_as_large_as_plain_pytorchs_and_a_few_times_more():
    assert complaint(entry_of(off=0.001))
    assert not complaint(entry_of(off=0.001, slack={"the output": 0.0004}))
    assert complaint(entry_of(off=0.001, slack={"the output": 0.0001}))


def test_bf16_has_a_coarser_grain():
    assert not complaint(entry_of(off=0.01, dtype="bfloat16"))
    assert complaint(entry_of(off=0.2, dtype="bfloat16"))


def test_what_has_no_truth_cannot_be_wrong():
    assert complaint(replace(entry_of(off=1.0), truth=None)) == ""


def test_a_context_is_around_each_call():
    seen = []

    class Around:
        def __enter__(self):
            seen.append("in")

        def __exit__(self, *_):
            seen.append("out")

    Entry("ours", lambda: seen.append("run"), dict).within(Around).run()
    assert seen == ["in", "run", "out"]
