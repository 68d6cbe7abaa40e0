"""Beam search and drawing over a table of probabilities, against every answer that there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from loopcell.errors import InputError
from loopcell.layers import State
from loopcell.tasks.config import Choice
from loopcell.tasks.networks.decoder import Encoded
from loopcell.tasks.writing.search import Hypothesis, Rules, beam_search, draw

V, END = 3, 3


def table(seed, batch=2):
    """For each input and each state of 0 to 9 log-probabilities of 3 tokens and the end."""
    drawn = np.random.default_rng(seed)
    return torch.from_numpy(drawn.standard_normal((batch, 10, V + 1)) * 2).float().log_softmax(-1)


def machine(found):
    """A step whose state is a number that the tokens change, so that an answer's path counts; and its inputs."""

    def step(tokens, encoded):
        state = encoded.state["h"][0, :, 0]
        state = torch.where(tokens == END, state, (3 * state + tokens + 1) % 10)
        scores = found[encoded.context[:, 0].long(), state.long()].clone()
        return scores, encoded._replace(state=State(h=state.view(1, -1, 1)))

    batch = len(found)
    empty = torch.zeros(1, batch, 1)
    context = torch.arange(batch).float().view(-1, 1)
    return step, Encoded(empty, torch.ones(batch, dtype=torch.int64), context, torch.empty(0), State(h=empty))


def value(found, number, tokens):
    """The log-probability of an answer."""
    total, state = 0.0, 0
    for token in (*tokens, END):
        total += float(found[number, state, token])
        state = (3 * state + token + 1) % 10
    return total


def answers(longest):
    return itertools.chain.from_iterable(itertools.product(range(V), repeat=n) for n in range(longest + 1))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_as_wide_as_everything_finds_the_best_answers(seed, penalty):
    found = table(seed)
    rules = Rules(END, longest=3, beam=100, length_penalty=penalty)
    for number, given in enumerate(beam_search(*machine(found), rules)):
        all_of_them = [Hypothesis(list(tokens), value(found, number, tokens)) for tokens in answers(3)]
        best = sorted(all_of_them, key=lambda one: -one.score(penalty))
        assert [one.tokens for one in given] == [one.tokens for one in best]
        assert [one.log_probability for one in given] == pytest.approx([one.log_probability for one in best], abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_takes_the_likeliest_token_each_time(seed):
    found = table(seed, batch=5)
    for number, (given,) in enumerate(beam_search(*machine(found), Rules(END, longest=6))):
        tokens, state = [], 0
        while len(tokens) < 6 and (token := int(found[number, state].argmax())) != END:
            tokens.append(token)
            state = (3 * state + token + 1) % 10
        assert given.tokens == tokens


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_what_stands_beside_an_input_does_not_change_its_answers(beam):
    found = table(7, batch=6)
    together = beam_search(*machine(found), Rules(END, longest=8, beam=beam))
    for number in range(6):
        (alone,) = beam_search(*machine(found[number : number + 1]), Rules(END, longest=8, beam=beam))
        assert [one.tokens for one in together[number]] == [one.tokens for one in alone]
        assert len(alone) == beam
        assert len({tuple(one.tokens) for one in alone}) == beam


def test_the_penalty_is_that_of_the_paper():
    assert Hypothesis([1, 1, 1], -2.0).score(0.6) == pytest.approx(-2.0 / ((5 + 4) / 6) ** 0.6)
    assert Hypothesis([1, 1, 1], -2.0).score(0.0) == -2.0


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("search", ["beam", "draw"])
def test_no_sequence_of_so_many_tokens_comes_twice(size, search):
    found = table(3)
    found[..., END] = -20.0  # it goes on as long as it may
    rules = Rules(END, longest=12, beam=3, ngram_block=size)
    if search == "beam":
        given = beam_search(*machine(found), rules)
    else:
        given = draw(*machine(found), rules, Choice(), torch.Generator().manual_seed(0))
    for one in itertools.chain.from_iterable(given):
        grams = [tuple(one.tokens[at : at + size]) for at in range(len(one.tokens) - size + 1)]
        assert len(set(grams)) == len(grams)
    free = beam_search(*machine(found), rules._replace(ngram_block=0))
    assert all(len(one.tokens) == 12 for one in itertools.chain.from_iterable(free))


def test_a_token_that_is_never_written_is_not():
    found = table(1)
    given = beam_search(*machine(found), Rules(END, longest=3, beam=50, never=(0, 2)))
    assert sorted(one.tokens for one in given[0]) == [[], [1], [1, 1], [1, 1, 1]]


def test_draws_are_as_frequent_as_they_are_probable():
    found = table(5, batch=1)
    given = draw(*machine(found), Rules(END, longest=2, beam=4000), Choice(), torch.Generator().manual_seed(1))[0]
    for tokens in answers(1):
        share = sum(one.tokens == list(tokens) for one in given) / 4000
        assert share == pytest.approx(math.exp(value(found, 0, tokens)), abs=0.03)
    for one in given[:20]:
        if len(one.tokens) < 2:
            assert one.log_probability == pytest.approx(value(found, 0, one.tokens), abs=1e-5)
    cold = draw(*machine(found), Rules(END, longest=6, beam=3), Choice(temperature=0.0), torch.Generator())[0]
    (greedy,) = beam_search(*machine(found), Rules(END, longest=6))[0]
    assert all(one.tokens == greedy.tokens for one in cold)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_give_no_answer(bad):
    found = table(0)
    found[0, 0, 0] = bad
    with pytest.raises(InputError, match="its weights are damaged"):
        beam_search(*machine(found), Rules(END, longest=3))
