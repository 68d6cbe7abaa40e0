"""A recurrent language model: the next token from all that came before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from loopcell.data.text.kinds import vocabulary_from_json
from loopcell.data.text.vocabulary import Vocabulary
from loopcell.equations import Cell
from loopcell.errors import FileFormatError, UsageError
from loopcell.layers import Recurrent, State
from loopcell.tasks.core.model_file import building, fill, read_model, write_model
from loopcell.tasks.core.model_kind import model_path
from loopcell.tasks.language_model.config import LanguageModelConfig

TASK = "language-model"
MOST_TOKENS = 2**53  # counted in training; also what a float64 can tell apart


class LanguageModel(nn.Module):
    """Embedding, recurrent layers and a linear head over the vocabulary of V tokens.

    Args:
        cell: the equations of the recurrent layers.
        vocabulary: what a token is.
        config: the sizes.

    Attributes:
        token_counts: int64 [V], how often training saw each token; zeros when nobody counted.

    Raises:
        UsageError: `tied` with an output of another length than the embedding.
    """

    token_counts: Tensor

    def __init__(self, cell: Cell, vocabulary: Vocabulary, config: LanguageModelConfig | None = None) -> None:
        super().__init__()
        self.cell, self.vocabulary, self.config = cell, vocabulary, config or LanguageModelConfig()
        size = self.config.embedding_size or self.config.hidden_size
        self.embedding = nn.Embedding(len(vocabulary), size)
        self.dropout = nn.Dropout(self.config.dropout)
        self.recurrent = Recurrent(
            cell,
            input_size=size,
            hidden_size=self.config.hidden_size,
            num_layers=self.config.num_layers,
            dropout=self.config.dropout,
            sizes=self.config.sizes,
        )
        self.head = nn.Linear(self.recurrent.output_size, len(vocabulary))
        if self.config.tied:
            if self.recurrent.output_size != size:
                lengths = f"{self.recurrent.output_size} and {size}"
                raise UsageError(f"a tied head needs an output as long as the embedding, got {lengths}")
            del self.head.weight
        self.register_buffer("token_counts", torch.zeros(len(vocabulary), dtype=torch.int64))

    def forward(self, tokens: Tensor, state: State | None = None, reset: Tensor | None = None) -> tuple[Tensor, State]:
        """Score the next token after each token.

        Args:
            tokens: int64 [T, B].
            state: the state before the first token; None for a fresh one.
            reset: bool [T, B], true where a new document begins.

        Returns:
            Logits [T, B, V] and the state after the last token.
        """
        inputs = self.dropout(self.embedding(tokens))
        outputs, state = self.recurrent(inputs, state, reset=reset)
        weight = self.embedding.weight if self.config.tied else self.head.weight
        return functional.linear(self.dropout(outputs), weight, self.head.bias), state

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def save(self, path: str | Path) -> None:
        """Write one self-contained file: weights, equations, vocabulary and sizes.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        facts = {
            "config": self.config.model_dump(),
            "vocabulary": self.vocabulary.to_json(),
            "cell": json.loads(self.cell.to_json()),
        }
        write_model(Path(path), TASK, self, facts)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, on any machine; the file is checked and runs no code.

        Args:
            path: the file, or the folder of a run, for the model in it.

        Raises:
            FileFormatError: the file is missing, truncated, foreign, damaged or of a newer format.
        """
        path = model_path(path)
        content = read_model(path, TASK)
        with building(path, content):
            model = cls(*_parts(content.facts))
        fill(path, model, content.tensors)
        model._check_counts(path)
        return model

    def _check_counts(self, path: Path) -> None:
        """Refuse counts that nobody can have counted."""
        if int(self.token_counts.min()) < 0 or float(self.token_counts.double().sum()) > MOST_TOKENS:
            raise FileFormatError(f"{path} is damaged: its token counts are not those of a text")


def _parts(facts: dict[str, Any]) -> tuple[Cell, Vocabulary, LanguageModelConfig]:
    vocabulary = vocabulary_from_json(facts["vocabulary"])
    config = LanguageModelConfig.model_validate(facts["config"])
    return Cell.from_json(json.dumps(facts["cell"])), vocabulary, config
