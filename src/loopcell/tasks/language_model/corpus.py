"""Texts as a run needs them: a training and a held-out part, a vocabulary, token files, and facts for the score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, PositiveInt

from loopcell.data import ByteVocabulary, Vocabulary
from loopcell.data.text import Source, TokenFile, byte_blocks, split_sources, text_blocks, tokenize, vocabulary_class
from loopcell.errors import DataError, FileFormatError
from loopcell.tasks.language_model.baselines import lzma_bits
from loopcell.tasks.language_model.config import TextConfig

COUNTED_AT_ONCE = 1 << 22


class HeldOutFacts(BaseModel):
    """What a score of some text needs beside the tokens.

    Attributes:
        units: how many characters the text has, or bytes where it is not text.
        unit: "char" or "byte".
        lzma_bits: its size under LZMA.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    units: PositiveInt
    unit: str
    lzma_bits: PositiveInt


def split(config: TextConfig) -> tuple[list[Source], list[Source]]:
    """The sources to train on and those held out.

    Raises:
        DataError: a file cannot be read or is empty, or there is too little text.
    """
    sources = [Source(path) for path in config.files]
    for source in sources:
        if not source.size():
            raise DataError(f"{source.path} is empty")
    if config.held_out_files or not config.held_out_fraction:
        return sources, [Source(path) for path in config.held_out_files]
    return split_sources(sources, config.held_out_fraction)


def build_vocabulary(config: TextConfig, training: Sequence[Source]) -> Vocabulary:
    """The vocabulary of the training text alone: what is held out stays unseen.

    Raises:
        DataError: a file is empty or is not text.
        UsageError: no such kind of tokens, or a size that it cannot have.
    """
    return vocabulary_class(config.tokens).build_from_sources(training, config.vocabulary_size)


def held_out_facts(sources: Sequence[Source], vocabulary: Vocabulary) -> HeldOutFacts:
    """Count and compress some text; byte vocabularies take files that are not text, and count bytes then."""
    compressed = lzma_bits(block for source in sources for block in byte_blocks(source))
    try:
        units = sum(len(block) for source in sources for block in text_blocks(source))
    except DataError:
        if not isinstance(vocabulary, ByteVocabulary):
            raise
        units = sum(source.size() for source in sources)
        return HeldOutFacts(units=units, unit="byte", lzma_bits=compressed)
    return HeldOutFacts(units=units, unit="char", lzma_bits=compressed)


def write_token_files(
    folder: Path, training: Sequence[Source], held_out: Sequence[Source], vocabulary: Vocabulary
) -> None:
    """Write `train.tokens` and, if anything is held out, `held_out.tokens`.

    A character outside of the vocabulary, rare in training or unseen there, is the unknown token.
    """
    tokenize(folder / "train.tokens", training, vocabulary, unknown="replace")
    if held_out:
        tokenize(folder / "held_out.tokens", held_out, vocabulary, unknown="replace")


def open_token_files(folder: Path) -> tuple[TokenFile, TokenFile | None]:
    """Open what `write_token_files` wrote; DataError or FileFormatError as `TokenFile.open`."""
    held_out = folder / "held_out.tokens"
    return TokenFile.open(folder / "train.tokens"), TokenFile.open(held_out) if held_out.exists() else None


def check_tokens(file: TokenFile, vocabulary: Vocabulary) -> None:
    """Read a token file once and refuse it when it is not one of this vocabulary.

    Raises:
        FileFormatError: it was written for a vocabulary of another size, or its ids are damaged.
    """
    if file.vocab_size != len(vocabulary):
        raise FileFormatError(
            f"{file.path} has the tokens of a vocabulary of {file.vocab_size}, "
            f"and the vocabulary beside it has {len(vocabulary)}"
        )
    file.verify()


def count_tokens(file: TokenFile) -> npt.NDArray[np.int64]:
    """How often each token of a file's vocabulary occurs, int64 [V], read block by block.

    Raises:
        FileFormatError: an id is outside of the vocabulary.
    """
    counts = np.zeros(file.vocab_size, dtype=np.int64)
    for start in range(0, len(file), COUNTED_AT_ONCE):
        block = file.tokens[start : start + COUNTED_AT_ONCE]
        if int(block.max()) >= file.vocab_size:  # before `bincount` makes room for it
            raise FileFormatError(f"{file.path} has token ids outside of its vocabulary of {file.vocab_size}")
        counts += np.bincount(block, minlength=file.vocab_size)
    return counts
