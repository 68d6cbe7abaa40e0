"""The table of vocabulary kinds, and reading any of them back."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from loopcell.data.text.bpe import BpeVocabulary
from loopcell.data.text.byte import ByteVocabulary
from loopcell.data.text.char import CharVocabulary
from loopcell.data.text.jamo import JamoVocabulary
from loopcell.data.text.vocabulary import Vocabulary
from loopcell.data.text.word import WordVocabulary
from loopcell.errors import FileFormatError, UsageError

VOCABULARIES: dict[str, type[Vocabulary]] = {
    kind.kind: kind for kind in (CharVocabulary, ByteVocabulary, JamoVocabulary, BpeVocabulary, WordVocabulary)
}


def vocabulary_class(kind: str) -> type[Vocabulary]:
    """Return the vocabulary of a kind: "char", "byte", "jamo", "bpe" or "word".

    Raises:
        UsageError: there is no such kind.
    """
    if kind not in VOCABULARIES:
        near = difflib.get_close_matches(kind, VOCABULARIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VOCABULARIES)}"
        raise UsageError(f"unknown kind of tokens {kind!r}: {hint}")
    return VOCABULARIES[kind]


def vocabulary_from_json(data: object) -> Vocabulary:
    """Read what a vocabulary's `to_json` gave, trusting nothing in it.

    Raises:
        FileFormatError: it is not a vocabulary.
    """
    if not isinstance(data, Mapping):
        raise FileFormatError("the stored vocabulary is not an object")
    kind = str(data.get("kind"))
    if kind not in VOCABULARIES:
        raise FileFormatError(f"the stored vocabulary is of no known kind ({kind[:40]!r})")
    return VOCABULARIES[kind].from_json(data)
