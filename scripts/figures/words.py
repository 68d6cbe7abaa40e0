"""The words of the figures, in English and Korean, in one table: `words.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from figures.figure import Words


@cache
def table() -> dict[str, dict[str, str]]:
    """Return the table: from a name to the words by language."""
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def words_in(language: str) -> Words:
    """Return what gives the words of one language by their names."""
    return lambda name: table()[name][language]
