"""WordVectors: what it learns, how it is asked, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from loopcell import SequenceClassifier, SequenceTagger, WordVectors, backend, load_model
from loopcell.data import Column, Origin
from loopcell.errors import DataError, FileFormatError, InputError, TrainingError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.core.model_file import MODEL
from loopcell.tasks.word_vectors import learning
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK as QUICK_NETWORK
from tests.tasks.word_vectors.texts import ANIMALS, FOODS, QUICK, sentences

__all__ = ["one_thread"]

KINDS = ({}, {"cbow": True}, {"ngrams": (2, 3), "buckets": 50})


@pytest.fixture(scope="module")
def model():
    return WordVectors(**QUICK).fit(sentences())


@pytest.fixture(scope="module")
def spelled():
    return WordVectors(**QUICK, ngrams=(2, 4), buckets=500).fit(sentences(200))


def separation(model):
    """How much nearer animals are to animals than to foods, and foods to foods."""
    inside = [model.similarity(a, b) for group in (ANIMALS, FOODS) for a in group for b in group if a < b]
    across = [model.similarity(a, b) for a in ANIMALS for b in FOODS]
    return np.mean(inside) - np.mean(across)


@pytest.mark.parametrize("settings", KINDS)
def test_words_among_the_same_words_are_near(settings):
    assert separation(WordVectors(**QUICK, **settings).fit(sentences())) > 0.5


def test_no_text_teaches_nothing():
    shuffled = np.random.default_rng(1).permutation(" ".join(sentences()).split())
    model = WordVectors(**QUICK).fit([" ".join(shuffled[at : at + 5]) for at in range(0, len(shuffled), 5)])
    assert separation(model) < 0.2


def test_the_nearest_words(model):
    near = model.most_similar("cat", count=3)
    assert {word for word, _ in near} <= {*ANIMALS, "runs", "sleeps", "barks", "home"} - {"cat"}
    for word, cosine in near:
        assert cosine == pytest.approx(model.similarity("cat", word), abs=1e-6)
    assert [cosine for _, cosine in near] == sorted((cosine for _, cosine in near), reverse=True)
    assert len(model.most_similar("cat", count=1000)) == len(model.words_) - 1
    assert model.most_similar("cat", count=0) == []


def test_an_analogy_is_a_sum_of_directions(model):
    unit = model.vectors_ / np.linalg.norm(model.vectors_, axis=1, keepdims=True)
    at = model.words_.index
    target = unit[at("dog")] + unit[at("soup")] - unit[at("cat")]
    cosines = unit @ target / np.linalg.norm(target)
    cosines[[at("dog"), at("soup"), at("cat")]] = -2
    best = int(cosines.argmax())
    word, cosine = model.analogy("cat", "dog", "soup", count=1)[0]
    assert (word, cosine) == (model.words_[best], pytest.approx(cosines[best], abs=1e-5))
    assert model.most_similar(["dog", "soup"], "cat") == model.analogy("cat", "dog", "soup")


def test_words_are_numbered_by_how_often_they_are_there(model):
    counts = model.network_.counts.tolist()
    text = " ".join(sentences()).split()
    assert counts == sorted(counts, reverse=True)
    assert counts == [text.count(word) for word in model.words_]
    assert "cat" in model
    assert "unicorn" not in model
    assert 3 not in model


def test_an_unknown_word_is_named_with_those_like_it(model):
    with pytest.raises(InputError, match=r"'hors' is none of the 16 words that have vectors; there is horse"):
        model.vector("hors")
    with pytest.raises(InputError, match="most_similar needs a word"):
        model.most_similar()
    with pytest.raises(InputError, match="a word is a string, not a int"):
        model.vector(3)


def test_an_unknown_word_has_the_vector_of_its_ngrams(spelled):
    subwords = spelled._subwords(spelled)
    rows = spelled.network_.rows[[len(spelled.words_) + bucket for bucket in subwords.of("horses")]]
    assert torch.allclose(torch.from_numpy(spelled.vector("horses")), rows.mean(0))
    near = [word for word, _ in spelled.most_similar("horses", count=3)]
    assert "horse" in near


def test_a_known_words_vector_is_the_mean_of_its_own_and_its_ngrams(spelled):
    number = spelled.words_.index("soup")
    rows = [number, *(len(spelled.words_) + bucket for bucket in spelled._subwords(spelled).of("soup"))]
    assert np.allclose(spelled.vector("soup"), spelled.network_.rows[rows].mean(0), atol=1e-6)
    assert np.allclose(spelled.vectors_[number], spelled.vector("soup"))


def test_one_seed_gives_one_result():
    one, again, other = (WordVectors(**{**QUICK, "random_state": seed}).fit(sentences(100)) for seed in (1, 1, 2))
    assert (one.vectors_ == again.vectors_).all()
    assert (one.vectors_ != other.vectors_).any()


def test_it_draws_from_generators_of_its_own():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    WordVectors(**QUICK).fit(sentences(20))
    assert (torch.random.get_rng_state() == before).all()


def test_texts_and_lists_of_words_are_alike():
    X = sentences(50)
    texts, lists = (WordVectors(**QUICK).fit(given) for given in (X, [text.split() for text in X]))
    assert (lists.vectors_ == texts.vectors_).all()


def test_punctuation_is_cut_off_and_case_is_kept_unless_told():
    text = ["Don't stop, 영화! stop"] * 3
    assert set(WordVectors(**QUICK).fit(text).words_) == {"Don't", "stop", ",", "영화", "!"}
    lower = WordVectors(**QUICK, lower=True).fit(text)
    assert lower.words_of("DON'T") == ["don't"]
    assert "Don't" in lower
    assert lower.similarity("DON'T", "don't") == pytest.approx(1)


def test_rare_words_are_left_out_and_counted():
    model = WordVectors(**{**QUICK, "min_count": 2}).fit(["a b c d", "a b"])
    assert model.words_ == ["a", "b"]
    assert model.notes_ == ["2 words of the text are too rare for a vector and were left out"]
    assert WordVectors(**QUICK, vocabulary_size=3).fit(["a b c d", "a b c"]).words_ == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("X", "complaint"),
    [
        (["a b", None], r"X\[1\]: a text or a list of words was expected, not nothing"),
        (["a b", 5], r"X\[1\]: a text or a list of words was expected, not a int"),
        ([["a", "b"], ["a", 5]], r"X\[1\]: word 1 is a int, not a string"),
        ([], "X is empty"),
        (["a a a", "a"], "of the text's 1 different words 1 are there at least 1 times"),
        (["", " "], "of the text's 0 different words 0 are there"),
    ],
)
def test_what_is_no_text_is_named(X, complaint):
    with pytest.raises(DataError, match=complaint):
        WordVectors(**QUICK).fit(X)


def test_a_row_of_a_file_is_named():
    column = Column(["a b", 7], [Origin("x.csv", 1), Origin("x.csv", 2)])
    with pytest.raises(DataError, match=r"x.csv row 2: a text or a list of words was expected"):
        WordVectors(**QUICK).fit(column)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("vector_size", 0, "vector_size: input should be greater than or equal to 1, got 0"),
        ("window", 0, "window: input should be greater than or equal to 1"),
        ("negatives", 65, "negatives: input should be less than or equal to 64"),
        ("ngrams", (4, 3), "ngrams: n-grams are of 1 to 32 letters, the shortest length first"),
        ("learning_rate", float("inf"), "learning_rate: input should be a finite number"),
        ("subsampling", -1.0, "subsampling: input should be greater than or equal to 0"),
        ("random_state", "x", "random_state: a random state is a whole number"),
    ],
)
def test_an_argument_out_of_its_bounds_is_named(name, value, complaint):
    with pytest.raises(UsageError, match=complaint):
        WordVectors(**{**QUICK, name: value}).fit(["a b"])


def test_a_rate_that_is_too_high_is_an_error_and_leaves_no_model():
    model = WordVectors(**{**QUICK, "learning_rate": 1e30, "epochs": 10})
    with pytest.raises(TrainingError, match="no longer finite: a learning rate of 1e"):
        model.fit(sentences(50))
    with pytest.raises(NotFittedError):
        model.vector("cat")


def test_an_interruption_keeps_what_was_learned(monkeypatch):
    class Interrupting(learning.NumpyTrainer):
        calls = 0

        def learn(self, *arguments):
            type(self).calls += 1
            if self.calls == 2:
                raise KeyboardInterrupt
            super().learn(*arguments)

    monkeypatch.setattr(learning, "NumpyTrainer", Interrupting)
    model = WordVectors(**QUICK)
    with backend("reference"), pytest.raises(KeyboardInterrupt):
        model.fit(sentences(100))
    assert model.outcome_.reason == "interrupted"
    assert model.outcome_.words == 500  # one of four epochs
    assert len(model.most_similar("cat")) == 10


def test_several_workers_learn_the_same_things(monkeypatch):
    monkeypatch.setattr(learning, "BLOCK", 200)
    assert separation(WordVectors(**QUICK, workers=3).fit(sentences())) > 0.5


# --- scikit-learn ----------------------------------------------------------------------------------------------------


def test_arguments_are_stored_as_given_and_copied():
    model = WordVectors(ngrams=(3, 5), random_state=np.random.RandomState(2))
    assert clone(model).get_params()["ngrams"] == (3, 5)
    assert "ngrams=(3, 5)" in repr(model)
    with pytest.raises(NotFittedError):
        model.transform(["a"])


def test_the_mean_of_a_texts_vectors_in_a_pipeline(model):
    found = model.transform(["cat dog", "unicorn", ["soup"]])
    assert np.allclose(found[0], (model.vector("cat") + model.vector("dog")) / 2, atol=1e-6)
    assert not found[1].any()
    assert np.allclose(found[2], model.vector("soup"))
    X = sentences(200)
    y = [any(word in text for word in ANIMALS) for text in X]
    pipeline = make_pipeline(WordVectors(**QUICK), LogisticRegression()).fit(X[:100], y[:100])
    assert pipeline.score(X[100:], y[100:]) > 0.95


def test_neighbours_are_told_from_words_of_elsewhere(model):
    table = model.evaluate(sentences(100, seed=5))
    assert list(table.rows) == ["model", "the more frequent"]
    assert table.model["told from noise"] > 0.65  # half of the other words are of the same group
    assert table.rows["the more frequent"]["told from noise"] == pytest.approx(0.5, abs=0.02)
    with pytest.raises(DataError, match="no two words that have vectors stand beside each other"):
        model.evaluate(["cat", "unicorn"])


def test_described_as_json(model):
    one, none = model.predict_records(["cat", "unicorn"])
    assert next(iter(one["nearest"])) == "cat"
    assert np.allclose(one["vector"], model.vector("cat"))
    assert none == {"nearest": {}, "vector": [0.0] * 12}


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [*KINDS, {"ngrams": (1, 2), "jamo": True, "lower": True}])
def test_a_loaded_model_is_the_saved_one(settings, tmp_path):
    model = WordVectors(**QUICK, **settings).fit(sentences(30))
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert type(again) is WordVectors
    assert again.words_ == model.words_
    assert (again.vectors_ == model.vectors_).all()
    assert again.evaluate(sentences(20)).rows == model.evaluate(sentences(20)).rows
    kept = {**model.get_params(), "ngrams": again.ngrams, "random_state": None}  # the seed is `random_state_`
    assert again.get_params() == kept
    assert again.random_state_ == model.random_state_ == 1


def shorter(facts, tensors):
    facts["learned"]["input"]["words"].pop()


def another_size(facts, tensors):
    facts["config"]["vector_size"] = 13


def twice(facts, tensors):
    facts["learned"]["input"]["words"][1] = facts["learned"]["input"]["words"][0]


def no_contexts(facts, tensors):
    del tensors["contexts"]


def many_buckets(facts, tensors):
    facts["config"].update(ngrams=[1, 2], buckets=1 << 24)


def a_cell(facts, tensors):
    facts["config"]["hidden_size"] = 4


@pytest.mark.parametrize("change", [shorter, another_size, twice, no_contexts, many_buckets, a_cell])
def test_a_damaged_file_is_refused(model, change, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    content = read_tensor_file(path, MODEL)
    facts, tensors = dict(content.facts), dict(content.tensors)
    change(facts, tensors)
    write_tensor_file(path, MODEL, TensorFile(tensors, facts))
    with pytest.raises(FileFormatError, match=r"m.safetensors is damaged"):
        load_model(path)


# --- other estimators ------------------------------------------------------------------------------------------------


def test_a_classifier_begins_with_ready_vectors_and_knows_words_that_it_never_saw(model, tmp_path):
    """Trained on cats and bread alone, with frozen vectors, it knows what a horse and a soup are."""
    X = ["cat runs", "dog sleeps", "cat home", "bread hot", "cheese plate", "bread eaten"] * 10
    y = ["animal", "animal", "animal", "food", "food", "food"] * 10
    settings = {**QUICK_NETWORK, "epochs": 10, "validation_fraction": 0}
    classifier = SequenceClassifier(**settings, embedding=model.as_embedding(frozen=True)).fit(X, y)
    assert classifier.predict(["horse", "cow", "soup", "apple"]).tolist() == ["animal", "animal", "food", "food"]
    weight = classifier.network_.reader.first.embedding.weight
    assert (weight[1:].detach().numpy() == model.vectors_).all()
    classifier.save(tmp_path / "c.safetensors")
    again = load_model(tmp_path / "c.safetensors")
    assert again.embedding is None
    assert (again.predict_proba(["horse soup", "unicorn"]) == classifier.predict_proba(["horse soup", "unicorn"])).all()


def test_unfrozen_vectors_are_learned_further_and_the_given_ones_stay(model):
    ready = model.as_embedding()
    tagger = SequenceTagger(**QUICK_NETWORK, epochs=2, embedding=ready)
    X = [text.split() for text in sentences(40)]
    tagger.fit(X, [["animal" if word in ANIMALS else "other" for word in words] for words in X])
    assert (tagger.network_.reader.first.embedding.weight[1:].detach().numpy() != model.vectors_).any()
    assert (ready.vectors == model.vectors_).all()
    assert clone(tagger).get_params()["embedding"].words == ready.words
    assert repr(ready) == "ReadyVectors(16 words, 12 numbers each)"


def test_the_estimator_itself_is_no_embedding(model):
    with pytest.raises(InputError, match=r"takes what WordVectors.as_embedding\(\) gives, not a WordVectors"):
        SequenceClassifier(**QUICK_NETWORK, epochs=1, embedding=model).fit(["a", "b"], ["x", "y"])


def test_there_is_no_layer_to_look_into(model):
    with pytest.raises(UsageError, match=r"no recurrent layer to look into: see .* most_similar\(word\)"):
        model.inspect(ANIMALS[0])
