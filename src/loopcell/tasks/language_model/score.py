"""Score how well a language model predicts a text, beside what needs no model."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loopcell.data.text import Lanes, Source, TokenFile, tokenize
from loopcell.errors import DataError
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.verdict import MODEL
from loopcell.tasks.language_model.baselines import unigram_nats
from loopcell.tasks.language_model.corpus import HeldOutFacts, count_tokens, count_units, held_out_facts
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.step import LanguageModelStep
from loopcell.training.evaluation import evaluate

CHUNK = 256
TOKENS_PER_LANE = 10_000
MOST_LANES = 64
UNITS = {"char": "characters", "byte": "bytes"}


@dataclass(frozen=True)
class Score:
    """Figures about one text.

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
        """Return nats per token as nats per character (or byte)."""
        return nats_per_token * self.tokens / self.facts.units

    @property
    def nats(self) -> float:
        """Return the nats per character (or byte)."""
        return self.per_unit(self.nats_per_token)

    @property
    def bits(self) -> float:
        """Return the bits per character (or byte)."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        """Return the perplexity of a token; infinite where the number would be too large."""
        return math.exp(self.nats_per_token) if self.nats_per_token < 700 else math.inf

    @property
    def unigram_bits(self) -> float:
        """Return the bits per character (or byte) of the unigram baseline."""
        return self.per_unit(self.unigram_nats_per_token) / math.log(2)

    @property
    def lzma_bits(self) -> float:
        """Return the bits per character (or byte) of the text under LZMA."""
        return self.facts.lzma_bits / self.facts.units

    def table(self) -> ScoreTable:
        """Return the figures of the model beside those of the baselines."""
        unit = self.facts.unit
        rows = {
            MODEL: {f"nats/{unit}": self.nats, f"bits/{unit}": self.bits, "perplexity/token": self.perplexity},
            "unigram": {f"bits/{unit}": self.unigram_bits},
            "lzma": {f"bits/{unit}": self.lzma_bits},
        }
        return ScoreTable(self._described(), rows)

    def _described(self) -> str:
        """Return what was scored, in words."""
        why = "pieces that training was never cut into" if self.kind == "bpe" else "never seen in training"
        unseen = f", {self.unseen:,} of them {why}" if self.unseen else ""
        return f"{self.facts.units:,} {UNITS[self.facts.unit]}, {self.tokens:,} tokens{unseen}"


def score_sources(network: LanguageModelNetwork, sources: Sequence[Source]) -> Score:
    """Score texts, each of them one document.

    Raises:
        DataError: a file cannot be read as the model's vocabulary wants it, or the text is shorter than 2 tokens.
    """
    facts = held_out_facts(sources, network.vocabulary)
    with _tokens(network, sources) as file:
        return baseline_score(network, file, facts, _loss(network, file))


def bits_per_unit(network: LanguageModelNetwork, sources: Sequence[Source]) -> float:
    """Return the bits per character (or byte) of texts, without the baselines; errors as `score_sources`."""
    units, _ = count_units(sources, network.vocabulary)
    with _tokens(network, sources) as file:
        return _loss(network, file) * len(file) / units / math.log(2)


@contextmanager
def _tokens(network: LanguageModelNetwork, sources: Sequence[Source]) -> Iterator[TokenFile]:
    """Cut texts into the network's tokens, in a file that is there until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        yield tokenize(Path(folder) / "text.tokens", sources, network.vocabulary, unknown="replace")


def _loss(network: LanguageModelNetwork, file: TokenFile) -> float:
    """Return the mean loss in nats per token; DataError when there is nothing to predict."""
    lanes = evaluation_lanes(file)
    if not lanes.num_targets:
        raise DataError("the text is too short to be scored: it takes two tokens of one document")
    return evaluate(LanguageModelStep(network), lanes).loss


def baseline_score(network: LanguageModelNetwork, file: TokenFile, facts: HeldOutFacts, nats_per_token: float) -> Score:
    """Put a loss that is known already beside the baselines."""
    train_counts: npt.NDArray[np.int64] = network.token_counts.cpu().numpy()
    counts = count_tokens(file)
    return Score(
        facts=facts,
        tokens=len(file),
        nats_per_token=nats_per_token,
        unigram_nats_per_token=unigram_nats(train_counts, counts),
        unseen=int(counts[train_counts == 0].sum()),
        kind=network.vocabulary.kind,
    )


def evaluation_lanes(file: TokenFile, rank: int = 0, world_size: int = 1) -> Lanes:
    """Lay lanes of at least some 10,000 tokens: each starts from nothing, which then does not count for much."""
    lanes = min(MOST_LANES, max(1, len(file) // TOKENS_PER_LANE))
    each = max(1, lanes // world_size)
    return Lanes(file.tokens, file.document_starts, batch_size=each, chunk=CHUNK, rank=rank, world_size=world_size)
