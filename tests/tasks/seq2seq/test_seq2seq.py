from __future__ import annotations

import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from sacrebleu import corpus_bleu
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from loopcell import Seq2Seq, WordVectors, cell, load_model, tanh
from loopcell.errors import DataError, FileFormatError, InputError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.core.estimator import IGNORED, SequenceBatch, as_pair
from loopcell.tasks.core.model_file import MODEL
from loopcell.tasks.seq2seq.decoding import longest_unasked
from loopcell.tasks.seq2seq.scoring import Limits
from loopcell.tasks.seq2seq.search import beam_search
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, put, reversals, waves

__all__ = ["one_thread"]

SMALL = {**QUICK, "hidden_size": 32, "embedding_size": 16, "beam": 3}


@pytest.fixture(scope="module")
def model():
    return Seq2Seq(**SMALL, epochs=20, patience=None).fit(*reversals())


@pytest.fixture(scope="module")
def plain():
    return Seq2Seq(**SMALL, epochs=2, attention="none").fit(*reversals(60))


def test_it_learns_to_write_another_sequence(model):
    X, y = reversals(60, seed=5)
    given = model.predict(X)
    assert sum(a == b for a, b in zip(given, y, strict=True)) > 50
    assert model.predict(["ab"]) == ["BA"]


@pytest.mark.parametrize("attention", ["none", "dot", "general", "additive"])
def test_nothing_to_read_is_answered_alone_as_beside_others(attention):
    model = Seq2Seq(**SMALL, epochs=1, attention=attention).fit(*reversals(60))
    beside = model.predict(["abab", ""])[1]
    assert model.predict([""]) == [beside]
    assert model.predict(["", ""]) == [beside, beside]
    if attention != "none":
        assert model.attention_map("").weights.shape[1] == 0


def test_vectors_of_words_serve_the_input_and_not_the_targets():
    X = ["red car", "blue car", "red sky", "blue sky"] * 10
    ready = WordVectors(vector_size=8, min_count=1, epochs=1).fit(X).as_embedding()
    model = Seq2Seq(**SMALL, epochs=1, embedding=ready).fit(X, [text.upper() for text in X])
    assert model.network_.reader.first.output_size == 8
    assert len(model.predict(["red unheard"])) == 1


@pytest.mark.parametrize("attention", ["none", "dot", "additive"])
def test_every_attention_learns_and_comes_back_from_a_file(attention, tmp_path):
    X, y = reversals(200)
    settings = {**SMALL, "attention": attention, "num_layers": 2, "cell": "lstm", "dropout": 0.1}
    model = Seq2Seq(**settings, epochs=6, patience=None).fit(X, y)
    first = Seq2Seq(**settings, epochs=1, patience=None).fit(X, y)
    assert model.outcome_.position.best_loss < 0.8 * first.outcome_.position.best_loss
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert again.predict(X[:20]) == model.predict(X[:20])
    assert again.get_params()["attention"] == attention


def test_a_cell_of_ones_own_arrays_in_and_lists_of_tokens_out():
    @cell
    def mine(x, h, *, W, U, b):
        return tanh(W.h @ x + U.h @ h + b.h)

    X, levels = waves(100)
    y = [["the", "level", "is", str(level)] for level in levels]
    model = Seq2Seq(**{**SMALL, "cell": mine, "bidirectional": False}, epochs=15).fit(X, y)
    given = model.predict(X)
    assert sum(a == b for a, b in zip(given, y, strict=True)) > 85
    assert "copy" not in model.evaluate(X[:5], y[:5]).rows
    assert model.attention_map(X[0]).source == [str(step) for step in range(len(X[0]))]


def test_the_loss_is_that_of_the_tokens_one_by_one(model):
    """One call over a whole target, against reading and scoring token by token."""
    examples = model._examples(*model.parts(*reversals(8, seed=2))[0])
    batch = examples.batch(np.arange(len(examples)))
    with torch.no_grad():
        loss = model.network_.loss(batch)
        encoded = model.network_.encode(batch.inputs, batch.lengths)
        tokens, total, count = torch.full((len(examples),), model.target_.size), 0.0, 0
        for target in batch.targets:
            found, encoded = model.network_.decoder.step(tokens, encoded)
            known = target != IGNORED
            total -= float(found[known].gather(1, target[known, None]).sum())
            count += int(known.sum())
            tokens = target.where(known, torch.tensor(model.target_.size))
    assert loss.predictions == count
    assert float(loss.total) == pytest.approx(total, rel=1e-4)


def test_padding_changes_nothing(model):
    X, _ = reversals(20, seed=3)
    assert model.predict([*X, "abcdabcdabcd"])[:-1] == [model.predict([x])[0] for x in X]


def test_candidates_are_sorted_and_true_to_their_probability(model):
    (found,) = model.candidates(["abc"])
    assert len(found) == 3
    assert len({one.text for one in found}) == 3
    assert found[0].text == model.predict(["abc"])[0]
    examples = model._examples(*model.parts(["abc"] * 3, [one.text for one in found])[0])
    with torch.no_grad():
        for at, one in enumerate(found):
            log_probability, _ = model.network_.scored(examples.batch(np.array([at])))
            assert float(log_probability.sum()) == pytest.approx(one.log_probability, abs=1e-3)


def test_draws_have_a_seed_and_a_temperature(model):
    one, other = (model.sample(["abcd"], 5, choice=SamplingConfig(temperature=3.0), seed=seed) for seed in (1, 2))
    assert one == model.sample(["abcd"], 5, choice=SamplingConfig(temperature=3.0), seed=1)
    assert one != other
    cold = model.sample(["abcd"], 2, choice=SamplingConfig(temperature=0.0))[0]
    assert [found.text for found in cold] == clone_with(model, beam=1).predict(["abcd"]) * 2


def clone_with(model, **settings):
    """The model with other settings, its network shared."""
    other = clone(model).set_params(**settings)
    for name in ("network_", "target_", "input_", "longest_"):
        setattr(other, name, getattr(model, name))
    return other


def half_trained(tokens):
    """Copying words, as a network does it that has not learned it well: what is likely at first is no answer."""
    X, _ = reversals(60, seed=11)
    texts = [" ".join(text) for text in X] if tokens == "word" else X
    return Seq2Seq(**{**SMALL, "batch_size": 4, "tokens": tokens}, epochs=3).fit(texts, texts), texts[:16]


@pytest.mark.parametrize("tokens", ["char", "word"])
def test_no_beam_and_no_setting_finds_less_than_greedy_search(tokens):
    model, X = half_trained(tokens)
    for setting in ({}, {"length_penalty": 0.0}, {"length_penalty": 3.0, "max_length": 6}, {"ngram_block": 2}):
        greedy = best_scores(model, X, beam=1, **setting)
        for beam in (2, 5):
            assert (best_scores(model, X, beam=beam, **setting) >= greedy - 1e-5).all(), (setting, beam)


@torch.inference_mode()
def best_scores(model, X, **settings):
    """The length-penalised score of what is written to each input."""
    other, found = clone_with(model, **settings), []
    for _, batch in other._batches(other._unlabelled(X)):
        encoded = other.network_.encode(batch.inputs, batch.lengths)
        answers = beam_search(other.network_.decoder.step, encoded, other._decoding_config())
        found += [some[0].score(other.length_penalty) for some in answers]
    return np.array(found)


def test_two_pairs_learned_by_heart_are_written_with_any_beam():
    model = Seq2Seq(**{**SMALL, "label_smoothing": 0.0}, epochs=60, validation_fraction=0.0)
    model.fit(["a", "b"] * 4, ["x", "abcd"] * 4)
    for beam in (1, 2, 5, 20):
        assert clone_with(model, beam=beam).predict(["b", "a"]) == ["abcd", "x"]
    assert clone_with(model, beam=1).candidates(["b"])[0][0].log_probability == pytest.approx(
        clone_with(model, beam=5).candidates(["b"])[0][0].log_probability, abs=1e-4
    )


def test_so_many_answers_as_are_asked_for(model):
    (five,) = model.candidates(["abc"], 5)  # of a beam of 3
    assert len(five) == len({one.text for one in five}) == 5
    assert model.candidates(["abc"], 1)[0] == model.candidates(["abc"])[0][:1]
    assert [some[0].text for some in model.candidates(["abc", "d"], 2)] == model.predict(["abc", "d"])
    for n, complaint in ((0, "n: at least one answer has to be asked for, got 0"), (1001, "n: at most 1,000 answers")):
        with pytest.raises(UsageError, match=complaint):
            model.candidates(["abc"], n)


def test_answers_of_one_text_are_one_answer():
    """Pieces can spell a word in several ways."""
    X = ["ab", "abab", "ba"] * 20
    settings = {**SMALL, "tokens": "bpe", "vocabulary_size": 260, "beam": 20, "max_length": 4}
    model = Seq2Seq(**settings, epochs=1).fit(X, X)
    found = model.candidates(["ab"])[0]
    assert len({one.text for one in found}) == len(found)
    rows = model._written(["ab"], model._decoding_config(), beam_search)[0]
    assert len({one.text for one in rows}) < len(rows) == 20  # so there was something to leave out


def test_a_shortest_answer_holds_and_cannot_be_longer_than_the_longest(model):
    assert all(len(text) >= 4 for text in clone_with(model, min_length=4).predict(["ab", "c", ""]))
    assert all(len(one.text) >= 4 for one in clone_with(model, min_length=4).sample(["ab"], 5, seed=0)[0])
    with pytest.raises(UsageError, match=r"min_length: an answer has at most 3 tokens here \(max_length\), got 4"):
        clone_with(model, min_length=4, max_length=3).predict(["ab"])


def test_a_part_of_the_pairs_is_scored_where_that_is_asked_for(model, capsys):
    X, y = reversals(60, seed=6)
    some = model.evaluate(X, y, limits=Limits(pairs=20))
    assert some.data == "20 of 60 pairs, drawn at random"
    assert some == model.evaluate(X, y, limits=Limits(pairs=20))
    everything = model.evaluate(X, y)
    assert everything.data == "60 pairs"
    assert model.evaluate(X, y, limits=Limits(pairs=60)).model == pytest.approx(everything.model)
    late = model.evaluate(X, y, limits=Limits(pairs=50, seconds=0.0))
    assert late.data == "8 of 60 pairs, drawn at random, as many as the time limit left"
    _, rest = clone_with(model).parts(X, y)  # parts know their examples by number
    assert model.evaluate(*rest, limits=Limits(pairs=6)).model == pytest.approx(model.evaluate(*rest).model)
    assert capsys.readouterr().err == ""


def test_a_file_that_promises_endless_answers_is_bounded(model, tmp_path, monkeypatch):
    model.save(tmp_path / "model.safetensors")
    monkeypatch.setenv("LOOPCELL_LONGEST_ANSWER", "2")
    said = model.predict(["abcd"])
    assert len(said[0]) > 2  # what was trained here may write as long as its training data are
    loaded = load_model(tmp_path / "model.safetensors")
    likeliest = SamplingConfig(temperature=0.01)  # a draw of any other token may end the answer in time
    for write in (loaded.predict, partial(loaded.sample, choice=likeliest, seed=0)):
        with pytest.raises(InputError, match="an answer has 2 tokens and does not end: give max_length"):
            write(["abcd"])
    monkeypatch.setenv("LOOPCELL_LONGEST_ANSWER", "40")
    assert loaded.predict(["abcd"]) == said
    assert [longest_unasked(beam) for beam in (1, 5, 64, 128, 1000)] == [40, 40, 40, 20, 2]
    with pytest.raises(InputError, match="an answer has 2 tokens and does not end"):
        loaded.set_params(beam=1000).predict(["abcd"])  # wide as it may be only by what a file says


def test_longest_and_blocks_hold(model):
    assert all(len(text) <= 2 for text in clone_with(model, max_length=2).predict(["abcd", "dcba"]))
    once = clone_with(model, ngram_block=1).predict(["aabb", "cccc"])
    assert all(len(set(text)) == len(text) for text in once)
    for setting, complaint in (
        ({"beam": 0}, "beam: input should be greater than or equal to 1, got 0"),
        ({"length_penalty": -0.5}, "length_penalty: input should be greater than or equal to 0, got -0.5"),
        ({"length_penalty": math.inf}, "length_penalty: input should be"),
        ({"length_penalty": math.nan}, "length_penalty: input should be"),
        ({"length_penalty": 1001}, "length_penalty: input should be less than or equal to 1000, got 1001"),
    ):
        with pytest.raises(UsageError, match=complaint):
            clone_with(model, **setting).predict(["ab"])
    assert len(clone_with(model, length_penalty=1000).predict(["ab"])[0]) == model._decoding_config().max_length


def test_attention_looks_backwards_at_what_it_reverses(model):
    found = model.attention_map("abcd")
    assert (found.source, found.target) == (list("abcd"), [*"DCBA", "■"])
    assert found.weights.sum(1) == pytest.approx(np.ones(5))
    with pytest.raises(UsageError, match="this model has no attention"):
        Seq2Seq(**SMALL, epochs=1, attention="none").fit(*reversals(20)).attention_map("ab")


def test_the_table_has_metrics_beside_baselines(model):
    X, y = reversals(40, seed=6)
    words = [" ".join(text) for text in y]
    model = Seq2Seq(**SMALL, epochs=2).fit(*(pair := ([" ".join(text) for text in X], words)))
    table = model.evaluate(*pair, training=pair)
    assert list(table.rows) == ["model", "copy", "most frequent"]
    assert table.model["BLEU"] == pytest.approx(corpus_bleu(model.predict(pair[0]), [words]).score)
    assert table.model["BLEU"] == pytest.approx(model.score(*pair))
    assert table.rows["copy"]["BLEU"] == pytest.approx(corpus_bleu(pair[0], [words]).score)
    assert table.rows["most frequent"]["exact match"] == max(words.count(text) for text in words) / 40
    examples = model._examples(*as_pair(*pair))
    with torch.no_grad():
        loss = model.network_.loss(examples.batch(np.arange(len(examples))))
    assert table.model["perplexity"] == pytest.approx(math.exp(float(loss.total) / loss.predictions), rel=1e-3)


def test_words_that_only_the_held_out_part_has_are_unknown_and_never_written():
    X, y = reversals(40)
    model = Seq2Seq(**SMALL, epochs=1).fit(X, y, validation=(["xyz"], ["ZYX"]))
    assert model.target_.size == 5  # A to D and what is not known
    assert model.input_.unknown(["abx"]) == 1
    assert not {"\ufffd", "X"} & set("".join(model.predict(["xyz", "xxxx"])))


def test_teacher_forcing_falls_and_whole_targets_stay_one_call(monkeypatch):
    X, y = reversals(96)
    model = Seq2Seq(**SMALL, epochs=2, teacher_forcing=0.25, validation_fraction=0.0)
    calls, shares = [], []
    from loopcell.tasks.seq2seq.decoder import Decoder
    from loopcell.tasks.seq2seq.network import DecodingNetwork

    forward, mixed = Decoder.forward, DecodingNetwork._mixed

    def counting(self, tokens, *given):
        calls.append(len(tokens))
        return forward(self, tokens, *given)

    def watched(self, tokens, encoded, lengths):
        found = mixed(self, tokens, encoded, lengths)
        shares.append(float((found == tokens).float().mean()))
        return found

    monkeypatch.setattr(Decoder, "forward", counting)
    monkeypatch.setattr(DecodingNetwork, "_mixed", watched)
    model.fit(X, y)
    assert len(calls) == 2 * 6  # two calls for each of six batches
    assert int(model.network_.updates) == model.network_.total_updates == 6
    assert shares[-1] < shares[0]


def test_with_its_own_words_in_place_of_all_it_reads_what_it_would_have_written(model):
    examples = model._examples(*model.parts(*reversals(16, seed=9))[0])
    batch: SequenceBatch = examples.batch(np.arange(len(examples)))
    network = model.network_
    network._last_share, network.total_updates = 0.0, 1
    try:
        with torch.no_grad():
            encoded = network.encode(batch.inputs, batch.lengths)
            tokens = network._shifted(batch.targets)
            mixed = network._mixed(tokens, encoded, (batch.targets != IGNORED).sum(0))
            own = network.decoder.scores(network.decoder(tokens, encoded).vectors).argmax(-1)
    finally:
        network._last_share = 1.0
    known = (batch.targets != IGNORED)[:-1]
    assert torch.equal(mixed[0], tokens[0])
    assert torch.equal(mixed[1:][known], own[:-1][known])


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed", "bf16-true"])
def test_every_precision_trains_and_writes(precision):
    X, y = reversals(40)
    model = Seq2Seq(**SMALL, epochs=1, precision=precision).fit(X, y)
    assert len(model.predict(X)) == 40
    with pytest.raises(UsageError, match="n: at least one answer has to be asked for, got 0"):
        model.sample(X, 0)


def test_a_grid_search_and_numbers_of_beams():
    X, y = reversals(40)
    spaced = [" ".join(text) for text in y]
    search = GridSearchCV(Seq2Seq(**SMALL, epochs=1), {"beam": [1, 2]}, cv=2).fit(X, spaced)
    assert search.best_params_["beam"] in (1, 2)


@pytest.mark.parametrize(
    ("X", "y", "complaint"),
    [
        (["ab", "cd"], ["x"], "X has 2 examples and y has 1"),
        (["ab", "cd"], ["x", None], r"y\[1\]: a text was expected, as in the first example, not nothing"),
        (["ab", None], ["x", "y"], r"X\[1\]: a text was expected, as in the first example, not nothing"),
        (["ab", "cd"], [np.zeros(3), np.zeros(2)], r"y\[0\]: a text or a list of tokens was expected"),
        (["ab", "cd"], [["x"], [3]], r"y\[1\]: token 0 is a int, not a string"),
        (["ab", "cd"], ["", ""], "there is no text to build a vocabulary from"),
    ],
)
def test_bad_pairs_are_named(X, y, complaint):
    with pytest.raises(DataError, match=complaint):
        Seq2Seq(**SMALL, epochs=1, validation_fraction=0.0).fit(X, y)


def test_empty_ones_are_counted_and_said():
    model = Seq2Seq(**SMALL, epochs=1, validation_fraction=0.0).fit(["ab", "", "cd", ""], ["x", "y", "", "z"])
    assert model.notes_ == ["2 of 4 training inputs are empty", "1 of 4 training targets are empty"]
    assert len(model.predict(["", "ab"])) == 2


def test_settings_that_do_not_fit():
    with pytest.raises(UsageError, match="attention: input should be 'none', 'dot', 'general' or 'additive'"):
        Seq2Seq(**SMALL, attention="sideways").fit(*reversals(10))
    with pytest.raises(UsageError, match="unknown kind of tokens 'syllable'"):
        Seq2Seq(**SMALL, target_tokens="syllable").fit(*reversals(10))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (put("learned", "longest", value="many"), "its longest target is not a number of tokens"),
        (put("learned", "longest", value=-4), "its longest target is not a number of tokens"),
        (put("learned", "target", value=None), "its input is of no known kind"),
        (put("learned", "target", value={"kind": "array", "input_size": 4}), "its targets are not texts"),
        (put("config", "attention", value="eval"), "attention: input should be"),
        (put("config", "beam", value=10**9), "beam: input should be less than or equal to 1000"),
        (lambda f, t: t.pop("decoder.head.bias"), "it lacks the tensor decoder.head.bias"),
        (put("learned", "target", "vocabulary", "characters", value=["A"]), "should be of shape"),
    ],
)
def test_damaged_and_hostile_files_are_refused_in_one_sentence(plain, tmp_path, change, complaint):
    path = tmp_path / "m.safetensors"
    plain.save(path)
    content = read_tensor_file(path, MODEL)
    facts, tensors = json.loads(json.dumps(content.facts)), dict(content.tensors)
    change(facts, tensors)
    write_tensor_file(path, MODEL, TensorFile(tensors, facts))
    with pytest.raises(FileFormatError) as caught:
        load_model(path)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_numbers_give_no_answers(plain, tmp_path):
    path = tmp_path / "m.safetensors"
    plain.save(path)
    content = read_tensor_file(path, MODEL)
    spoiled = {name: tensor * float("nan") if "head" in name else tensor for name, tensor in content.tensors.items()}
    write_tensor_file(path, MODEL, TensorFile(spoiled, content.facts))
    with pytest.raises(InputError, match="its weights are damaged"):
        load_model(path).predict(["ab"])
