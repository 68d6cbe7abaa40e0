"""Words as tokens: what stands between white space. Languages that set no spaces want another kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np

from loopcell.data.text.source import Source, text_blocks
from loopcell.data.text.vocabulary import UNKNOWN_CHARACTER, Ids, Unknown, Vocabulary
from loopcell.errors import DataError, FileFormatError, InputError, UsageError

RESERVED = 1  # id 0: the unknown word
SPACE = " "
_PIECE = re.compile(r"\S+|\s")


class WordVocabulary(Vocabulary):
    """One token for each distinct word, the most frequent first; id 0 stands for unknown words.

    One space between two words is understood. Any other white space is one token per character, so that every text
    comes back as it was. Punctuation belongs to the word that it touches: set it apart before, if it is to be a
    word of its own.
    """

    kind: ClassVar[str] = "word"
    unknown_id: ClassVar[int | None] = 0

    def __init__(self, words: Sequence[str]) -> None:
        """Take the known words in the order of their ids, from 1 on; InputError unless they are distinct words."""
        wrong = next((word for word in words if not _PIECE.fullmatch(word)), None)
        if wrong is not None:
            raise InputError(f"a word has no white space in it and is not empty, got {wrong[:40]!r}")
        self._words = [UNKNOWN_CHARACTER, *words]
        self._ids = {word: number for number, word in enumerate(words, RESERVED)}
        if len(self._ids) < len(words):
            raise InputError("a vocabulary's words are distinct")

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None = None) -> Self:
        """Keep every word of the texts, or the most frequent `size - 1`; errors as in `Vocabulary`."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_pieces(text))
        if not counts:
            raise DataError("there is no text to build a vocabulary from")
        if size is not None and size <= RESERVED:
            raise UsageError(f"a word vocabulary has at least {RESERVED + 1} tokens, got a size of {size}")
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(ranked if size is None else ranked[: size - RESERVED])

    @classmethod
    def build_from_sources(cls, sources: Iterable[Source], size: int | None = None) -> Self:
        """Make the vocabulary of files, holding some lines at a time; errors also as `text_blocks`."""
        return cls.build((lines for source in sources for lines in _whole_lines(source)), size)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Read what `to_json` gave; FileFormatError for anything else."""
        words = data.get("words")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise FileFormatError("the stored vocabulary has no list of words")
        if any("\ud800" <= character <= "\udfff" for word in words for character in word):
            raise FileFormatError("the stored vocabulary is not valid: a word has a lone surrogate, which is not text")
        try:
            return cls(words)
        except InputError as error:
            raise FileFormatError(f"the stored vocabulary is not valid: {error}") from error

    def to_json(self) -> dict[str, object]:
        """Return the kind and the list of words."""
        return {"kind": self.kind, "words": self._words[RESERVED:]}

    def __len__(self) -> int:
        """Return the known words and the unknown one."""
        return len(self._words)

    @property
    def words(self) -> list[str]:
        """The word of each id; the first stands for unknown ones."""
        return list(self._words)

    def encode_source(self, source: Source, unknown: Unknown = "error") -> Iterator[Ids]:
        """Give the ids of a file some lines at a time; errors as `encode` and `text_blocks`."""
        for lines in _whole_lines(source):
            try:
                yield self._encode(lines, 0, unknown)
            except DataError as error:
                raise DataError(f"{source.path}: {error}") from error

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Decode ids one by one; the pieces joined are `decode(ids)`."""
        before: list[int] = []
        for token in ids:
            whole = self.decode([*before, token])
            yield whole[len(self.decode(before)) :]
            before = [token]

    def _encode(self, text: str, start: int, unknown: Unknown) -> Ids:
        pieces = _pieces(text)
        found = np.array([self._ids.get(piece, 0) for piece in pieces], dtype=np.int64)
        if unknown == "error" and len(found) and (found == 0).any():
            raise _unknown_words([pieces[at] for at in np.flatnonzero(found == 0)])
        return found

    def _decode(self, ids: Ids) -> str:
        parts: list[str] = []
        after_word = False
        for token in ids.tolist():
            piece = self._words[token]
            is_word = not piece.isspace()
            parts.append(SPACE + piece if after_word and is_word else piece)
            after_word = is_word
        return "".join(parts)


def _pieces(text: str) -> list[str]:
    """Split into words, and the white space that is not one space between two words."""
    found = _PIECE.findall(text)
    last = len(found) - 1
    return [
        piece
        for at, piece in enumerate(found)
        if piece != SPACE or at in (0, last) or found[at - 1].isspace() or found[at + 1].isspace()
    ]


def _whole_lines(source: Source) -> Iterator[str]:
    """Yield a file's text, cut after ends of lines alone: no word is cut in two."""
    rest: list[str] = []
    for block in text_blocks(source):
        whole, end, rest_of_block = block.rpartition("\n")
        if end:
            yield "".join((*rest, whole, end))
            rest = []
        rest.append(rest_of_block)
    if any(rest):
        yield "".join(rest)


def _unknown_words(words: Sequence[str]) -> DataError:
    distinct = list(dict.fromkeys(words))
    names = ", ".join(repr(word[:40]) for word in distinct[:3])
    more = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
    return DataError(
        f"the vocabulary has no {names}{more}; train on text that has it, or replace it by the unknown word "
        "(unknown='replace')"
    )
