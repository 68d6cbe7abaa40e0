"""The arguments of a language model's training: its text, its sizes, its run. No torch here, so that flags are fast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveInt

from loopcell.tasks.core.config import Probability, Size
from loopcell.training.config import Config, TrainingConfig


class LanguageModelConfig(Config):
    """The sizes of a language model.

    Attributes:
        hidden_size: H, the length of the hidden state.
        num_layers: L, cells on top of each other.
        embedding_size: E, the length of a token's vector; None for `hidden_size`.
        dropout: the probability that a number is dropped, in training: after the embedding, between layers and before
            the head.
        tied: the head reuses the embedding's matrix: that of the tokens (Press and Wolf, 2017); the output has to be of
            length E.
        sizes: further sizes that the cell names.
    """

    hidden_size: Size = 256
    num_layers: Annotated[int, Field(ge=1, le=1000)] = 2
    embedding_size: Size | None = None
    dropout: Probability = 0.0
    tied: bool = False
    sizes: dict[str, Size] = Field(default_factory=dict)


class TextConfig(Config):
    """Which text, cut into which tokens.

    Attributes:
        files: the texts; each is one document.
        held_out_files: files that are held out: to evaluate on. Without any the end of `files` is.
        held_out_fraction: how much of the data is held out: of its bytes, at the end; 0 for nothing.
        tokens: what one step of a text is: char, byte, jamo, bpe or word.
        vocabulary_size: the most tokens of the vocabulary; None for what is usual for the kind of tokens.
    """

    files: Annotated[tuple[Path, ...], Field(min_length=1)]
    held_out_files: tuple[Path, ...] = ()
    held_out_fraction: Probability = 0.1
    tokens: str = "char"
    vocabulary_size: PositiveInt | None = None


class LanguageModelPlan(Config):
    """Everything that a run is asked for.

    Attributes:
        text: what to read.
        model: the sizes of the model.
        training: how to train it.
    """

    text: TextConfig
    model: LanguageModelConfig = LanguageModelConfig()
    training: TrainingConfig = TrainingConfig()
