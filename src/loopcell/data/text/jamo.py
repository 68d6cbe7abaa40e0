"""Hangul syllables as their jamo, everything else as characters.

A syllable is two or three tokens: a leading consonant, a vowel and perhaps a trailing consonant (The
Unicode Standard, section 3.12). Those 67 tokens are set apart from the jamo CHARACTERS that a text may
hold, conjoining (U+1100..) or compatibility (U+3131..), which are characters like any other. So the
encoding is injective: composed text, decomposed text and any mixture come back as they were. All 67 are
always there, so no syllable is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from loopcell.data.text import characters as chars
from loopcell.data.text.vocabulary import UNKNOWN_CHARACTER, Ids, Unknown, Vocabulary, unknown_characters

LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
TRAILS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"

# Token ids: 0 unknown, then the leads, the vowels, the trails, and from LITERAL on the characters.
LEAD = 1
VOWEL = LEAD + len(LEADS)
TRAIL = VOWEL + len(VOWELS)
LITERAL = TRAIL + len(TRAILS)

FIRST_SYLLABLE = 0xAC00
FORMS = len(TRAILS) + 1  # of a syllable, by its trailing consonant: none or one of 27
SYLLABLES = len(LEADS) * len(VOWELS) * FORMS


class JamoVocabulary(Vocabulary):
    """Two or three tokens a Hangul syllable, one for any other character; id 0 is the unknown token.

    Decoding a stray part of a syllable (a model may sample one) shows it as its compatibility jamo: ㅋ, ㅏ.
    """

    kind: ClassVar[str] = "jamo"
    unknown_id: ClassVar[int | None] = 0

    def __init__(self, characters: Sequence[str]) -> None:
        """Take the known characters that are not syllables, distinct and sorted; InputError otherwise."""
        self._table = chars.CharacterTable(characters)
        self._points = np.concatenate(
            [chars.to_points(UNKNOWN_CHARACTER + LEADS + VOWELS + TRAILS), self._table.points]
        )

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None = None) -> Self:
        """Keep every character of the texts that is not a syllable, or the most frequent `size - 68`."""
        counts = chars.count(texts)
        for point in range(FIRST_SYLLABLE, FIRST_SYLLABLE + SYLLABLES):
            counts.pop(chr(point), None)
        return cls(chars.most_frequent(counts, size, LITERAL))

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Read what `to_json` gave; FileFormatError for anything else."""
        return cls(chars.stored_table(data).characters)

    def to_json(self) -> dict[str, object]:
        """Return the kind and the list of characters; the jamo are always the same."""
        return {"kind": self.kind, "characters": list(self._table.characters)}

    def __len__(self) -> int:
        """Return the unknown token, 67 parts of syllables, and the characters."""
        return len(self._points)

    def _encode(self, text: str, start: int, unknown: Unknown) -> Ids:
        points = chars.to_points(text)
        code = points.astype(np.int64) - FIRST_SYLLABLE
        syllable = (code >= 0) & (code < SYLLABLES)
        literal = self._table.find(points) + LITERAL
        missing = ~syllable & (literal < LITERAL)
        if unknown == "error" and missing.any():
            raise unknown_characters(text, np.flatnonzero(missing), start)
        literal[missing] = 0
        return _spread(code, syllable, literal)

    def _decode(self, ids: Ids) -> str:
        points, ends = self._composed(ids)
        return chars.from_points(points[ends])

    def _composed(self, ids: Ids) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        """Return a code point for each id, and where one is whole: a syllable's is at its last jamo."""
        points = self._points[ids].astype(np.int64)
        starts = np.flatnonzero(_is_lead(ids[:-1]) & _is_vowel(ids[1:]))
        after = np.append(ids, 0)[starts + 2]
        form = np.where(_is_trail(after), after - TRAIL + 1, 0)
        last = starts + 1 + (form > 0)
        points[last] = FIRST_SYLLABLE + ((ids[starts] - LEAD) * len(VOWELS) + ids[starts + 1] - VOWEL) * FORMS + form
        ends = np.ones(len(ids), dtype=np.bool_)
        ends[starts] = False
        ends[starts[form > 0] + 1] = False
        return points.astype(np.uint32), ends

    def decode_steps(self, ids: npt.ArrayLike) -> list[str]:
        """Return the text that is whole with each id: a syllable stands at its last jamo."""
        points, ends = self._composed(self._checked(ids))
        return [chr(point) if whole else "" for point, whole in zip(points.tolist(), ends.tolist(), strict=True)]

    def changing(self, ids: Ids) -> Ids:
        """Return, after a syllable without a trailing consonant, all of these: one would make another syllable."""
        is_open = len(ids) > 1 and bool(_is_lead(ids[-2:-1])[0] and _is_vowel(ids[-1:])[0])
        return np.arange(TRAIL, LITERAL if is_open else TRAIL, dtype=np.int64)

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Decode ids one by one; a syllable is given when it is complete. Joined: `decode(ids)`."""
        waiting = np.empty(0, dtype=np.int64)
        for token in ids:
            arrived = self._checked([token])
            if len(waiting) and not _continues(waiting, arrived):
                yield self._decode(waiting)
                waiting = waiting[:0]
            waiting = np.concatenate([waiting, arrived])
            if not _open(waiting):
                yield self._decode(waiting)
                waiting = waiting[:0]
        if len(waiting):
            yield self._decode(waiting)


def _spread(code: Ids, syllable: npt.NDArray[np.bool_], literal: Ids) -> Ids:
    """Lay out one token for a literal and two or three for a syllable, all at once."""
    trail = np.where(syllable, code % FORMS, 0)
    ends = np.cumsum(1 + syllable + (trail > 0), dtype=np.int64)
    ids = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.int64)
    starts = np.append(np.int64(0), ends)[:-1]
    ids[starts] = np.where(syllable, LEAD + code // (len(VOWELS) * FORMS), literal)
    ids[starts[syllable] + 1] = VOWEL + code[syllable] // FORMS % len(VOWELS)
    ids[starts[trail > 0] + 2] = TRAIL + trail[trail > 0] - 1
    return ids


def _is_lead(ids: Ids) -> npt.NDArray[np.bool_]:
    return (ids >= LEAD) & (ids < VOWEL)


def _is_vowel(ids: Ids) -> npt.NDArray[np.bool_]:
    return (ids >= VOWEL) & (ids < TRAIL)


def _is_trail(ids: Ids) -> npt.NDArray[np.bool_]:
    return (ids >= TRAIL) & (ids < LITERAL)


def _open(waiting: Ids) -> bool:
    """Return whether the next token may belong to the same syllable: after a lead, or a lead and a vowel."""
    if len(waiting) == 1:
        return bool(_is_lead(waiting)[0])
    return len(waiting) == 2


def _continues(waiting: Ids, arrived: Ids) -> bool:
    wanted = _is_vowel if len(waiting) == 1 else _is_trail
    return bool(wanted(arrived)[0])
