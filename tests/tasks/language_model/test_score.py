from __future__ import annotations

import lzma
import math

import numpy as np
import pytest
import torch

from loopcell.data import BpeVocabulary, ByteVocabulary, CharVocabulary, JamoVocabulary
from loopcell.data.text import Source
from loopcell.errors import DataError
from loopcell.tasks.language_model.baselines import lzma_bits, unigram_nats
from loopcell.tasks.language_model.score import score_sources
from tests.tasks.language_model.untrained import network

KOREAN = "나는 학교에 갑니다. 너는 집에 있어요.\n" * 20


def uniform_model(vocabulary):
    """A model that gives every token the same probability."""
    model = network(vocabulary, cell="rnn", hidden_size=2, num_layers=1).eval()
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.zero_()
    return model


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def score_files(model, paths):
    return score_sources(model, [Source(path) for path in paths])


def test_unigram_by_hand():
    # counts 3, 1, 0 and one added to each: probabilities 4/7, 2/7, 1/7
    found = unigram_nats(np.array([3, 1, 0]), np.array([2, 0, 1]))
    assert found == pytest.approx(-(2 * math.log(4 / 7) + math.log(1 / 7)) / 3)


def test_lzma_is_the_size_that_the_standard_library_gives():
    data = KOREAN.encode()
    expected = 8 * len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    assert lzma_bits([data[:100], data[100:]]) == expected


@pytest.mark.parametrize("kind", [CharVocabulary, ByteVocabulary, JamoVocabulary, BpeVocabulary])
def test_a_uniform_model_costs_the_logarithm_of_the_vocabulary_per_token(tmp_path, kind):
    vocabulary = kind.build([KOREAN], 300 if kind is BpeVocabulary else None)
    tokens = len(vocabulary.encode(KOREAN))
    score = score_files(uniform_model(vocabulary), [write(tmp_path / "t", KOREAN)])
    assert score.tokens == tokens
    assert score.facts.units == len(KOREAN)
    assert score.facts.unit == "char"
    assert score.nats_per_token == pytest.approx(math.log(len(vocabulary)), abs=1e-5)
    assert score.perplexity == pytest.approx(len(vocabulary), rel=1e-4)
    assert score.bits == pytest.approx(math.log2(len(vocabulary)) * tokens / len(KOREAN), abs=1e-5)
    assert score.unigram_bits == pytest.approx(score.bits, abs=1e-5)  # nothing was counted
    assert score.lzma_bits == lzma_bits([KOREAN.encode()]) / len(KOREAN)


def test_the_state_is_carried_through_the_whole_text(model, tmp_path):
    """Longer than a chunk: the figure is that of one pass over everything."""
    made = model.network_
    text = ("the cat sat on the mat. " * 60)[:1300]
    score = score_files(made, [write(tmp_path / "t", text)])
    tokens = torch.tensor(made.vocabulary.encode(text)).unsqueeze(1)
    with torch.no_grad():
        whole = torch.log_softmax(made(tokens[:-1])[0].double(), -1).gather(2, tokens[1:, :, None])
    assert score.nats == pytest.approx(-whole.mean().item(), abs=1e-6)
    assert not made.training


def test_a_file_is_a_document(model, tmp_path):
    """Two files are scored as two texts: the second starts from nothing, and its first token is not predicted."""
    made = model.network_
    first, second = "the cat sat", "the dog ate the mat"
    both = score_files(made, [write(tmp_path / "a", first), write(tmp_path / "b", second)])
    alone = [score_files(made, [write(tmp_path / "c", text)]).nats_per_token for text in (first, second)]
    total = alone[0] * (len(first) - 1) + alone[1] * (len(second) - 1)
    assert both.nats_per_token == pytest.approx(total / (len(first) + len(second) - 2), abs=1e-6)


def test_characters_that_training_never_saw_are_counted(tmp_path):
    model = uniform_model(CharVocabulary.build(["abc"]))
    model.token_counts[1:] = 1
    assert score_files(model, [write(tmp_path / "t", "abXcYab")]).unseen == 2


def test_a_file_that_is_not_text_is_scored_per_byte_by_a_byte_model(tmp_path):
    path = write(tmp_path / "t", bytes(range(256)) * 2)
    score = score_files(uniform_model(ByteVocabulary()), [path])
    assert (score.facts.unit, score.facts.units) == ("byte", 512)
    assert score.bits == pytest.approx(8, abs=1e-5)
    with pytest.raises(DataError, match="byte 0x80 at offset 128; to model raw bytes use --tokens byte"):
        score_files(uniform_model(CharVocabulary.build(["abc"])), [path])


def test_a_text_that_is_too_short(model, tmp_path):
    made = model.network_
    with pytest.raises(DataError) as caught:
        score_files(made, [write(tmp_path / "t", "a")])
    assert str(caught.value) == "the text is too short to be scored: it takes two tokens of one document"


def test_perplexity_of_a_hopeless_model_is_infinite_and_no_crash(tmp_path):
    model = uniform_model(CharVocabulary.build(["ab"]))
    with torch.no_grad():
        model.head.bias[0] = 1000.0
    assert score_files(model, [write(tmp_path / "t", "abab")]).perplexity == math.inf
