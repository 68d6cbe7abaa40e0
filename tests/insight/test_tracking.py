"""Units that track something that has a name, against scikit-learn and NumPy."""

import numpy as np
import pytest

from loopcell.data import BpeVocabulary, ByteVocabulary, CharVocabulary, JamoVocabulary, WordVocabulary
from loopcell.errors import InputError, UsageError
from loopcell.insight import CorpusText, track
from tests.insight.stored import stored

pytest.importorskip("pyarrow")
STEPS, UNITS = 500, 40


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(1).random(STEPS) < 0.2


@pytest.fixture(scope="module")
def states(labels):
    """Noise, but unit 5 of layer 1 is low where a label is true, and unit 7 is nearly so on the first half alone."""
    drawn = np.random.default_rng(0)
    found = np.round(drawn.normal(size=(2, STEPS, UNITS)), 1).astype(np.float32)  # rounded: ties
    found[1, :, 5] -= 2.5 * labels
    found[0, : STEPS // 2, 7] += 3.5 * labels[: STEPS // 2]
    found[0, 3, 0] = -0.0
    return found


@pytest.fixture(scope="module")
def store(states, tmp_path_factory):
    path = tmp_path_factory.mktemp("track") / "s.arrow"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loopcell.insight.state_store.STEPS", 64)
        text = "ab" * (STEPS // 2)
        pieces = [(text[at : at + 50], [{"c": each[at : at + 50]} for each in states]) for at in range(0, STEPS, 50)]
        return stored(path, *pieces, dtype="float16")


def test_areas_are_those_of_scikit_learn_on_both_halves(store, states, labels):
    metrics = pytest.importorskip("sklearn.metrics")
    found = track(store, labels, most=1000)
    assert found.measure == "AUC"
    assert found.steps == (250, 250)
    assert found.share == (labels[:250].mean(), labels[250:].mean())
    assert len(found.units) == 2 * UNITS
    for unit in found.units:
        values = states[int(unit.column[5]), :, unit.unit].astype(np.float16).astype(float) * (-1 if unit.low else 1)
        assert unit.score == pytest.approx(metrics.roc_auc_score(labels[:250], values[:250]))
        assert unit.held_out == pytest.approx(metrics.roc_auc_score(labels[250:], values[250:]))
        assert unit.score >= 0.5
    assert [unit.score for unit in found.units] == sorted((unit.score for unit in found.units), reverse=True)


def test_the_best_unit_is_chosen_on_the_first_half_alone(store, labels):
    found = track(store, labels)
    assert (found.best.column, found.best.unit, found.best.low) == ("layer0.c", 7, False)
    assert found.best.held_out < 0.65
    assert found.best.score > 0.95
    second = found.units[1]
    assert str(second) == "-layer1.c[5]"
    assert second.held_out > 0.9
    assert len(found.units) == 10
    assert track(store, labels, columns=["layer1.c"]).best == second


def test_numbers_are_correlated_and_steps_without_one_left_out(store, states):
    numbers = np.linspace(0, 1, STEPS) + states[1, :, 5]
    numbers[:100] = np.nan
    found = track(store, numbers, most=1000)
    assert found.measure == "r"
    assert found.share is None
    assert found.steps == (200, 200)
    for unit in found.units:
        values = states[int(unit.column[5]), :, unit.unit].astype(np.float16).astype(float) * (-1 if unit.low else 1)
        assert unit.score == pytest.approx(np.corrcoef(values[100:300], numbers[100:300])[0, 1], abs=1e-9)
        assert unit.held_out == pytest.approx(np.corrcoef(values[300:], numbers[300:])[0, 1], abs=1e-9)


def test_what_the_token_alone_tells_stands_beside_it(tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    text = "aXbXcXab" * 20
    store = stored(
        tmp_path / "s.arrow", (text, [{"c": np.random.default_rng(0).normal(size=(160, 2)).astype(np.float32)}])
    )
    labels = np.array([letter in "ab" for letter in text]) & (np.arange(160) % 8 > 0)
    first = {letter: labels[:80][[each == letter for each in text[:80]]].mean() for letter in "abcX"}
    guess = [first[letter] for letter in text[80:]]
    assert track(store, labels).by_token == pytest.approx(metrics.roc_auc_score(labels[80:], guess))
    position = np.arange(160) % 8.0
    means = {letter: position[:80][[each == letter for each in text[:80]]].mean() for letter in "abcX"}
    expected = np.corrcoef([means[letter] for letter in text[80:]], position[80:])[0, 1]
    assert track(store, position).by_token == pytest.approx(expected)


@pytest.mark.parametrize(
    "values", [np.linspace(1e6, 1.0001e6, 80), np.linspace(1, 1.0001, 80), [2e30] * 40 + [3e30] * 40]
)
def test_float32_is_compared_in_float32(tmp_path, values, monkeypatch):
    monkeypatch.setattr("loopcell.insight.tracking.HELD", 81)  # one unit in a pass
    values = np.asarray(values, np.float32)
    order = np.concatenate([np.arange(0, 80, 2), np.arange(1, 80, 2)])  # each half has low and high ones
    states = np.stack([values[order], -values[order], np.ones(80, np.float32)], axis=1)
    found = track(stored(tmp_path / "s.arrow", ("x" * 80, [{"c": states}])), order >= 40)
    assert [(each.unit, each.score, each.held_out, each.low) for each in found.units] == [
        (0, 1.0, 1.0, False),
        (1, 1.0, 1.0, True),
        (2, 0.5, 0.5, False),
    ]


def test_areas_of_float32_are_those_of_scikit_learn(states, labels, tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    store = stored(tmp_path / "s.arrow", ("x" * STEPS, [{"c": states[1]}]))
    for unit in track(store, labels, most=1000).units:
        values = states[1, :, unit.unit].astype(float) * (-1 if unit.low else 1)
        assert unit.score == pytest.approx(metrics.roc_auc_score(labels[:250], values[:250]))
        assert unit.held_out == pytest.approx(metrics.roc_auc_score(labels[250:], values[250:]))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_unit_that_never_changes_is_correlated_with_nothing_however_large_labels_are(tmp_path, dtype):
    drawn = np.random.default_rng(0).normal(size=600)
    states = np.stack([np.full(600, 0.1), np.arange(600) + drawn, np.full(600, 4321.7)], axis=1).astype(np.float32)
    store = stored(tmp_path / "s.arrow", ("x" * 600, [{"c": states}]), dtype=dtype)
    labels = np.arange(600) + 1e9
    found = track(store, labels)
    values = states[:, 1].astype(dtype).astype(float)
    assert found.best.unit == 1
    assert found.best.score == pytest.approx(np.corrcoef(values[:300], labels[:300])[0, 1], rel=1e-9)
    assert found.best.held_out == pytest.approx(np.corrcoef(values[300:], labels[300:])[0, 1], rel=1e-9)
    assert [(each.score, each.held_out) for each in found.units[1:]] == [(0.0, 0.0)] * 2
    assert found.by_token == 0  # all tokens are one


def test_labels_that_say_nothing_are_refused(store):
    with pytest.raises(InputError, match="for each of 500 steps was expected, got"):
        track(store, np.zeros(3, bool))
    with pytest.raises(InputError, match="every step has the label 0 in the second half of the corpus"):
        track(store, np.arange(STEPS) < 10)
    with pytest.raises(InputError, match="no step has a label in the first half"):
        track(store, np.full(STEPS, np.nan))
    with pytest.raises(InputError, match=r"there is layer0.c, layer1.c"):
        track(store, np.arange(STEPS) % 2 == 0, columns=["layer9.c"])


def test_steps_inside_a_place_and_since_one():
    text = CorpusText.of(list("A:\nbc\nDE:\nf"))
    assert text.inside(r"^[A-Z]+:").tolist() == [True] * 2 + [False] * 4 + [True] * 3 + [False] * 2
    np.testing.assert_array_equal(text.since(r"\n"), [np.nan, np.nan, np.nan, 0, 1, 2, 0, 1, 2, 3, 0])
    assert text.since("q").tolist() == pytest.approx([np.nan] * 11, nan_ok=True)
    assert not text.inside("x*").any()  # places without a character
    assert text.find("DE:") == (6, 9)
    assert text.find("q") is None
    with pytest.raises(UsageError, match="is no regular expression"):
        text.inside("(")


def test_no_number_stands_within_a_place_of_several_steps():
    text = CorpusText.of(list("xabcXYabcZ"))
    nan = np.nan
    np.testing.assert_array_equal(text.since("abc"), [nan, nan, nan, nan, 0, 1, nan, nan, nan, 0])
    np.testing.assert_array_equal(text.since("Z"), [nan] * 10)  # it ends with the corpus
    np.testing.assert_array_equal(text.since("(?=abc)"), [nan, 0, 1, 2, 3, 4, 0, 1, 2, 3])  # places without a step
    jamo = CorpusText.of(["", "", "영", "a", "", "", "영", "b"])  # a character of three steps is a place of three
    np.testing.assert_array_equal(jamo.since("영"), [nan, nan, nan, 0, nan, nan, nan, 0])
    whole = CorpusText.of(["xab", "c", "d", "abc", "e"])  # a place in one step, and one that begins within another
    np.testing.assert_array_equal(whole.since("abc"), [nan, nan, 0, 1, 0])


def test_a_step_before_its_character_is_whole_belongs_to_it():
    jamo = CorpusText.of(["", "", "영", "", "화", " ", "ㅋ"])
    assert jamo.text == "영화 ㅋ"
    assert jamo.find("화") == (3, 5)
    assert jamo.inside("영").tolist() == [True] * 3 + [False] * 4
    words = CorpusText.of(["so", "good", "bad"], " ", np.array([0, 1, 0]))
    assert words.text == "so good\nbad"
    assert words.inside("^bad$").tolist() == [False, False, True]


@pytest.mark.parametrize("kind", [CharVocabulary, ByteVocabulary, JamoVocabulary, BpeVocabulary, WordVocabulary])
@pytest.mark.parametrize("text", ["이 영화 ㅋㅋ 값 a", "a\n b 각", "", "x", "가나", "꽃이 ㅏ"])
def test_texts_of_steps_are_the_text(kind, text):
    vocabulary = kind.build(["이 영화 ㅋㅋ 값 a\n b 각 x 가나 꽃이 ㅏ"])
    ids = vocabulary.encode(text)
    found = vocabulary.decode_steps(ids)
    assert len(found) == len(ids)
    assert "".join(found) == text == vocabulary.decode(ids)


def test_a_character_is_whole_with_its_last_part():
    assert ByteVocabulary().decode_steps(ByteVocabulary().encode("a한")) == ["a", "", "", "한"]
    jamo = JamoVocabulary.build(["ㅋ "])
    assert jamo.decode_steps(jamo.encode("값ㅋ이 ")) == ["", "", "값", "ㅋ", "", "이", " "]
