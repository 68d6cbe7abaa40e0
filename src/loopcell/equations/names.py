"""Names: one rule for what an author writes, what a file holds and what code is made of.

Names of values, parameters, states, draws and sizes end up as names in generated code, so a file must not be able to
say more with one than an author can. A cell's own name is a title: free text that no code is made of.
"""

from __future__ import annotations

import keyword
import re

_LONGEST = 100


def is_name(text: object) -> bool:
    """Say whether something can name a value: a Python identifier that is no keyword, of at most 100 letters."""
    return isinstance(text, str) and text.isidentifier() and not keyword.iskeyword(text) and len(text) <= _LONGEST


def is_title(text: object) -> bool:
    """Say whether something can be a cell's name: one printable line of at most 200 letters."""
    return isinstance(text, str) and text.isprintable() and 0 < len(text) <= 2 * _LONGEST


def ascii_name(text: str) -> str:
    """Return a name for generated code, in letters that every compiler takes; distinct names may come out equal."""
    plain = re.sub(r"[^A-Za-z0-9_]", lambda found: f"u{ord(found[0]):x}" if found[0].isalpha() else "_", text)
    return plain if plain[:1].isalpha() or plain[:1] == "_" else f"_{plain}"
