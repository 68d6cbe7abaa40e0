"""Byte-pair encoding over bytes, learned and applied by Hugging Face tokenizers.

Sennrich et al. 2016, arXiv:1508.07909; over bytes as in GPT-2.

What is stored is the merges alone, as pairs of ids: token 0 to 255 is that byte, and each merge that makes
new bytes is the next token. So a stored vocabulary is small, closed and easy to check, and decoding needs
no other package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from loopcell.data.text.byte import stream_utf8, to_utf8
from loopcell.data.text.vocabulary import Ids, Unknown, Vocabulary
from loopcell.errors import DataError, FileFormatError, InputError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BYTES = 256
DEFAULT_SIZE = 4096
LONGEST_TOKEN = 256  # bytes; a hostile list of merges could otherwise double a token's length at each merge
_RUN = re.compile(r"\S+|\s+")


class BpeVocabulary(Vocabulary):
    """Byte-level byte-pair encoding: every text is known and comes back as it was."""

    kind: ClassVar[str] = "bpe"

    def __init__(self, merges: Sequence[tuple[int, int]]) -> None:
        """Take the merges, in order, as pairs of ids of tokens that came before; InputError otherwise."""
        self._merges = [tuple(pair) for pair in merges]
        self._tokens = _tokens_of(merges)

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None = None) -> Self:
        """Learn merges until there are `size` tokens (4096 by default), or no pair occurs twice.

        Raises:
            DataError: there is no text.
            UsageError: `size` is below 256, the bytes.
            MissingExtraError: the tokenizers package is not installed.
        """
        size = DEFAULT_SIZE if size is None else size
        if size < BYTES:
            raise UsageError(f"a bpe vocabulary has at least the {BYTES} bytes, got a size of {size}")
        return cls(_learn(texts, size))

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Read what `to_json` gave; FileFormatError for anything else."""
        merges = data.get("merges")
        if not isinstance(merges, list) or not all(_is_pair(pair) for pair in merges):
            raise FileFormatError("the stored vocabulary has no list of merges, each a pair of ids")
        try:
            return cls([(pair[0], pair[1]) for pair in merges])
        except InputError as error:
            raise FileFormatError(f"the stored vocabulary is not valid: {error}") from error

    def to_json(self) -> dict[str, object]:
        """Return the kind and the merges in order."""
        return {"kind": self.kind, "merges": [list(pair) for pair in self._merges]}

    def __len__(self) -> int:
        """Return the bytes and what the merges made."""
        return len(self._tokens)

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Decode ids one by one; a character is given with its last byte. Joined: `decode(ids)`."""
        return stream_utf8(self._tokens[int(self._checked([token])[0])] for token in ids)

    def _encode(self, text: str, start: int, unknown: Unknown) -> Ids:
        to_utf8(text)  # the tokenizer's own refusal of a lone surrogate is not readable
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)

    def _decode(self, ids: Ids) -> str:
        return b"".join([self._tokens[token] for token in ids.tolist()]).decode("utf-8", "replace")

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        spelling = _byte_spelling()
        spelled = ["".join(spelling[byte] for byte in token) for token in self._tokens]
        merges = [(spelled[left], spelled[right]) for left, right in self._merges]
        return _tokenizer({token: number for number, token in enumerate(spelled)}, merges)


def _tokens_of(merges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the bytes of every token. A merge that makes the bytes of an older token adds none."""
    tokens = [bytes([byte]) for byte in range(BYTES)]
    known = set(tokens)
    for number, (left, right) in enumerate(merges):
        if not (0 <= left < len(tokens) and 0 <= right < len(tokens)):
            raise InputError(f"merge {number} joins tokens {left} and {right}, but only {len(tokens)} came before it")
        merged = tokens[left] + tokens[right]
        if len(merged) > LONGEST_TOKEN:
            raise InputError(f"merge {number} makes a token of {len(merged)} bytes, the limit is {LONGEST_TOKEN}")
        if merged not in known:
            known.add(merged)
            tokens.append(merged)
    return tokens


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(token) is int for token in pair)


def _byte_spelling() -> list[str]:
    """Return the printable character that stands for each byte inside the tokenizer (GPT-2's `bytes_to_unicode`)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(BYTES) if byte not in printable]
    spelling = {byte: chr(byte) for byte in printable} | {byte: chr(BYTES + n) for n, byte in enumerate(others)}
    return [spelling[byte] for byte in range(BYTES)]


def _tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers
    except ImportError as error:
        raise MissingExtraError('bpe tokens need the tokenizers package: pip install "loopcell[train]"') from error
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def _learn(texts: Iterable[str], size: int) -> list[tuple[int, int]]:
    """Return the merges that the tokenizers package learns, its spelling turned into ids."""
    spelling = _byte_spelling()
    ids = {character: byte for byte, character in enumerate(spelling)}
    merges = []
    for left, right in _train(texts, size, spelling):
        merges.append((ids[left], ids[right]))
        ids.setdefault(left + right, len(ids))
    return merges


def _train(texts: Iterable[str], size: int, alphabet: list[str]) -> list[tuple[str, str]]:
    tokenizer = _tokenizer({}, [])
    from tokenizers import trainers

    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, show_progress=False, max_token_length=LONGEST_TOKEN
    )
    tokenizer.train_from_iterator(_nonempty(texts), trainer=trainer)
    merges: list[tuple[str, str]] = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    return merges


def _nonempty(texts: Iterable[str]) -> Iterator[str]:
    """Pass the texts on, very long words in pieces; DataError at the end when nothing was in them."""
    empty = True
    for text in texts:
        empty = empty and not text
        to_utf8(text)
        yield from _pieces(text)
    if empty:
        raise DataError("there is no text to build a vocabulary from")


def _pieces(text: str) -> Iterator[str]:
    """Yield the text, cut within words longer than any token: the trainer's time is quadratic in a word's length."""
    start = 0
    for found in _RUN.finditer(text):
        first, end = found.span()
        for cut in range(first + LONGEST_TOKEN, end, LONGEST_TOKEN):
            yield text[start:cut]
            start = cut
    yield text[start:]
