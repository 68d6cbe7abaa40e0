"""Beam search and drawing over a table of probabilities, against every answer that there is."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings, strategies as some

from loopcell.errors import InputError
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.seq2seq.decoding import DecodingConfig
from loopcell.tasks.seq2seq.search import beam_search, draw, largest
from tests.tasks.seq2seq.tables import (
    END,
    STATES,
    V,
    close,
    every_answer,
    greedy,
    machine,
    score,
    slow_beam,
    table,
    tree,
    value,
)

PENALTIES = some.sampled_from([-1.0, 0.0, 0.3, 0.6, 1.0, 1.7, 4.0, 50.0])
RULES = some.builds(
    DecodingConfig,
    boundary=some.just(END),
    max_length=some.integers(0, 5),
    beam=some.integers(1, 6),
    length_penalty=PENALTIES,
    ngram_block=some.integers(0, 3),
    never=some.sampled_from([(), (1,)]),
    min_length=some.integers(0, 3),
    answers=some.one_of(some.none(), some.integers(1, 6)),
    limit=some.none(),
)
SPREADS = some.sampled_from([0.0, 0.5, 2.0, 8.0])
SEEDS = some.integers(0, 10_000)


def searched(found, rules):
    return beam_search(*machine(found), rules)


@settings(max_examples=150, deadline=None)
@given(SEEDS, SPREADS, RULES)
def test_a_beam_as_wide_as_everything_finds_the_best_of_all_answers(seed, spread, rules):
    rules = rules._replace(max_length=min(rules.max_length, 4), beam=3**4)
    found = table(seed, spread=spread)
    wanted = rules.answers or rules.beam
    for number, answers in enumerate(searched(found, rules)):
        everything = {tokens: value(found, number, tokens) for tokens in every_answer(rules)}
        best = sorted((score(*one, rules.length_penalty) for one in everything.items()), reverse=True)[:wanted]
        assert all(close(one.log_probability, everything[tuple(one.tokens)]) for one in answers)
        assert len(answers) == len(best) == len({tuple(one.tokens) for one in answers})
        assert all(map(close, [one.score(rules.length_penalty) for one in answers], best))


@settings(max_examples=150, deadline=None)
@given(SEEDS, SPREADS, RULES)
def test_no_answer_of_greedy_search_is_better(seed, spread, rules):
    found = table(seed, spread=spread)
    for number, (best, *_) in enumerate(searched(found, rules)):
        path = greedy(found, number, rules)
        assert best.score(rules.length_penalty) >= score(path, value(found, number, path), rules.length_penalty) - 1e-6
        if rules.beam == 1:
            assert tuple(best.tokens) == path


@settings(max_examples=150, deadline=None)
@given(SEEDS, some.sampled_from([0.5, 2.0, 8.0]), RULES)
def test_an_input_is_left_when_nothing_can_change_and_not_before(seed, spread, rules):
    """Against a search that goes on to the longest answer, whatever has ended."""
    rules = rules._replace(beam=max(2, rules.beam))
    found = table(seed, batch=4, spread=spread)
    for number, answers in enumerate(searched(found, rules)):
        expected = slow_beam(found, number, rules)[: rules.answers or rules.beam]
        assert [one.score(rules.length_penalty) for one in answers] == pytest.approx(
            [one for one, _ in expected], rel=1e-5, abs=1e-6
        )


@settings(max_examples=60, deadline=None)
@given(SEEDS, SPREADS, RULES)
def test_what_stands_beside_an_input_does_not_change_its_answers(seed, spread, rules):
    found = table(seed, batch=5, spread=spread)
    found[1, :, END] += 20.0  # ends at once
    found[2, :, END] -= 20.0  # goes on as long as it may
    found = found.log_softmax(-1)
    together = searched(found, rules)
    for number in range(len(found)):
        (alone,) = searched(found[number : number + 1], rules)
        assert together[number] == alone


@settings(max_examples=60, deadline=None)
@given(SEEDS, SPREADS, RULES)
def test_fewer_answers_are_the_first_of_many(seed, spread, rules):
    found = table(seed, spread=spread)
    many = searched(found, rules._replace(answers=None))
    assert searched(found, rules._replace(answers=1)) == [some[:1] for some in many]


def by_heart(answer, surely, first=0.61):
    """A table [1, STATES, V + 1] that writes an answer: its first token with probability `first`, others surely."""
    found = torch.full((1, STATES, V + 1), math.log((1 - surely) / V))
    state = 0
    for at, token in enumerate((*answer, END)):
        share = surely if at else first
        found[0, state] = math.log((1 - share) / V)
        found[0, state, token] = math.log(share)
        state = (3 * state + token + 1) % STATES
    return found


@pytest.mark.parametrize("beam", [2, 3, 5])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_an_answer_learned_by_heart_is_not_given_up_for_shorter_ones_that_end_first(beam, penalty):
    found = by_heart((0, 0, 0), 0.999)  # its states 0, 1, 4, 3 differ
    rules = DecodingConfig(END, max_length=12, beam=beam, length_penalty=penalty)
    ((best, *_),) = searched(found, rules)
    assert best.tokens == [0, 0, 0]
    assert best.log_probability == pytest.approx(math.log(0.61) + 3 * math.log(0.999))


def test_ended_answers_take_no_places_of_those_that_go_on():
    """Every beginning ends rather than goes on, and the best answer is the third longest."""
    found = torch.tensor([0.2, 0.001, 0.001, 0.798]).log().expand(1, STATES, V + 1).clone()
    (answers,) = searched(found, DecodingConfig(END, max_length=4, beam=2, length_penalty=0.0))
    assert [one.tokens for one in answers] == [[], [0]]
    (answers,) = searched(found, DecodingConfig(END, max_length=4, beam=2, length_penalty=0.0, min_length=3))
    assert [one.tokens for one in answers] == [[0, 0, 0], [0, 0, 0, 0]]


def test_a_greedy_beginning_that_cannot_win_any_more_gives_up_its_place_beside_others_too():
    """Alone its row is gone when the other one splits; beside an input that needs two rows it is still there."""
    ends, surely, goes_on = [0.001, 0.001, 0.001, 0.997], [0.997, 0.001, 0.001, 0.001], [0.6, 0.399, 0.0005, 0.0005]
    hard = {(): [0.40, 0.35, 0.05, 0.20], (1,): surely, (1, 0): surely, (1, 0, 0): goes_on, (1, 0, 0, 1): ends}
    easy = {(): [0.4, 0.3, 0.2, 0.1], **{begun: [0.3, 0.3, 0.3, 0.1] for begun in [(0,), (1,), (0, 0), (0, 1), (1, 0)]}}
    rules = DecodingConfig(END, max_length=6, beam=2, answers=1)
    (alone,) = beam_search(*tree([hard]), rules)
    assert alone[0].tokens == [1, 0, 0, 1]
    assert beam_search(*tree([hard, easy]), rules)[0] == alone


def test_of_equal_answers_the_first_found_is_the_first():
    found = table(0, batch=3, spread=0.0)  # all tokens are as likely as the end
    for answers in searched(found, DecodingConfig(END, max_length=3, beam=4, length_penalty=0.0)):
        assert [one.tokens for one in answers] == [[], [0], [1], [2]]
    assert [one.tokens for (one,) in searched(found, DecodingConfig(END, max_length=3))] == [[0, 0, 0]] * 3


@pytest.mark.parametrize("penalty", [1.0, 200.0, 5000.0])
def test_a_large_exponent_still_tells_long_answers_apart(penalty):
    """Where scores themselves would all be 0, the longest answers win, and the likeliest of them."""
    found = table(2, batch=1)
    (answers,) = searched(found, DecodingConfig(END, max_length=4, beam=81, length_penalty=max(penalty, 200.0)))
    assert all(len(one.tokens) == 4 for one in answers)
    assert [one.log_probability for one in answers] == sorted((one.log_probability for one in answers), reverse=True)


def test_the_largest_come_first_and_of_equal_ones_those_in_front():
    values = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0], [3.0, -torch.inf, -torch.inf, -torch.inf, -torch.inf]])
    found, places = largest(values, 2)
    assert found.tolist() == [[2.0, 2.0], [3.0, -torch.inf]]
    assert places[0].tolist() == [1, 2]
    assert places[1, 0] == 0
    assert largest(values, 9)[0].shape == (2, 5)
    drawn = torch.randint(0, 4, (50, 30), generator=torch.Generator().manual_seed(0)).double()
    for row, (best, chosen) in zip(drawn.tolist(), zip(*largest(drawn, 7), strict=True), strict=True):
        order = sorted(range(30), key=lambda place: -row[place])[:7]
        assert (chosen.tolist(), best.tolist()) == (order, [row[place] for place in order])


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("search", ["beam", "draw"])
def test_no_sequence_of_so_many_tokens_comes_twice(size, search):
    found = table(3)
    found[..., END] = -20.0  # it goes on as long as it may
    rules = DecodingConfig(END, max_length=12, beam=3, ngram_block=size)
    if search == "beam":
        given = beam_search(*machine(found), rules)
    else:
        given = draw(*machine(found), rules, SamplingConfig(), torch.Generator().manual_seed(0))
    for one in itertools.chain.from_iterable(given):
        grams = [tuple(one.tokens[at : at + size]) for at in range(len(one.tokens) - size + 1)]
        assert len(set(grams)) == len(grams)
    free = beam_search(*machine(found), rules._replace(ngram_block=0))
    assert all(len(one.tokens) == 12 for one in itertools.chain.from_iterable(free))


def test_a_token_that_is_never_written_is_not():
    found = table(1)
    given = beam_search(*machine(found), DecodingConfig(END, max_length=3, beam=50, never=(0, 2)))
    assert sorted(one.tokens for one in given[0]) == [[], [1], [1, 1], [1, 1, 1]]


def test_draws_are_as_frequent_as_they_are_probable():
    found = table(5, batch=1)
    given = draw(
        *machine(found),
        DecodingConfig(END, max_length=2, beam=4000),
        SamplingConfig(),
        torch.Generator().manual_seed(1),
    )[0]
    for tokens in every_answer(DecodingConfig(END, max_length=1)):
        share = sum(one.tokens == list(tokens) for one in given) / 4000
        assert share == pytest.approx(math.exp(value(found, 0, tokens)), abs=0.03)
    for one in given[:20]:
        if len(one.tokens) < 2:
            assert one.log_probability == pytest.approx(value(found, 0, one.tokens), abs=1e-5)
    cold = draw(
        *machine(found), DecodingConfig(END, max_length=6, beam=3), SamplingConfig(temperature=0.0), torch.Generator()
    )[0]
    (greedy,) = beam_search(*machine(found), DecodingConfig(END, max_length=6))[0]
    assert all(one.tokens == greedy.tokens for one in cold)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_give_no_answer(bad):
    found = table(0)
    found[0, 0, 0] = bad
    with pytest.raises(InputError, match="its weights are damaged"):
        beam_search(*machine(found), DecodingConfig(END, max_length=3))
