"""Limits on the memory that a file may ask for; they bind where the file is smaller than what it becomes.

A compressed file of a kilobyte may become a gigabyte, and a header may promise what is not there. What a file really
holds is never limited; what it only says is, by the table below, and a variable of the environment raises each limit.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from loopcell.errors import UsageError


class Limit(NamedTuple):
    """The most of something that one file may become.

    Attributes:
        variable: the environment variable that sets another limit.
        usual: the limit without it.
        what: what is counted.
    """

    variable: str
    usual: int
    what: str

    def most(self) -> int:
        """Return the limit that holds now; UsageError where the variable is no whole number above 0."""
        text = os.environ.get(self.variable, "")
        if not text:
            return self.usual
        if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text)):
            raise UsageError(f"{self.variable} is the most {self.what}, a whole number above 0, got {text[:40]!r}")
        return int(text)

    def cure(self) -> str:
        """Say how to raise the limit, as the end of a sentence."""
        return f"to allow more, set {self.variable} in the environment"


LONGEST_LINE = Limit("LOOPCELL_LONGEST_LINE", 1 << 26, "characters of a line of text")
MOST_COLUMNS = Limit("LOOPCELL_MOST_COLUMNS", 1 << 20, "columns of a table of text")
LARGEST_ROW = Limit("LOOPCELL_LARGEST_ROW", 1 << 27, "bytes of a row of a compressed array, or a packed .mat variable")
LARGEST_IMAGE = Limit("LOOPCELL_LARGEST_IMAGE", 1 << 26, "pixels of an image")
LONGEST_SOUND = Limit("LOOPCELL_LONGEST_SOUND", 1 << 28, "samples of a sound in memory")
LONGEST_ANSWER = Limit("LOOPCELL_LONGEST_ANSWER", 1 << 10, "tokens of an answer that a model from a file does not end")

LIMITS = (LONGEST_LINE, MOST_COLUMNS, LARGEST_ROW, LARGEST_IMAGE, LONGEST_SOUND, LONGEST_ANSWER)
