from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, strategies as st

from loopcell.data import ByteVocabulary, CharVocabulary, JamoVocabulary
from loopcell.errors import InputError, UsageError
from loopcell.tasks import SamplingConfig
from loopcell.tasks.core.sampling import probabilities
from loopcell.tasks.language_model.sampling import generate
from tests.tasks.language_model.untrained import network

ALL = torch.ones(3, dtype=torch.bool)
LOGITS = torch.log(torch.tensor([0.3, 0.5, 0.2]))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SamplingConfig(), [0.3, 0.5, 0.2]),
        (SamplingConfig(top_k=2), [0.375, 0.625, 0]),
        (SamplingConfig(top_k=1), [0, 1, 0]),
        (SamplingConfig(top_k=9), [0.3, 0.5, 0.2]),
        (SamplingConfig(top_p=0.5), [0, 1, 0]),
        (SamplingConfig(top_p=0.51), [0.375, 0.625, 0]),
        (SamplingConfig(top_p=1.0), [0.3, 0.5, 0.2]),
        (SamplingConfig(top_k=2, top_p=0.6), [0, 1, 0]),
        (SamplingConfig(temperature=0), [0, 1, 0]),
        (SamplingConfig(temperature=0.5), [0.09 / 0.38, 0.25 / 0.38, 0.04 / 0.38]),
        (SamplingConfig(temperature=1e-300), [0, 1, 0]),
        (SamplingConfig(temperature=1e300), [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_temperature_top_k_and_top_p(config, expected):
    assert probabilities(LOGITS, config, ALL).tolist() == pytest.approx(expected, abs=1e-6)


def test_a_token_that_training_never_saw_is_never_drawn():
    seen = torch.tensor([True, False, True])
    assert probabilities(LOGITS, SamplingConfig(), seen).tolist() == pytest.approx([0.6, 0, 0.4], abs=1e-6)
    assert probabilities(LOGITS, SamplingConfig(temperature=0), seen).tolist() == [1, 0, 0]


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=8),
    st.floats(0, 5),
    st.none() | st.integers(1, 10),
    st.none() | st.floats(0.01, 1),
)
def test_it_is_always_a_distribution_over_the_likeliest(logits, temperature, top_k, top_p):
    scores = torch.tensor(logits, dtype=torch.float64)
    found = probabilities(
        scores,
        SamplingConfig(temperature=temperature, top_k=top_k, top_p=top_p),
        torch.ones(len(logits), dtype=torch.bool),
    )
    assert math.isclose(found.sum().item(), 1, abs_tol=1e-9)
    kept = found > 0
    assert kept.sum() <= (top_k or len(logits))
    if kept.any() and not kept.all():
        assert scores[kept].min() >= scores[~kept].max()


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(InputError, match="the model gives scores that are not finite: its weights are damaged"):
        probabilities(torch.tensor([0.0, math.nan]), SamplingConfig(), ALL[:2])


def constant_model(vocabulary, text):
    """A model that always predicts the shares of the characters of `text`."""
    model = network(vocabulary, cell="rnn", hidden_size=2, num_layers=1)
    model.token_counts += torch.bincount(torch.tensor(vocabulary.encode(text)), minlength=len(vocabulary))
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.log(model.token_counts.float()).clamp_min(-30))
    return model


def test_text_is_drawn_as_the_model_says():
    model = constant_model(CharVocabulary.build(["abc"]), "aaab" * 5 + "c" * 5)
    drawn = "".join(generate(model, length=2000, seed=4))
    assert len(drawn) == 2000
    assert abs(drawn.count("a") / 2000 - 0.6) < 0.05  # four standard deviations are 0.044
    assert abs(drawn.count("b") / 2000 - 0.2) < 0.04


def test_the_state_goes_on_from_token_to_token(model):
    """The greedy text, drawn token by token, is what whole prefixes predict."""
    made = model.network_
    drawn = "".join(generate(made, "the c", length=12, config=SamplingConfig(temperature=0)))
    text = "the c"
    for _ in range(12):
        tokens = torch.tensor(made.vocabulary.encode(text)).unsqueeze(1)
        logits = made(tokens)[0][-1, 0].detach().clone()
        logits[0] = -torch.inf  # the unknown token
        text += made.vocabulary.decode([int(logits.argmax())])
    assert drawn == text


def test_a_seed_decides_the_text_and_dropout_does_not(model):
    made = model.network_
    made.train()
    first = "".join(generate(made, "a", length=60, seed=1))
    assert "".join(generate(made, "a", length=60, seed=1)) == first
    assert "".join(generate(made, "a", length=60, seed=2)) != first
    assert made.training


def test_it_streams(model):
    made = model.network_
    pieces = generate(made, "the ", length=1_000_000_000, seed=1)
    assert "".join(itertools.islice(pieces, 4)) == "the "
    assert len(next(pieces)) == 1


def test_length_counts_after_the_prime(model):
    made = model.network_
    assert "".join(generate(made, "the cat", length=0)) == "the cat"
    assert len("".join(generate(made, "the cat", length=5))) == 12
    assert len("".join(generate(made, length=5))) == 5


def test_the_stop_string_ends_the_text_and_is_left_out():
    model = constant_model(CharVocabulary.build(["ab"]), "ab")
    whole = "".join(generate(model, "b", length=200, seed=3))
    for stop in ("a", "ab", "aab", "bbbb", "abab"):
        text = "".join(generate(model, "b", length=200, stop=stop, seed=3))
        assert text == whole[: whole.index(stop, 1)]
    assert "".join(generate(model, "b", length=200, stop="x", seed=3)) == whole
    assert "".join(generate(model, "abab", length=3, stop="abab", seed=3)).startswith("abab")


def test_unknown_characters_in_the_prime(model):
    made = model.network_
    with pytest.raises(UsageError) as caught:
        generate(made, "the 한글 cat, 한번")
    assert str(caught.value) == (
        "the prime has characters that training never saw: '한' (U+D55C), '글' (U+AE00), ',' (U+002C) and 1 more"
    )


def test_korean_comes_out_in_whole_syllables():
    text = "안녕하세요 세계"
    model = constant_model(JamoVocabulary.build([text]), text)
    drawn = "".join(generate(model, "안", length=50, seed=1))
    assert drawn.startswith("안")
    assert len(drawn) >= 50
    assert "\ufffd" not in drawn


def test_bytes_come_out_as_characters():
    vocabulary = ByteVocabulary()
    model = constant_model(vocabulary, "가나다 abc")
    drawn = "".join(generate(model, "가", length=30, seed=1))
    assert drawn.startswith("가")
    assert len(drawn) == 31


def test_a_model_whose_tokens_were_never_counted_still_writes():
    model = network(ByteVocabulary(), cell="rnn", hidden_size=2, num_layers=1)
    assert len("".join(generate(model, "a", length=10, seed=1))) == 11
    assert len("".join(generate(model, length=10, seed=1))) == 10


def test_the_mode_of_the_model_is_its_own_between_two_pieces(model):
    """Training may go on while a sample is half read, or was never read to its end."""
    made = model.network_
    made.train()
    pieces = generate(made, "the ", length=20, seed=1)
    texts = []
    for piece in pieces:
        texts.append(piece)
        assert made.training
        assert made.dropout.training
    assert "".join(texts) == "".join(generate(made.eval(), "the ", length=20, seed=1))
    assert not made.training
    made.train()
    next(generate(made, "the ", length=20, seed=1))
    assert made.training


@pytest.mark.parametrize("prime", ["하", "나하", "하하", "ㅎ", "핫", "하 "])
def test_the_prime_comes_out_as_it_was_given(prime):
    """The model would draw a trailing consonant nearly always; after an open syllable that would change it."""
    text = "핫핫핫하 ㅎ나"
    model = constant_model(JamoVocabulary.build([text]), text)
    trails = model.vocabulary.changing(model.vocabulary.encode("하"))
    with torch.no_grad():
        model.head.bias[torch.from_numpy(trails)] += 20
    for seed in range(5):
        assert "".join(generate(model, prime, length=6, seed=seed)).startswith(prime)
    assert "".join(generate(model, prime, length=6, config=SamplingConfig(temperature=0))).startswith(prime)
    assert "".join(generate(model, prime, length=0)) == prime


def test_only_the_first_draw_is_held_back():
    """After the prime every syllable may get its trailing consonant."""
    text = "핫" * 9
    model = constant_model(JamoVocabulary.build([text]), text)
    assert "핫" in "".join(generate(model, "하", length=60, seed=2))


def test_a_model_that_saw_nothing_else_still_draws_something():
    model = constant_model(JamoVocabulary.build(["하"]), "하")
    model.token_counts.zero_()
    model.token_counts[torch.from_numpy(model.vocabulary.changing(model.vocabulary.encode("하")))] = 1
    assert "".join(generate(model, "하", length=3, seed=1)).startswith("하")
