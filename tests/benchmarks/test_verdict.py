"""Targets are judged as they say, and every one of them finds its figures."""

from __future__ import annotations

from statistics import geometric_mean

import pytest

from benchmarks.grid import CELLS, SHAPES, Shape
from benchmarks.suites import SUITES
from benchmarks.targets import TARGETS
from benchmarks.verdict import Cases, Figure, Measured, Target, judge, over, share_of, slower_than

SIZES = Shape(1, 1, 2, 3)


def row(cell="lstm", *, ratio=2.0, **others):
    about = {"cell": cell, **SIZES._asdict(), "threads": 1, "job": "forward", "absent": {}, "wrong": {}}
    return about | {"ratios": {"torch.nn": {"median": ratio}}} | others


def verdict(rows, target=None, **options):
    figures = Cases("grid", ("lstm", "gru"), (SIZES,), ("forward",)).figures(over("torch.nn"))
    return judge(target or Target("faster", 1.5, figures, **options), Measured({"grid": rows}))


def test_reached():
    found = verdict([row("lstm", ratio=1.5), row("gru", ratio=3.0)])
    assert (found.word, found.value, found.count, found.short, found.missing) == ("reached", 1.5, 2, (), ())


def test_not_reached_names_the_worst_first():
    found = verdict([row("lstm", ratio=1.2), row("gru", ratio=1.1)])
    assert found.word == "not reached"
    assert [figure.value for figure in found.short] == [1.1, 1.2]
    assert found.short[0].label == "gru, (1,1,2,3), forward"


def test_a_mean_may_be_reached_where_one_case_is_not():
    found = verdict([row("lstm", ratio=1.0), row("gru", ratio=4.0)], total=geometric_mean)
    assert (found.word, found.value) == ("reached", pytest.approx(2.0))
    assert found.short == (), "a mean asks nothing of a single case"


def test_at_most():
    figures = Cases("grid", ("lstm",), (SIZES,), ("forward",)).figures(slower_than("torch.nn"))
    target = Target("slower", 0.5, figures, max, at_most=True)
    assert verdict([row(ratio=2.0)], target).word == "reached"
    assert verdict([row(ratio=1.9)], target).word == "not reached"


def test_a_missing_case_is_not_reached():
    found = verdict([row("lstm")])
    assert (found.word, found.reached) == ("incomplete", False)
    assert found.missing == (Figure("gru, (1,1,2,3), forward", None, "not measured"),)


def test_nothing_measured():
    assert verdict([]).word == "not measured"


def test_an_absent_or_wrong_side_is_the_reason():
    absent = row("gru", ratios={}, absent={"torch.nn": "it is on holiday"})
    wrong = row("gru", ratios={}, wrong={"loopcell": "1 of 3 tensors are off"})
    assert verdict([row(), absent]).missing[0].why == "torch.nn: it is on holiday"
    assert verdict([row(), wrong]).missing[0].why == "loopcell: 1 of 3 tensors are off"


def test_a_share_is_that_of_the_faster_roof():
    ratios = {"one product": {"median": 0.9}, "a cube": {"median": 0.7}}
    assert share_of("one product", "a cube")({"ratios": ratios}) == 0.7


def test_other_threads_and_forms_are_other_cases():
    found = verdict([row("lstm"), row("gru", threads=2), row("gru", form="3 layers")])
    assert [figure.label for figure in found.missing] == ["gru, (1,1,2,3), forward"]


def everything(ratio, seconds):
    """Rows of every suite as if all had been measured, every ratio and time the same."""

    class Anything(dict):
        def __missing__(self, key):
            return {"median": ratio}

    class Seconds(dict):
        def __missing__(self, key):
            return {"median": seconds}

    found = {}
    for suite in SUITES.values():
        jobs = ("step",) if suite.name == "step" else ("forward", "training")
        found[suite.name] = [
            part.case(job)
            | {"ratios": Anything(), "seconds": Seconds(), "absent": {}, "wrong": {}, "share_of_limit": ratio}
            for part in suite.parts
            for job in jobs
        ]
    found["time_to_loss"] = [{"cell": cell, "ratio": ratio} for cell in ("lstm", "gru")]
    found["fuzz"] = [{"cases": 10_000, "failed": int(ratio < 1)}] * 2
    return Measured(found, {"vectors": "avx512f, amx_bf16"})


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.what)
def test_every_target_finds_its_figures_and_can_be_missed(target):
    assert judge(target, everything(100.0, 0.01)).word == "reached"
    assert judge(target, Measured({})).word == "not measured"
    if "cases compared" not in target.what:
        assert judge(target, everything(0.5, 10.0)).word == "not reached"


def test_the_table_says_how_many_cases_a_target_has():
    found = {target.what: judge(target, everything(100.0, 0.01)).count for target in TARGETS}
    assert found["forward against torch.nn, every cell and size"] == len(CELLS) * len(SHAPES) * 2
    assert found["lstm, training, against torch.nn, geometric mean"] == len(SHAPES) * 2
    assert found["forward, share of the measured roof of products, H >= 256 and B >= 32"] == 3 * 3 * 2


def test_a_cpu_without_amx_is_not_asked_for_bf16():
    without = Measured(everything(100.0, 0.01).rows, {"vectors": "avx512f"})
    found = [judge(target, without) for target in TARGETS if "bf16" in target.what]
    assert found
    assert all(one.missing[0].why == "this CPU has no AMX" for one in found)
