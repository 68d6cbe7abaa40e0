from __future__ import annotations

import numpy as np
import pytest

from loopcell import Chat, load_model
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.seq2seq.metrics import distinct
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]

SMALL = {**QUICK, "hidden_size": 32, "embedding_size": 16, "tokens": "word", "beam": 2, "patience": None}
ANSWERS = {"hello": "good morning", "who are you": "a small network", "bye": "see you"}


def talks(count=120, seed=0):
    """Conversations of two or three turns, and the answer to the turn before the last one."""
    drawn = np.random.default_rng(seed)
    X = [[str(turn) for turn in drawn.choice(list(ANSWERS), drawn.integers(2, 4))] for _ in range(count)]
    return X, [ANSWERS[turns[-2]] for turns in X]


@pytest.fixture(scope="module")
def model():
    return Chat(**SMALL, epochs=12, history=2).fit(*talks())


def test_the_turns_before_the_last_one_count(model):
    assert model.reply(["hello", "bye"])[0].text == "good morning"
    assert model.reply(["who are you", "bye"])[0].text == "a small network"
    assert model.reply(["bye", "who are you", "bye"])[0].text == "a small network"  # only the last two are read


def test_one_turn_is_a_text_or_a_list_of_one():
    pairs = list(ANSWERS) * 20
    model = Chat(**SMALL, epochs=8, validation_fraction=0.0).fit(pairs, [ANSWERS[turn] for turn in pairs])
    assert [model.reply(turn)[0].text for turn in ANSWERS] == list(ANSWERS.values())
    assert model.reply(["bye", "hello"]) == model.reply("hello")
    assert model.predict(["hello", ["bye", "hello"]]) == ["good morning"] * 2


def test_several_candidates_differ_and_draws_have_a_seed(model):
    found = model.reply(["hello", "bye"], 4)
    assert len({one.text for one in found}) == len(found) == 4
    hot = SamplingConfig(temperature=3.0)
    drawn = model.reply(["hello", "bye"], 5, choice=hot, seed=3)
    assert drawn == model.reply(["hello", "bye"], 5, choice=hot, seed=3)
    assert len({one.text for one in drawn}) == len(drawn) > 1


def test_the_table_counts_different_words(model):
    X, y = talks(20, seed=4)
    table = model.evaluate(X, y, training=talks())
    assert list(table.rows) == ["model", "copy", "most frequent"]
    assert table.model["distinct-1"] == distinct(model.predict(X), 1)
    assert distinct(["a b a", "b c"], 1) == pytest.approx(3 / 5)
    assert distinct(["a b a", "b c"], 2) == 1.0
    assert distinct(["a", ""], 2) == 0.0


def test_it_comes_back_from_a_file(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert isinstance(again, Chat)
    assert again.history == 2
    assert again.reply(["hello", "bye"]) == model.reply(["hello", "bye"])


def test_what_is_no_conversation_is_named(model):
    with pytest.raises(DataError, match=r"X\[1\]: a text, or a list of turns that are texts, was expected"):
        model.predict(["hello", ["hello", 3]])
    with pytest.raises(DataError, match=r"X\[0\]: a text, or a list of turns"):
        Chat(**SMALL, validation_fraction=0.0).fit([None, "a"], ["b", "c"])


def test_unknown_words_of_the_turns_that_are_read_are_counted(model):
    assert model.unknown([["unheard", "hello", "bye"], ["unheard", "bye"], "unheard"]) == 2
    with pytest.raises(UsageError, match="n: at least one answer has to be asked for, got 0"):
        model.reply("hello", 0)


def test_of_a_conversation_the_turns_and_the_answer_are_looked_at(model):
    seen = model.inspect(["hello", "bye"])
    assert "bye" in seen.steps
    assert list(seen.parts["decoder"].steps) == ["good", "morning", "■"]
    assert seen.answer[0].label == "good morning"
