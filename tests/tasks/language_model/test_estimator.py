"""LanguageModel as an estimator: texts in, scores and texts out, arguments, files, runs that go on."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from loopcell import LanguageModel, cell, load_model, tanh
from loopcell.errors import DataError, InputError, UsageError
from tests.tasks.conftest import TEXT
from tests.tasks.language_model.runs import train_language_model

QUICK = {
    "cell": "gru",
    "hidden_size": 12,
    "num_layers": 1,
    "batch_size": 4,
    "chunk": 16,
    "updates": 12,
    "device": "cpu",
    "random_state": 1,
}
LINES = TEXT.splitlines(keepends=True)


def quick(**settings):
    return LanguageModel(**QUICK | settings)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.network_.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained():
    """A model that has learned the small text; not to be changed."""
    return quick(hidden_size=24, updates=150, learning_rate=1e-2, warmup=10).fit(TEXT)


BYTES = (
    "X is bytes, and a language model reads text: give X.decode(), or the pathlib.Path of a file, with tokens='byte'"
)
HALF = (
    "X has a lone surrogate (U+D800, character 3): half of a character, which is not text; put another character "
    "there, such as U+FFFD"
)

# --- what it learns from -------------------------------------------------------------------------------------------


def test_a_text_and_the_file_of_it_are_one(text):
    assert same(weights(quick().fit(TEXT)), weights(quick().fit(text)))


def test_texts_are_documents_in_memory_as_in_files(tmp_path):
    texts = ["".join(LINES[:15]), "".join(LINES[15:30]), "".join(LINES[30:])]
    paths = [tmp_path / f"{number}.txt" for number in range(3)]
    for path, one in zip(paths, texts, strict=True):
        path.write_text(one, encoding="utf-8")
    expected = weights(quick().fit(paths))
    for X in (texts, tuple(texts), np.array(texts), [texts[0], paths[1], texts[2]]):
        assert same(weights(quick().fit(X)), expected)
    assert not same(weights(quick().fit("".join(texts))), expected)


def test_a_byte_order_mark_is_a_character_of_a_text_and_none_of_a_file(tmp_path):
    (tmp_path / "a.txt").write_text("\ufeff" + TEXT, encoding="utf-8")
    for X, there in (("\ufeff" + TEXT, True), (tmp_path / "a.txt", False)):
        assert ("\ufeff" in quick(updates=1).fit(X).vocabulary_.to_json()["characters"]) == there


def test_the_shell_and_python_learn_the_same(text, tmp_path):
    settings = {"dropout": 0.3, "num_layers": 2, "bptt": 8, "accumulate": 2, "tokens": "jamo", "tied": True}
    of_shell = train_language_model(quick(**settings), [text], folder=tmp_path / "shell")
    of_python = quick(**settings).fit(TEXT)
    assert same(weights(of_shell.model), weights(of_python))
    assert same(weights(LanguageModel.load(tmp_path / "shell")), weights(of_python))
    assert of_shell.model.outcome_.position.best_loss == of_python.outcome_.position.best_loss
    assert of_shell.score.lines() == of_python.held_out_.lines()


def test_other_text_can_be_held_out(trained):
    other = "the dog sat on the cat. the mat ate the dog.\n"
    model = quick().fit(TEXT, validation=other)
    assert model.held_out_.data == "45 characters, 45 tokens"
    assert model.held_out_.model == pytest.approx(model.evaluate(other).model, abs=1e-6)
    assert quick(validation_fraction=0.0).fit(TEXT).held_out_ is None


def test_a_run_without_a_folder_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = torch.get_rng_state()
    quick().fit(TEXT).evaluate(TEXT)
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(torch.get_rng_state(), before)  # it draws from generators of its own


@pytest.mark.parametrize(
    ("X", "kind", "sentence"),
    [
        ("", DataError, "X is empty: there is no text in it"),
        (["ab" * 50, ""], DataError, "X[1] is empty: there is no text in it"),
        ([], DataError, "X is empty: there is no example in it"),
        (None, InputError, "X has to be a text, a pathlib.Path or a list of these, not nothing"),
        (3, InputError, "X has to be a text, a pathlib.Path or a list of these, not a int"),
        ({"a": "b"}, InputError, "X has to be a text, a pathlib.Path or a list of these, not a dict"),
        (iter("ab"), InputError, "X has to be a text, a pathlib.Path or a list of these, not a str_ascii_iterator"),
        (
            b"abc",
            InputError,
            BYTES,
        ),
        ([1.5, 2.5], InputError, "X[0] is a float, and a text is a string or a pathlib.Path"),
        ([["a", "b"]], InputError, "X[0] is a list, and a text is a string or a pathlib.Path"),
        (["ab", b"c"], InputError, "X[1] is a bytes, and a text is a string or a pathlib.Path"),
        ("a", DataError, "1 bytes are too few to hold out a fraction of 0.1"),
        (["a"] * 30, DataError, "the training text is too short: it takes two tokens of one document"),
        (
            "ab\ud800",
            DataError,
            HALF,
        ),
        (Path("no.txt"), DataError, "there is no file no.txt"),
        (Path(), DataError, ". is a folder; name the files in it"),
    ],
)
def test_what_is_no_text_is_refused_in_a_sentence(X, kind, sentence):
    model = quick()
    with pytest.raises(kind) as caught:
        model.fit(X)
    assert str(caught.value) == sentence
    assert not hasattr(model, "network_")


def test_the_name_of_a_file_is_not_its_text(text, trained):
    name = str(text)
    for call in (quick().fit, trained.score, trained.evaluate):
        with pytest.raises(InputError) as caught:
            call(name)
        assert str(caught.value) == (
            f"X is the name of a file: to learn from what is in it, give pathlib.Path({name!r})"
        )


def test_a_text_shorter_than_a_chunk_is_learned_from_and_said():
    model = quick(validation_fraction=0.0).fit("ab" * 20)
    assert model.outcome_.position.update == 12
    assert model.outcome_.position.epoch == 12
    assert model.notes_[0] == (
        "the training text has 40 tokens, no more than one update reads, so a pass over it is one update; smaller "
        "batches and chunks make more of it"
    )
    assert not any("one update" in note for note in quick(validation_fraction=0.0).fit(TEXT).notes_)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"chunk": 6, "bptt": 4}, "of k1 and k2 one has to be a multiple of the other, got 6 and 4"),
        ({"tokens": "letter"}, "unknown kind of tokens 'letter': there are char, byte, jamo, bpe, word"),
        ({"device": "tpu"}, "device: a device is auto, cpu, cuda, cuda:N or mps, got 'tpu'"),
        ({"epochs": 0}, "epochs: input should be greater than 0, got 0"),
        ({"cell": "gro"}, None),
    ],
)
def test_an_argument_out_of_its_bounds_is_named_by_fit(settings, sentence):
    with pytest.raises(UsageError) as caught:
        quick(**settings).fit(TEXT)
    assert sentence is None or str(caught.value) == sentence


# --- what it says --------------------------------------------------------------------------------------------------


def test_it_beats_its_baselines_and_a_greater_score_is_better(trained):
    table = trained.held_out_
    assert table.verdict().beaten
    assert table.model["bits/char"] < 0.5 * table.rows["unigram"]["bits/char"]
    assert trained.score(TEXT) > quick().fit(TEXT).score(TEXT)


def test_the_score_is_minus_the_bits_of_the_table(trained, text):
    assert trained.score(TEXT) == pytest.approx(-trained.evaluate(TEXT).model["bits/char"], rel=1e-12)
    assert trained.score(text) == trained.score(TEXT)
    assert trained.evaluate(text).lines() == trained.evaluate(TEXT).lines()
    assert trained.evaluate(LINES).data == "1,800 characters, 1,800 tokens"


def test_the_held_out_score_is_that_of_the_end_of_the_text(trained):
    end = TEXT[int(len(TEXT) * 0.9) :]
    assert trained.evaluate(end).model == pytest.approx(trained.held_out_.model, abs=1e-6)


def test_a_sample_is_what_generate_yields(trained):
    settings = {"length": 40, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "seed": 3}
    text = trained.sample("the c", **settings)
    assert text == "".join(trained.generate("the c", **settings))
    assert text.startswith("the c")
    assert len(text) == 45
    assert trained.sample("the c", **settings) == text
    assert trained.sample("the", length=40, temperature=0, stop=".").startswith("the ")
    with pytest.raises(UsageError, match="temperature: input should be greater than or equal to 0, got -1"):
        trained.sample(temperature=-1)


def test_the_probabilities_of_the_next_token(trained):
    found = trained.predict_proba(["the ca", "", "the"])
    assert found.shape == (3, len(trained.vocabulary_))
    np.testing.assert_allclose(found.sum(1), 1)
    assert trained.vocabulary_.decode([found[0].argmax()]) == "t"
    assert trained.vocabulary_.decode([found[2].argmax()]) == " "
    counts = trained.network_.token_counts.numpy()
    np.testing.assert_allclose(found[1], counts / counts.sum())
    tokens = torch.tensor(trained.vocabulary_.encode("the ca")).unsqueeze(1)
    with torch.no_grad():
        expected = trained.network_(tokens)[0][-1, 0].double().softmax(0)
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_cross_validation_over_texts():
    scores = cross_val_score(quick(), LINES, cv=2)
    assert scores.shape == (2,)
    assert (scores < 0).all()


def test_before_fit_it_says_so():
    for call in (lambda m: m.score("a"), lambda m: m.evaluate("a"), lambda m: m.sample(), lambda m: m.save("x")):
        with pytest.raises(NotFittedError, match="this LanguageModel is not fitted yet"):
            call(LanguageModel())


# --- arguments and files -------------------------------------------------------------------------------------------


def test_arguments_are_stored_as_given_and_copied():
    @cell
    def mine(x, h, *, W, U, b):
        return tanh(W.h @ x + U.h @ h + b.h)

    given = {"cell": mine, "hidden_size": np.int64(7), "random_state": np.random.RandomState(3), "sizes": {}}
    model = LanguageModel(**given)
    assert all(model.get_params()[name] is value for name, value in given.items())
    copied = clone(model.set_params(chunk=8))
    assert (copied.chunk, copied.hidden_size) == (8, 7)
    assert "chunk=8" in repr(copied)
    with pytest.raises(UsageError, match="LanguageModel has no argument 'hidden': did you mean hidden_size"):
        LanguageModel(hidden=64)
    with pytest.raises(UsageError, match="LanguageModel takes its arguments by name"):
        LanguageModel("lstm")


def test_a_saved_model_comes_back_with_its_arguments(trained, tmp_path):
    trained.save(tmp_path / "m.safetensors")
    for again in (LanguageModel.load(tmp_path / "m.safetensors"), load_model(tmp_path / "m.safetensors")):
        assert same(weights(again), weights(trained))
        own = ("random_state", "device")  # of the run, and no part of a model
        kept = {name: value for name, value in trained.get_params().items() if name not in own}
        assert {name: again.get_params()[name] for name in kept} == kept
        assert again.score(TEXT) == trained.score(TEXT)
        assert again.sample("the", length=30, seed=1) == trained.sample("the", length=30, seed=1)


@pytest.mark.parametrize("tokens", ["char", "byte", "jamo", "bpe", "word"])
def test_a_pickled_model_is_the_same(tokens):
    model = quick(tokens=tokens, updates=2).fit(TEXT)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again.score(TEXT) == model.score(TEXT)
        assert again.sample("the", length=10, seed=1) == model.sample("the", length=10, seed=1)


# --- how it is trained ---------------------------------------------------------------------------------------------


def test_the_history_has_a_row_for_each_evaluation_and_callbacks_hear_of_it():
    told = []
    model = quick(evaluate_every=4, callbacks=told.append).fit(TEXT)
    assert told == model.history_
    assert [row["update"] for row in model.history_] == [4, 8, 12]
    assert min(row["validation_loss"] for row in model.history_) == model.outcome_.position.best_loss
    stopped = quick(evaluate_every=4, callbacks=lambda row: row["update"] >= 8).fit(TEXT)
    assert (stopped.outcome_.reason, stopped.outcome_.position.update) == ("callback", 8)


def test_an_optimizer_of_the_users_own(tmp_path):
    def still(parameters):
        return torch.optim.SGD(parameters, lr=1e-12)

    model = quick(optimizer=still).fit(TEXT, run=tmp_path / "a")
    assert not same(weights(model), weights(quick().fit(TEXT)))
    with pytest.raises(UsageError, match="was started with an optimizer of your own, which no file keeps"):
        quick().fit(None, run=tmp_path / "a", resume=True)


def test_a_drawn_seed_is_told_and_repeats_the_training():
    model = quick(random_state=None).fit(TEXT)
    assert same(weights(quick(random_state=model.random_state_).fit(TEXT)), weights(model))


def test_a_warm_start_goes_on_with_the_same_tokens():
    model = quick(warm_start=True, validation_fraction=0.0).fit("abc" * 200)
    before = weights(model)
    model.set_params(updates=1, learning_rate=1e-12, warmup=0, chunk=8).fit("abcd" * 200)
    after = weights(model)
    assert "d" not in model.vocabulary_.to_json()["characters"]
    assert after["token_counts"].tolist() == [200, 400, 400, 400]  # of both texts; the first is the unknown token
    for name in before.keys() - {"token_counts"}:
        torch.testing.assert_close(after[name], before[name])
    with pytest.raises(UsageError, match="weights that were trained with hidden_size=12, not 8"):
        model.set_params(hidden_size=8).fit("abc" * 200)


# --- runs that go on -----------------------------------------------------------------------------------------------

STEADY = {"schedule": "constant", "warmup": 0, "evaluate_every": 4, "dropout": 0.2, "num_layers": 2}


def test_a_run_that_goes_on_is_the_one_that_never_stopped(text, tmp_path):
    whole = quick(**STEADY).fit(TEXT)
    for X in (text, None):  # the texts again, or those of the folder
        folder = tmp_path / ("given" if X else "kept")
        quick(**STEADY, updates=7).fit(TEXT, run=folder)
        model = quick(**STEADY, updates=12).fit(X, run=folder, resume=True)
        assert model.outcome_.position.update == 12
        assert same(weights(model), weights(whole))
        assert model.held_out_.lines() == whole.held_out_.lines()
        assert same(weights(LanguageModel.load(folder)), weights(whole))


def test_a_run_goes_on_with_its_own_seed_where_none_is_asked_for(tmp_path):
    first = quick(**STEADY, random_state=None, updates=7).fit(TEXT, run=tmp_path / "a")
    again = quick(**STEADY, random_state=None, updates=7).fit(TEXT, run=tmp_path / "a", resume=True)
    assert same(weights(again), weights(first))
    assert again.notes_[0].startswith("nothing was left to train: the run has made")


def test_the_curve_callbacks_and_an_optimizer_of_ones_own(tmp_path):
    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)

    rows = []
    settings = {"updates": 12, "evaluate_every": 4, "optimizer": sgd}
    model = quick(**settings, callbacks=lambda row: rows.append(row) or row["update"] == 8)
    model.fit(TEXT, run=tmp_path / "a")
    assert model.outcome_.reason == "callback"
    assert model.history_ == rows
    assert {row["update"] for row in rows} >= {4, 8}
    with pytest.raises(UsageError, match="was started with an optimizer of your own, which no file keeps: give opt"):
        quick(updates=12, evaluate_every=4).fit(TEXT, run=tmp_path / "a", resume=True)
    resumed = quick(**settings).fit(TEXT, run=tmp_path / "a", resume=True)
    assert resumed.history_[: len(rows)] == rows
    assert same(weights(resumed), weights(quick(**settings).fit(TEXT)))
    assert not same(weights(resumed), weights(quick(updates=12, evaluate_every=4).fit(TEXT)))


def test_a_fresh_seed_is_kept():
    one, other = (quick(random_state=None, updates=2).fit(TEXT) for _ in range(2))
    assert one.random_state_ != other.random_state_
    assert same(weights(quick(random_state=one.random_state_, updates=2).fit(TEXT)), weights(one))


def test_a_run_goes_on_as_the_same_job_only(tmp_path):
    quick().fit(TEXT, run=tmp_path / "a")
    may = "it can only go on with the same (only epochs, updates, patience and time_limit may change)"
    started = f"the run {tmp_path / 'a'} was started with"
    for settings, X, what in (
        ({}, TEXT.replace("cat", "cow"), "other data"),
        ({}, LINES, "other data"),
        ({"validation_fraction": 0.2}, TEXT, "other data"),
        ({"chunk": 8}, TEXT, "other settings: chunk was 16 and is 8"),
        ({"cell": "lstm"}, TEXT, "another cell"),
    ):
        with pytest.raises(UsageError) as caught:
            quick(**settings).fit(X, run=tmp_path / "a", resume=True)
        assert str(caught.value) == f"{started} {what}; {may}"
    with pytest.raises(UsageError, match="resume=True goes on with a run: give its folder, run="):
        quick().fit(TEXT, resume=True)
    with pytest.raises(UsageError, match="is not the folder of a run: it has no config"):
        quick().fit(TEXT, run=tmp_path / "b", resume=True)
    assert not (tmp_path / "b").exists()
    with pytest.raises(UsageError, match="already exists and is not empty"):
        quick().fit(TEXT, run=tmp_path / "a")


def test_two_processes_come_to_the_same_model():
    program = Path(__file__).parent / "two_processes.py"
    threads = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, env=threads)
    assert done.returncode == 0, done.stderr
    one, two = sorted(line.split() for line in done.stdout.splitlines() if line[:2] in ("0 ", "1 "))
    assert (one[0], two[0]) == ("0", "1")
    assert one[1:] == two[1:]


def test_a_time_limit_ends_it():
    model = quick(updates=10_000, time_limit=0.5).fit(TEXT)
    assert model.outcome_.reason == "time limit"
    assert model.held_out_ is not None
