"""Patterns and where they light up, against a plain search step by step."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from loopcell import cells
from loopcell.errors import InputError, UsageError
from loopcell.insight import Condition, Inspection, LayerView, Pattern, match
from tests.insight.stored import stored

pytest.importorskip("pyarrow")


def seen_of(values, quantity="c"):
    layer = LayerView("layer 0", cells.get("lstm"), {quantity: np.asarray(values, np.float32)})
    return Inspection("a model", [str(step) for step in range(len(values))], [layer])


def plain_search(on, sequence, need, *, bounded):
    """Runs of steps with enough units on, and their scores, the slow way."""
    found, start = [], None
    for row in range(len(on) + 1):
        here = row < len(on) and on[row].sum() >= need
        fresh = row < len(on) and row > 0 and sequence[row] != sequence[row - 1]
        if start is not None and (not here or fresh):
            found.append((start, row))
            start = None
        if here and start is None:
            start = row

    def off(row, beside):
        there = 0 <= row < len(on) and sequence[row] == sequence[beside]
        return ~on[row] if there else np.ones(on.shape[1], bool)

    scores = []
    for start, end in found:
        parts = [on[start:end].mean(0)]
        parts += [off(start - 1, start), off(end, end - 1)] if bounded else []
        scores.append(np.mean(parts))
    return dict(zip(found, scores, strict=True))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), units=st.integers(1, 4), bounded=st.booleans(), parts=st.integers(1, 4))
def test_all_runs_are_found_with_their_scores_whatever_the_parts(tmp_path_factory, seed, units, bounded, parts):
    drawn = np.random.default_rng(seed)
    lengths = drawn.integers(1, 12, parts)
    states = [drawn.normal(size=(length, 5)).astype(np.float32) for length in lengths]
    path = tmp_path_factory.mktemp("match") / "s.arrow"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loopcell.insight.state_store.STEPS", int(drawn.integers(1, 8)))
        store = stored(path, *(("x" * len(each), [{"c": each}]) for each in states))
    conditions = tuple(
        Condition("layer0.c", int(drawn.integers(5)), float(drawn.normal()) / 2, bool(drawn.integers(2)))
        for _ in range(units)
    )
    rows = np.concatenate(states)
    high = np.stack([rows[:, each.unit] >= np.float32(each.threshold) for each in conditions], axis=1)
    on = high == [each.above for each in conditions]
    found = match(store, Pattern(conditions, bounded=bounded), most=1000, share=0.5)
    expected = plain_search(on, np.repeat(np.arange(parts), lengths), -(-units // 2), bounded=bounded)
    begins = np.concatenate([[0], np.cumsum(lengths)])
    rows_of = [(int(begins[place.sequence]) + place.start, place.end - place.start) for place in found.found]
    ours = {(row, row + length): place.score for (row, length), place in zip(rows_of, found.found, strict=True)}
    assert found.count == len(expected)
    assert ours == {place: pytest.approx(score) for place, score in expected.items()}
    assert [place.score for place in found.found] == sorted(ours.values(), reverse=True)


def test_a_place_comes_with_what_stands_around_it(tmp_path):
    text = "ab\nROMEO:\nO, she doth teach the torches to burn bright!\nJULIET:\nAy me!\n"
    names = np.array([letter.isupper() or letter == ":" for letter in text])
    noise = np.random.default_rng(0).normal(size=(len(text), 4)) / 50
    states = noise + np.outer(names, [1, 0, -1, 0])
    store = stored(tmp_path / "s.arrow", (text, [{"c": states.astype(np.float32)}]))
    pattern = Pattern.of(seen_of(states[:20]), 3, 9)
    assert {(each.unit, each.above) for each in pattern.conditions} >= {(0, True), (2, False)}
    only = Pattern(tuple(each for each in pattern.conditions if each.unit in (0, 2)), pattern.interval, bounded=True)
    found = match(store, only, share=1)
    first, second = found.found[:2]
    assert first.parts() == ("ab\n", "ROMEO:", "\nO, she doth teach the t")
    assert second.parts()[1:] == ("JULIET:", "\nAy me!\n")
    assert (first.score, first.sequence, first.start, first.end, first.first) == (1.0, 0, 3, 9, 0)
    np.testing.assert_allclose(second.values[24:31, 0], states[56:63, only.conditions[0].unit], rtol=1e-6)
    assert len(found.found) == found.count == 4  # "O" and "A" are on for a step each
    assert repr(found).startswith("Matches(4 of 4 places in 71 steps: layer0.c[")
    assert found.moved(-2).pattern.interval == (1, 7)


def test_units_are_chosen_by_how_far_they_stand_out():
    values = np.zeros((10, 4))
    values[3:6] = [1.0, 0.2, -3.0, 0.0]
    values[6, 3] = 5
    found = Pattern.of(seen_of(values), 3, 6)  # unit 3 is high at the step after alone
    assert {each.unit: each.threshold for each in found.conditions} == pytest.approx({0: 0.5, 1: 0.1, 2: -1.5})
    assert {each.unit: each.above for each in found.conditions} == {0: True, 1: True, 2: False}
    assert (found.interval, found.bounded) == ((3, 6), True)
    values[0, 0] = 10  # beside which what unit 0 does in the interval is little
    assert {each.unit for each in Pattern.of(seen_of(values), 3, 6, most=2).conditions} == {1, 2}
    values[0, 0] = 0
    at = Pattern.of(seen_of(values), 3, 6, threshold=0.3)
    assert at.conditions == (Condition("layer0.c", 0, 0.3, above=True),)
    whole = Pattern.of(seen_of(values[3:6]), 0, 3)  # nothing around it: zero, where states begin
    assert {each.unit for each in whole.conditions} == {0, 1, 2}


def test_patterns_are_read_and_written():
    pattern = Pattern.parse("layer1.c[12]>0.5, layer0.h[3]<-2e-1 layer1.c[0]>1")
    assert pattern.conditions == (
        Condition("layer1.c", 12, 0.5),
        Condition("layer0.h", 3, -0.2, above=False),
        Condition("layer1.c", 0, 1.0),
    )
    assert str(pattern) == "layer1.c[12]>0.5 layer0.h[3]<-0.2 layer1.c[0]>1"
    assert Pattern.parse(str(pattern)) == pattern
    assert pattern.columns == ("layer1.c", "layer0.h")


@pytest.mark.parametrize(
    "wrong", ["c[1]>2", "layer1.c[x]>2", "layer1.c[1]>", "layer1.c[1]>2 and more", "layer1.c[1]=2", "layer0.c[1]>.."]
)
def test_what_is_no_pattern_is_refused(wrong):
    with pytest.raises(UsageError, match=r"is no pattern; write layer1\.c"):
        Pattern.parse(wrong)


@pytest.mark.parametrize("wrong", ["layer0.c[0]<1e999", "layer0.c[0]>-1e400", "layer0.c[1]>0 layer0.c[0]<1e309"])
def test_an_infinite_threshold_is_refused(wrong):
    with pytest.raises(UsageError, match=r"is larger than a number can be"):
        Pattern.parse(wrong)
    with pytest.raises(InputError, match=r"the threshold of layer0.c\[0\] is nan: give a finite one"):
        Pattern((Condition("layer0.c", 0, np.nan),))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_threshold_beyond_all_states_is_a_threshold(tmp_path, dtype):
    states = np.array([[0.0], [5], [-7]], np.float32)
    store = stored(tmp_path / "s.arrow", ("abc", [{"c": states}]), dtype=dtype)
    for threshold in ("1e10", "1e300"):
        below, above = (match(store, Pattern.parse(f"layer0.c[0]{side}{threshold}")) for side in "<>")
        assert [(place.start, place.end) for place in below.found] == [(0, 3)]
        assert above.found == []
        low = match(store, Pattern.parse(f"layer0.c[0]>-{threshold}"))
        assert [(place.start, place.end) for place in low.found] == [(0, 3)]
    with pytest.raises(InputError, match=r"off around them at 1e\+300: choose"):
        Pattern.of(seen_of(states), 1, 2, threshold=1e300)
    assert Pattern.of(seen_of([[5.0]] * 3), 0, 3).conditions == (Condition("layer0.c", 0, 2.5),)  # it has no spread
    with pytest.raises(InputError, match="choose another"):  # half way to infinity is no threshold
        Pattern.of(seen_of([[0.0], [np.inf], [0.0]]), 1, 2)


def test_a_place_in_words_counts_sequences_from_1(tmp_path):
    store = stored(tmp_path / "s.arrow", *(("abc", [{"c": np.array([[0], [at], [0]], np.float32)}]) for at in (0, 1)))
    (place,) = match(store, Pattern.parse("layer0.c[0]>0.5")).found
    assert (place.sequence, place.start, str(place)) == (1, 1, "sequence 2, step 1")


def test_what_cannot_be_found_is_one_sentence(tmp_path):
    store = stored(tmp_path / "s.arrow", ("abc", [{"c": np.zeros((3, 2), np.float32)}]))
    flat = seen_of(np.zeros((5, 2)))
    with pytest.raises(InputError, match="is on throughout the steps 1:3 and off around them: choose another"):
        Pattern.of(flat, 1, 3)
    with pytest.raises(InputError, match=r"off around them at 0.5: choose"):
        Pattern.of(flat, 1, 3, threshold=0.5)
    with pytest.raises(InputError, match="an interval of the 5 steps was expected, got 3:9"):
        Pattern.of(flat, 3, 9)
    with pytest.raises(InputError, match="there is no layer 1"):
        Pattern.of(flat, 1, 3, layer=1)
    with pytest.raises(InputError, match="has no quantity 'z'; there is c"):
        Pattern.of(flat, 1, 3, quantity="z")
    with pytest.raises(InputError, match="at least one unit"):
        Pattern(())
    with pytest.raises(InputError, match=r"no states of 'layer3.c' are stored; there is layer0.c"):
        match(store, Pattern.parse("layer3.c[0]>1"))
    with pytest.raises(InputError, match=r"layer0.c has no unit 2: it has 2"):
        match(store, Pattern.parse("layer0.c[2]>1"))
    with pytest.raises(InputError, match="a share above 0"):
        match(store, Pattern.parse("layer0.c[0]>1"), share=0)
    assert match(store, Pattern.parse("layer0.c[0]>1")).found == []
