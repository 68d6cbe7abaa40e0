"""How well a language model predicts a text, beside what needs no model."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loopcell.data.text import Lanes, Source, TokenFile, tokenize
from loopcell.errors import DataError
from loopcell.tasks.language_model.baselines import unigram_nats
from loopcell.tasks.language_model.corpus import HeldOutFacts, count_tokens, held_out_facts
from loopcell.tasks.language_model.model import LanguageModel
from loopcell.tasks.language_model.step import LanguageModelStep
from loopcell.training.evaluation import evaluate

CHUNK = 256
TOKENS_PER_LANE = 10_000
MOST_LANES = 64


@dataclass(frozen=True)
class Score:
    """Numbers about one text.

    Attributes:
        facts: its length in characters (or bytes), and its compressed size.
        tokens: its length in tokens.
        nats_per_token: mean negative log-likelihood of a token under the model.
        unigram_nats_per_token: the same, every token predicted by its training count.
        unseen: how many of the tokens training never saw, unknown characters among them.
        kind: of the tokens.
    """

    facts: HeldOutFacts
    tokens: int
    nats_per_token: float
    unigram_nats_per_token: float
    unseen: int
    kind: str = "char"

    def per_unit(self, nats_per_token: float) -> float:
        """Nats a token as nats a character (or byte)."""
        return nats_per_token * self.tokens / self.facts.units

    @property
    def nats(self) -> float:
        """Nats a character (or byte)."""
        return self.per_unit(self.nats_per_token)

    @property
    def bits(self) -> float:
        """Bits a character (or byte)."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        """Perplexity of a token; infinite where the number would be too large."""
        return math.exp(self.nats_per_token) if self.nats_per_token < 700 else math.inf

    @property
    def unigram_bits(self) -> float:
        """Bits a character (or byte) of the unigram baseline."""
        return self.per_unit(self.unigram_nats_per_token) / math.log(2)

    @property
    def lzma_bits(self) -> float:
        """Bits a character (or byte) of the text under LZMA."""
        return self.facts.lzma_bits / self.facts.units


def score_files(model: LanguageModel, files: Sequence[Path]) -> Score:
    """Score texts, each file one document.

    Raises:
        DataError: a file cannot be read as the model's vocabulary wants it, or the text is shorter than 2 tokens.
    """
    sources = [Source(path) for path in files]
    facts = held_out_facts(sources, model.vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        file = tokenize(Path(folder) / "text.tokens", sources, model.vocabulary, unknown="replace")
        return score_tokens(model, file, facts)


def score_tokens(model: LanguageModel, file: TokenFile, facts: HeldOutFacts) -> Score:
    """Score a token file; DataError when there is nothing in it to predict."""
    lanes = evaluation_lanes(file)
    if not lanes.num_targets:
        raise DataError("the text is too short to be scored: it takes two tokens of one document")
    result = evaluate(LanguageModelStep(model), lanes)
    return baseline_score(model, file, facts, result.loss)


def baseline_score(model: LanguageModel, file: TokenFile, facts: HeldOutFacts, nats_per_token: float) -> Score:
    """Put a loss that is known already beside the baselines."""
    train_counts: npt.NDArray[np.int64] = model.token_counts.cpu().numpy()
    counts = count_tokens(file)
    return Score(
        facts=facts,
        tokens=len(file),
        nats_per_token=nats_per_token,
        unigram_nats_per_token=unigram_nats(train_counts, counts),
        unseen=int(counts[train_counts == 0].sum()),
        kind=model.vocabulary.kind,
    )


def evaluation_lanes(file: TokenFile, rank: int = 0, world_size: int = 1) -> Lanes:
    """Lanes of at least some 10,000 tokens: each starts from nothing, which then does not count for much."""
    lanes = min(MOST_LANES, max(1, len(file) // TOKENS_PER_LANE))
    each = max(1, lanes // world_size)
    return Lanes(file.tokens, file.document_starts, batch_size=each, chunk=CHUNK, rank=rank, world_size=world_size)
