from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from loopcell.tasks.core.spans import Span, are_entities, entities, overlap_f1, segments, span_f1
from loopcell.tasks.sequences.metrics.tagging import tag_metrics

SEQEVAL = Path(__file__).parent / "from_seqeval.json"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("B-P I-P O B-L", {(0, 2, "P"), (3, 4, "L")}),
        ("B-P B-P I-P", {(0, 1, "P"), (1, 3, "P")}),
        ("O I-P I-P O", {(1, 3, "P")}),  # without a B-, as a tagger may write it
        ("B-P I-L", {(0, 1, "P"), (1, 2, "L")}),
        ("B-P I-P E-P S-P", {(0, 3, "P"), (3, 4, "P")}),
        ("S-P I-P", {(0, 1, "P"), (1, 2, "P")}),
        ("O O", set()),
        ("", set()),
    ],
)
def test_entities(labels, expected):
    assert entities(labels.split()) == {Span(*span) for span in expected}


@pytest.mark.parametrize("case", json.loads(SEQEVAL.read_text(encoding="utf-8"))["cases"])
def test_entities_and_f1_are_those_of_seqeval(case):
    """Every order of tags, those that no annotator writes as well; see from_seqeval.py."""
    true, given_ = ([entities(tags.split()) for tags in case[side]] for side in ("true", "given"))
    found = [" ".join(f"{span.start}:{span.stop}:{span.label}" for span in sorted(one)) for one in true]
    assert found == case["entities"]
    assert span_f1(true, given_) == pytest.approx(case["f1"])


def test_stretches_leave_the_background_out():
    assert segments([0, 1, 1, 0, 2, 2]) == {Span(1, 3, 1), Span(4, 6, 2)}
    assert segments(["a", "a", "b"]) == {Span(0, 2, "a"), Span(2, 3, "b")}
    assert segments([]) == set()


def test_which_labels_are_entities():
    assert are_entities(["O", "B-PER", "I-PER"])
    assert not are_entities(["O", "PER"])
    assert not are_entities([0, 1])


def test_f1_counts_spans_that_agree_in_full():
    true = [{Span(0, 2, "P"), Span(3, 4, "L")}, {Span(0, 1, "P")}]
    given = [{Span(0, 2, "P"), Span(3, 5, "L")}, set()]
    assert span_f1(true, given) == pytest.approx(2 * 1 / (3 + 2))
    assert span_f1([set()], [set()]) == 1.0


def test_half_of_the_steps_are_enough_for_f1_at_50():
    true = [{Span(0, 10, 1), Span(20, 30, 1), Span(40, 50, 2)}]
    assert overlap_f1(true, [{Span(2, 11, 1), Span(28, 60, 1)}]) == pytest.approx(2 * 1 / (3 + 2))
    assert overlap_f1(true, [{Span(0, 10, 2), Span(20, 24, 1)}]) == 0.0  # another label; too little
    assert overlap_f1(true, [{Span(0, 5, 1), Span(5, 10, 1)}]) == pytest.approx(2 * 1 / (3 + 2))  # one span serves once
    assert overlap_f1([set()], [set()]) == 1.0


@given(*2 * (st.lists(st.integers(0, 2), min_size=20, max_size=20),))
def test_exact_spans_are_the_strictest_overlap(a, b):
    true, given_ = [segments(a)], [segments(b)]
    assert overlap_f1(true, given_, 1.0) == pytest.approx(span_f1(true, given_))
    assert overlap_f1(true, given_) >= span_f1(true, given_)
    assert overlap_f1(true, true) == 1.0
    assert overlap_f1(true, given_) == pytest.approx(overlap_f1(given_, true))


def test_steps_that_nobody_knows_end_a_stretch_and_do_not_count():
    import numpy as np

    found = tag_metrics([[1, None, 1]], [[1, 0, 0]], np.array([0, 1]))
    assert found["accuracy"] == 0.5
    # true spans: (0,1) of the first part, (0,1) of the second; given: the first alone
    assert found["segment F1"] == pytest.approx(2 * 1 / (2 + 1))
