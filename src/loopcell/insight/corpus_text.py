"""The text of a corpus beside its steps: which steps a part of the text is made of, and a label for each step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError, quoted
from loopcell.insight.state_store import StateStore

Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CorpusText:
    """A text, and the characters that each of N steps stands for.

    A step before a character is whole stands for the character that it begins: the jamo of a syllable, the bytes of a
    character.

    Attributes:
        text: the text of all sequences, a line end between two of them.
        begin: the first character of each step, int64 [N].
        end: the character after its last one, int64 [N].
    """

    text: str
    begin: Rows
    end: Rows

    @classmethod
    def of(cls, texts: Sequence[str], separator: str = "", step: Rows | None = None) -> CorpusText:
        """Return the text of steps.

        Args:
            texts: the characters that are whole with each step, N of them.
            separator: what stands between two steps.
            step: the place of each step in its sequence; None for one sequence.
        """
        first = np.arange(len(texts)) == 0 if step is None else step == 0
        between = ["\n" if new else separator for new in first.tolist()]
        between[:1] = [""]
        gaps, sizes = (np.array([len(part) for part in parts], np.int64) for parts in (between, texts))
        end = np.cumsum(gaps + sizes)
        text = "".join([part for pair in zip(between, texts, strict=True) for part in pair])
        return cls(text, end - sizes, np.maximum(end, end - sizes + 1))

    @classmethod
    def of_store(cls, store: StateStore) -> CorpusText:
        """Return the text of a corpus whose states are stored."""
        return cls.of(store.texts, store.file.header.separator, store.step)

    def find(self, text: str) -> tuple[int, int] | None:
        """Return the rows, from the first up to the one after the last, of the first place of a text; None without."""
        place = self.text.find(text)
        if place < 0 or not text:
            return None
        rows = np.flatnonzero((self.end > place) & (self.begin < place + len(text)))
        return int(rows[0]), int(rows[-1]) + 1

    def inside(self, pattern: str) -> Bools:
        """Return which steps lie within a place of a regular expression, [N]; `^` and `$` are those of lines.

        Raises:
            UsageError: it is no regular expression.
        """
        marks = np.zeros(len(self.text) + 2, np.int64)
        for found in _compiled(pattern).finditer(self.text):
            marks[found.start()] += found.end() > found.start()
            marks[found.end()] -= found.end() > found.start()
        within = np.concatenate([[0], np.cumsum(marks.cumsum() > 0)])
        last = np.minimum(self.end, len(self.text))
        return np.asarray(within[last] > within[np.minimum(self.begin, last)])

    def since(self, pattern: str) -> npt.NDArray[np.float64]:
        """Return how many steps ago the last place of a regular expression ended, [N]: 0 for the step after it.

        It is nan before the first place, and within one that has more than one step.

        Raises:
            UsageError: it is no regular expression.
        """
        spans = [found.span() for found in _compiled(pattern).finditer(self.text)]
        starts, ends = np.array(spans, np.int64).reshape(-1, 2).T
        rows = np.searchsorted(self.begin, ends)  # the first step that begins at the end of a place
        count = np.arange(len(self.begin), dtype=np.int64)
        latest = np.searchsorted(rows, count, side="right") - 1
        if not len(rows):
            return np.full(len(count), np.nan)
        firsts = np.searchsorted(self.end, starts, side="right")  # the first step that reaches into a place
        within = _covered(firsts, rows, len(count), least=2)
        return np.where((latest >= 0) & ~within, count - rows[latest], np.nan)


def _covered(firsts: Rows, lasts: Rows, steps: int, least: int) -> Bools:
    """Return which steps lie in a run from a first step up to a last one that has at least so many steps, [steps]."""
    long = lasts - firsts >= least
    marks = np.zeros(steps + 1, np.int64)
    np.add.at(marks, firsts[long], 1)
    np.add.at(marks, lasts[long], -1)
    return np.asarray(marks.cumsum()[:steps] > 0)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise UsageError(f"{quoted(pattern)} is no regular expression: {error}") from error
