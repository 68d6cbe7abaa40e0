"""Draw text from a language model, character after character."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from loopcell.data import Vocabulary
from loopcell.errors import DataError, UsageError
from loopcell.layers import State
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.core.sampling import probabilities
from loopcell.tasks.language_model.network import LanguageModelNetwork


def generate(
    network: LanguageModelNetwork,
    prime: str = "",
    *,
    length: int = 500,
    config: SamplingConfig | None = None,
    stop: str = "",
    seed: int | None = None,
) -> Iterator[str]:
    """Write on after a prime; the pieces of text come as they are drawn, the prime first.

    Args:
        network: dropout is off while it draws, and its mode is put back before a piece is given.
        prime: the beginning, given unchanged: what is drawn never becomes a part of its last character, as a
            trailing consonant would of an open syllable. Without one the first token is drawn as often as
            training saw it.
        length: characters to write after the prime.
        config: how a token is drawn.
        stop: a string that ends the text, itself left out.
        seed: the same seed gives the same text; None draws a fresh one.

    Raises:
        UsageError: the prime has characters that the model does not know.
        InputError: the model's weights are not finite.
    """
    start = _encode_prime(network.vocabulary, prime)
    generator = torch.Generator()
    generator.manual_seed(seed) if seed is not None else generator.seed()
    drawn = _draw(network, start, config or SamplingConfig(), generator)
    pieces = network.vocabulary.decode_stream(itertools.chain(start, drawn))
    return _until(pieces, len(prime), len(prime) + length, stop)


def next_probabilities(network: LanguageModelNetwork, text: str) -> Tensor:
    """Return how probable each token is after a text, float64 [V]; after none, how often training saw it.

    Raises:
        InputError: the model's weights are not finite.
    """
    tokens = network.vocabulary.encode(text, unknown="replace").tolist()
    if not tokens:
        counts = network.token_counts.cpu().double()
        return counts / counts.sum() if bool(counts.any()) else torch.full_like(counts, 1 / len(counts))
    logits, _ = predict_after(network, tokens, None)
    return probabilities(logits, SamplingConfig(), torch.ones(len(logits), dtype=torch.bool))


def _encode_prime(vocabulary: Vocabulary, prime: str) -> list[int]:
    try:
        return [int(token) for token in vocabulary.encode(prime)]
    except DataError as error:
        unknown = [character for character in dict.fromkeys(prime) if not _knows(vocabulary, character)]
        names = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in unknown[:3])
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise UsageError(f"the prime has characters that training never saw: {names}{more}") from error


def _knows(vocabulary: Vocabulary, character: str) -> bool:
    try:
        vocabulary.encode(character)
    except DataError:
        return False
    return True


def _draw(
    network: LanguageModelNetwork, start: list[int], config: SamplingConfig, generator: torch.Generator
) -> Iterator[int]:
    """Yield tokens after `start`, without end."""
    counts = network.token_counts.cpu().clone()
    if network.vocabulary.unknown_id is not None:  # nobody wants to read it
        counts[network.vocabulary.unknown_id] = 0
    seen = counts > 0 if bool(counts.any()) else torch.ones_like(counts, dtype=torch.bool)
    allowed = _adding(network.vocabulary, start, seen)
    if not start:
        first = torch.multinomial(torch.where(counts > 0, counts, seen).double(), 1, generator=generator)
        start = [int(first)]
        yield start[0]
    tokens, state = start, None
    while True:
        logits, state = predict_after(network, tokens, state)
        share = probabilities(logits, config, allowed)
        tokens, allowed = [int(torch.multinomial(share, 1, generator=generator))], seen
        yield tokens[0]


def _adding(vocabulary: Vocabulary, prime: list[int], seen: Tensor) -> Tensor:
    """Return which of the tokens, bool [V], leave the text of the prime as it is when they come after it."""
    adding = torch.ones_like(seen)
    adding[torch.from_numpy(vocabulary.changing(np.array(prime, dtype=np.int64)))] = False
    return seen & adding if bool((seen & adding).any()) else adding


def predict_after(network: LanguageModelNetwork, tokens: list[int], state: State | None) -> tuple[Tensor, State]:
    """Return logits [V] after the tokens, without dropout, and the state there; the network's mode is put back."""
    was_training = network.training
    if was_training:  # to set a mode is a walk through all modules, which would be a part of what a token takes
        network.eval()
    try:
        with torch.no_grad():
            logits, state = network(torch.tensor(tokens, device=network.device).unsqueeze(1), state)
    finally:
        if was_training:
            network.train()
    return logits[-1, 0], state


def _until(pieces: Iterable[str], begin: int, end: int, stop: str) -> Iterator[str]:
    """Yield the text up to `end` characters, or to the first `stop` that starts at `begin` or later."""
    text, given = "", 0
    for piece in pieces:
        text += piece
        at = text.find(stop, max(begin, given)) if stop else -1
        if at >= 0:
            yield text[given:at]
            return
        # The last characters may be the beginning of `stop`; the prime is not searched.
        sure = min(end, max(len(text) - max(0, len(stop) - 1), min(begin, len(text))))
        if sure > given:
            yield text[given:sure]
            given = sure
        if len(text) >= end:
            yield text[given:end]
            return
