"""What may be X: texts, lists of tokens, arrays, files; and what is refused, with the name of the example."""

from __future__ import annotations

import wave

import numpy as np
import pytest
import torch

from loopcell import SequenceClassifier
from loopcell.data import Column, ImagePixels, LogMel, Origin, RawAudio, read
from loopcell.errors import DataError
from loopcell.tasks.core.inputs import ArrayInput, TextInput, TokenInput, input_from_json, learn_input
from loopcell.tasks.core.settings import NetworkSettings
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]

SETTINGS = NetworkSettings(embedding_size=5)


@pytest.mark.parametrize(
    ("X", "kind", "lengths"),
    [
        (["ab", "", "abc"], TextInput, [2, 0, 3]),
        (np.array(["ab", "abc"]), TextInput, [2, 3]),
        ([[], ["a", "cat"]], TokenInput, [0, 2]),
        ([("a",), ["b", "c"]], TokenInput, [1, 2]),
        ([[1.0, 2.0], [3.0]], ArrayInput, [2, 1]),
        (np.zeros((3, 4)), ArrayInput, [4, 4, 4]),
        (np.zeros((3, 4, 2)), ArrayInput, [4, 4, 4]),
        ([np.zeros((2, 3)), [], torch.zeros(1, 3)], ArrayInput, [2, 0, 1]),
    ],
)
def test_the_first_example_tells_the_kind(X, kind, lengths):
    found = learn_input(X, SETTINGS)
    assert type(found) is kind
    assert found.sequences(X).lengths.tolist() == lengths
    layer = found.first_layer(SETTINGS)
    longest = found.sequences(X)[int(np.argmax(lengths))]
    given = layer(torch.from_numpy(np.asarray(longest)).unsqueeze(1))
    assert given.shape == (max(lengths), 1, layer.output_size)
    again = input_from_json(found.to_json())
    assert [row.tolist() for row in again.each(X)] == [row.tolist() for row in found.each(X)]


@pytest.mark.parametrize("tokens", ["char", "byte", "jamo", "bpe", "word"])
def test_every_kind_of_token(tokens):
    X = ["값이 싸다 참", "the cat sat on the mat"] * 20
    found = learn_input(X, NetworkSettings(tokens=tokens, vocabulary_size=300 if tokens == "bpe" else None))
    ids = next(found.each(X))
    assert found.vocabulary.decode(ids) == X[0]
    assert found.unknown(["ξ"]) == (0 if tokens in ("byte", "bpe") else 1)


def test_a_vocabulary_may_be_bounded():
    X = [["a", "a", "a", "b", "b", "c"]]
    found = learn_input(X, NetworkSettings(vocabulary_size=3))
    assert found.tokens == ["a", "b"]
    assert next(found.each(X)).tolist() == [1, 1, 1, 2, 2, 0]


@pytest.mark.parametrize(
    ("X", "complaint"),
    [
        (["a", 5], "X[1]: a text was expected, as in the first example, not a int"),
        ([None, "a"], "X[0] is nothing: every example needs a sequence"),
        ([["a"], "b"], "X[1]: a list of tokens was expected, not a str"),
        ([["a"], ["b", 3]], "X[1]: token 1 is a int, not a string"),
        ([[1.0], "b"], "X[1]: an array of numbers was expected, as in the first example, not a text"),
        ([[1.0], [[[1.0]]]], "X[1] has the shape [1, 1, 1]; a sequence is [T, I], or [T] of one value per step"),
        ([[1.0], [float("inf")]], "X[1] has an infinite value at step 1"),
    ],
)
def test_an_example_of_another_kind_is_named(X, complaint):
    with pytest.raises(DataError) as caught:
        list(learn_input(X, SETTINGS).each(X))
    assert str(caught.value) == complaint


def test_a_row_of_a_file_is_named_as_such():
    X = Column(["a", None], [Origin("t.tsv", 1, 2), Origin("t.tsv", 2, 3)], "text")
    with pytest.raises(DataError, match=r"^t.tsv row 2 \(line 3\): a text was expected"):
        SequenceClassifier(**QUICK, validation_fraction=0).fit(X, ["x", "y"])


def test_whole_tokens_are_dropped_in_training_and_never_after():
    layer = learn_input(["abcd"], NetworkSettings(embedding_size=3, token_dropout=0.5)).first_layer(
        NetworkSettings(embedding_size=3, token_dropout=0.5)
    )
    ids = torch.ones(200, 50, dtype=torch.int64)
    torch.manual_seed(0)
    given = layer(ids)
    zeros = (given == 0).all(-1)
    assert zeros.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(given[~zeros], layer.embedding(ids)[~zeros])  # what stays is not scaled
    assert torch.equal(layer.eval()(ids), layer.embedding(ids))


def ngram_layer(longest, **settings):
    settings = NetworkSettings(embedding_size=3, ngrams=longest, **settings)
    torch.manual_seed(0)
    layer = learn_input(["abcd"], settings).first_layer(settings)
    assert torch.equal(layer.ngrams.weight, torch.zeros_like(layer.ngrams.weight))
    torch.nn.init.normal_(layer.ngrams.weight)
    return layer


def test_a_step_reads_the_tokens_before_it_and_no_others():
    layer = ngram_layer(3)
    ids = torch.tensor([[1, 2, 3, 4, 2, 3, 4, 1]]).T
    given, alone = layer(ids)[:, 0], layer.embedding(ids)[:, 0]
    assert torch.equal(layer(ids[:4])[:, 0], given[:4])  # what comes later changes nothing
    assert torch.equal(given[3], given[6])  # 2, 3, 4
    assert not torch.allclose(given[1] - alone[1], given[4] - alone[4])  # 1, 2 and 3, 4, 2
    extra = given - alone
    changed = layer(torch.tensor([[4, 1, 2, 3, 4, 2, 3, 4]]).T)[:, 0]
    assert torch.equal(changed[3:], given[2:7])  # the same three tokens at another place
    assert not torch.equal(changed[2], given[1])  # 4, 1, 2 is not the beginning and 1, 2
    assert len(torch.unique(extra, dim=0)) == 7


def test_sequences_shorter_than_an_ngram_are_read():
    layer = ngram_layer(8)
    assert layer(torch.ones(1, 2, dtype=torch.int64)).shape == (1, 2, 3)
    assert layer(torch.ones(0, 2, dtype=torch.int64)).shape == (0, 2, 3)


def test_an_ngram_with_a_dropped_token_is_dropped():
    layer = ngram_layer(2, token_dropout=0.5)
    ids = torch.ones(400, 50, dtype=torch.int64)
    kept = (layer(ids) != 0).any(-1)
    pair = layer.eval()(ids)[1, 0]
    full = (layer.train()(ids) == pair).all(-1)[1:]
    assert kept.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert full.float().mean().item() == pytest.approx(0.25, abs=0.02)


# --- files -----------------------------------------------------------------------------------------------------------


def tone(path, hertz, rate=8000, seconds=0.1):
    samples = (8000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture
def tones(tmp_path):
    pytest.importorskip("soundfile")
    for name, hertz in (("low", 300), ("high", 1500)):
        (tmp_path / name).mkdir()
        for number in range(12):
            tone(tmp_path / name / f"{number}.wav", hertz + 10 * number, seconds=0.05 + 0.01 * number)
    return tmp_path


def test_a_folder_of_sounds_in_class_folders(tones, tmp_path):
    X, y = read(tones).load("path", "label")
    model = SequenceClassifier(**QUICK, epochs=8).fit(X, y)
    assert model.input_.features == LogMel(8000)
    assert model.score(X, y) == 1.0
    assert model.evaluate(X, y, training=(X, y)).rows["summary logistic"]["accuracy"] == 1.0
    model.save(tmp_path / "m.safetensors")
    assert (SequenceClassifier.load(tmp_path / "m.safetensors").predict(X) == model.predict(X)).all()


def test_features_that_are_asked_for(tones):
    X, y = read(tones).load("path", "label")
    model = SequenceClassifier(**QUICK, epochs=1, features=RawAudio(8000)).fit(X, y)
    assert model.input_.sequences(X)[0].shape == (400, 1)
    pixels = np.random.default_rng(0).integers(0, 255, (10, 4, 3), dtype=np.uint8)
    model = SequenceClassifier(**QUICK, epochs=1, features=ImagePixels(4, 3)).fit(pixels, [0, 1] * 5)
    assert model.input_.sequences(pixels)[0].shape == (12, 1)
    assert model.input_.scale.mean.tolist() == [0.0]  # pixels stay between 0 and 1


def test_a_file_that_is_neither_sound_nor_image_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=r"a.csv is neither a sound nor an image"):
        SequenceClassifier(**QUICK).fit([tmp_path / "a.csv"] * 2, ["x", "y"])


def test_texts_that_name_sounds_which_are_there_are_sounds(tmp_path):
    pytest.importorskip("soundfile")
    X = [str(tmp_path / f"{at}.wav") for at in range(2)]
    for name in X:
        tone(name, 440)
    assert learn_input(X, SETTINGS).features == LogMel(8000)
    for text in ("the file is x.wav", "x.wav", "\0.wav", "a" * 5000 + ".wav"):
        assert type(learn_input([text, "b"], SETTINGS)) is TextInput
