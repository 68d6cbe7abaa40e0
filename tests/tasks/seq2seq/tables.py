"""A decoder that is a table of probabilities, every answer that it can give, and a search in plain Python."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch

from loopcell.layers import State
from loopcell.tasks.seq2seq.decoder import Encoded

V, END = 3, 3
STATES = 10


def table(seed, batch=2, spread=2.0):
    """For each input and each state of 0 to 9 log-probabilities of 3 tokens and the end."""
    drawn = np.random.default_rng(seed)
    return torch.from_numpy(drawn.standard_normal((batch, STATES, V + 1)) * spread).float().log_softmax(-1)


def follow(state, token):
    return (3 * state + token + 1) % STATES


def machine(found):
    """A step whose state is a number that the tokens change, so that an answer's path counts; and its inputs."""

    def step(tokens, encoded):
        state = encoded.state["h"][0, :, 0]
        state = torch.where(tokens == END, state, follow(state, tokens))
        scores = found[encoded.context[:, 0].long(), state.long()].clone()
        return scores, encoded._replace(state=State(h=state.view(1, -1, 1)))

    batch = len(found)
    empty = torch.zeros(1, batch, 1)
    context = torch.arange(batch).float().view(-1, 1)
    return step, Encoded(empty, torch.ones(batch, dtype=torch.int64), context, torch.empty(0), State(h=empty))


def tree(found):
    """A step by what was written so far: a list [V + 1] of probabilities for each beginning, even for others."""

    def step(tokens, encoded):
        paths = encoded.state["h"][0, :, 0].long()
        paths = torch.where(tokens == END, paths, 4 * paths + tokens + 1)
        rows = []
        for which, path in zip(encoded.context[:, 0].long().tolist(), paths.tolist(), strict=True):
            rows.append(found[which].get(spelled(path), [1 / (V + 1)] * (V + 1)))
        return torch.tensor(rows).log(), encoded._replace(state=State(h=paths.double().view(1, -1, 1)))

    batch = len(found)
    context, start = torch.arange(batch).float().view(-1, 1), torch.zeros(1, batch, 1, dtype=torch.float64)
    return step, Encoded(start, torch.ones(batch, dtype=torch.int64), context, torch.empty(0), State(h=start))


def spelled(path):
    """The tokens that a number of `tree` stands for."""
    return (*spelled((path - 1) // 4), (path - 1) % 4) if path else ()


def value(found, number, tokens):
    """The log-probability of an answer."""
    total, state = 0.0, 0
    for token in (*tokens, END):
        total += float(found[number, state, token])
        state = follow(state, token)
    return total


def score(tokens, log_probability, penalty):
    """The paper's equation, the end counted as a token."""
    return log_probability / ((5 + len(tokens) + 1) / 6) ** penalty


def may_follow(tokens, rules):
    """The tokens that may follow some, and whether they may end, from the rules' words."""
    if len(tokens) == rules.max_length:
        return [], True
    size = rules.ngram_block
    there = {tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)} if size else set()
    allowed = [
        token
        for token in range(V)
        if token not in rules.never
        and not (size and len(tokens) + 1 >= size and (*tokens, token)[len(tokens) + 1 - size :] in there)
    ]
    return allowed, len(tokens) >= rules.min_length or not allowed


def every_answer(rules, begun=()):
    """All answers that the rules allow."""
    allowed, ends = may_follow(begun, rules)
    own = [begun] if ends else []
    return [*own, *itertools.chain.from_iterable(every_answer(rules, (*begun, token)) for token in allowed)]


def greedy(found, number, rules):
    """The likeliest token each time."""
    tokens, state = (), 0
    while True:
        allowed, ends = may_follow(tokens, rules)
        choices = [*allowed, *([END] if ends else [])]
        best = max(choices, key=lambda token: float(found[number, state, token]))
        if best == END:
            return tokens
        tokens, state = (*tokens, best), follow(state, best)


def slow_beam(found, number, rules):
    """Beam search that stops for nothing but the longest answer; the best ended ones with their scores.

    The greedy beginning has its place for as long as it may become better than the last of the answers wanted.
    """
    path, begun, ended = greedy(found, number, rules), [((), 0, 0.0)], []
    wanted = min(rules.beam, rules.answers or rules.beam)
    while begun:
        longer = []
        for tokens, state, total in begun:
            allowed, ends = may_follow(tokens, rules)
            longer += [
                ((*tokens, token), follow(state, token), total + float(found[number, state, token]))
                for token in allowed
            ]
            if ends:
                whole = total + float(found[number, state, END])
                ended.append((score(tokens, whole, rules.length_penalty), tokens))
        longer.sort(key=lambda one: -one[2])
        kept = longer[: rules.beam]
        on_path = [one for one in longer if one[0] == path[: len(one[0])]]
        if on_path and on_path[0] not in kept:
            kept[-1] = on_path[0]
        if on_path:
            bar = sorted((one for one, _ in ended), reverse=True)[wanted - 1 : wanted]
            tokens, _, total = on_path[0]
            reach = tokens if rules.length_penalty < 0 else range(rules.max_length)
            if bar and score(reach, total, rules.length_penalty) <= bar[0]:
                path = (END,)  # no beginning is on it any more
        begun = kept
    return sorted(ended, key=lambda one: -one[0])[: rules.beam]


def close(one, other):
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
