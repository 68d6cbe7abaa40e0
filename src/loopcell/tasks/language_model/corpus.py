"""A corpus: texts in a training and a held-out part, their vocabulary, token files, and facts for the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, PositiveInt

from loopcell.data import ByteVocabulary, Vocabulary
from loopcell.data.text import Source, TokenFile, byte_blocks, split_sources, text_blocks, tokenize
from loopcell.errors import DataError, FileFormatError
from loopcell.tasks.language_model.baselines import lzma_bits

COUNTED_AT_ONCE = 1 << 22


class HeldOutFacts(BaseModel):
    """Facts about some text that its score needs beside the tokens.

    Attributes:
        units: how many characters the text has, or bytes where it is not text.
        unit: "char" or "byte".
        lzma_bits: its size under LZMA.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    units: PositiveInt
    unit: str
    lzma_bits: PositiveInt


@dataclass(frozen=True)
class TokenCorpus:
    """The text of a run as token files, which are mapped into memory and not read into it.

    Attributes:
        vocabulary: what a token is.
        training: the text to train on.
        held_out: the text to evaluate on, if any is held out.
        facts: what the score of that text needs.
    """

    vocabulary: Vocabulary
    training: TokenFile
    held_out: TokenFile | None
    facts: HeldOutFacts | None


def split(sources: list[Source], held_out: list[Source], fraction: float) -> tuple[list[Source], list[Source]]:
    """Return the sources to train on and those held out.

    Args:
        sources: the texts; each is one document.
        held_out: texts to evaluate on; when there are none, the end of `sources` is held out.
        fraction: how much of `sources` that is, of their bytes; 0 holds nothing out.

    Raises:
        DataError: a file cannot be read or is empty, or there is too little text.
    """
    for source in sources:
        if not source.size():
            raise DataError(f"{source.path} is empty")
    if held_out or not fraction:
        return sources, held_out
    return split_sources(sources, fraction)


def held_out_facts(sources: Sequence[Source], vocabulary: Vocabulary) -> HeldOutFacts:
    """Count and compress some text."""
    compressed = lzma_bits(block for source in sources for block in byte_blocks(source))
    units, unit = count_units(sources, vocabulary)
    return HeldOutFacts(units=units, unit=unit, lzma_bits=compressed)


def count_units(sources: Sequence[Source], vocabulary: Vocabulary) -> tuple[int, str]:
    """Return how many characters some text has, and "char".

    Byte vocabularies take files that are not text; of these the bytes are counted, and the unit is "byte".
    """
    try:
        return sum(len(block) for source in sources for block in text_blocks(source)), "char"
    except DataError:
        if not isinstance(vocabulary, ByteVocabulary):
            raise
        return sum(source.size() for source in sources), "byte"


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
    """Count how often each token of a file's vocabulary occurs, int64 [V], block by block.

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
