"""Names in exported C: the author's words, kept apart from C's and from those of the text around the equations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from loopcell.backends.c.codegen.names import is_c_word, value_names
from loopcell.equations import Graph
from loopcell.equations.names import ascii_name
from loopcell.errors import UsageError, quoted

_OURS = "model state unit output product token result stage step size bytes buffer steps int_has_32_bits"
_FRAME = re.compile(r"(f|next|products|step|total)_\w*|\w+_t|[A-Z][A-Z0-9_]+")  # macros are in capitals
_LONGEST = 60
_FILES = ("check", "makefile", "report", "run")  # what files beside the model, or of its proof, are called


@cache
def text(name: str) -> str:
    """Return one of the pieces of C in the folder text/."""
    return (Path(__file__).parent / "text" / name).read_text(encoding="utf-8")


@cache
def words() -> frozenset[str]:
    """Return the words that the text around the equations has taken."""
    pieces = "\n".join(text(path.name) for path in sorted((Path(__file__).parent / "text").iterdir()))
    functions = re.findall(r"\b([A-Za-z_]\w+)(?= ?\()|#define (\w+)|^} (\w+);", pieces, re.MULTILINE)
    return frozenset(word for words in functions for word in words if word) | frozenset(_OURS.split())


def is_taken(word: str) -> bool:
    """Say whether a word may not name a value."""
    return is_c_word(word) or word in words() or bool(_FRAME.fullmatch(word))


def local_names(graph: Graph) -> list[str]:
    """Return the name in C of every value of a stage."""
    return value_names(graph, is_taken)


def model_name(wanted: str) -> str:
    """Return the name of a model as an identifier of C, in small letters, from any text.

    Raises:
        UsageError: nothing is left of it, C has taken the word, or a file beside the model is called so.
    """
    plain = re.sub(r"_+", "_", ascii_name(wanted).lower()).strip("_")
    if not plain or not plain[0].isalpha() or len(plain) > _LONGEST:
        raise UsageError(
            f"a model's name in C begins with a letter and has at most {_LONGEST} letters, digits and underscores; "
            f"got {quoted(wanted)}; say name='another'"
        )
    if is_c_word(plain):
        raise UsageError(f"{plain!r} is a word of C and cannot be a model's name; say name='{plain}_model'")
    if plain in _FILES:
        raise UsageError(
            f"{plain!r} is what a file beside the model is called, and cannot be its name; say name='{plain}_model'"
        )
    return plain


class Names:
    """Words that are taken one after the other, each once.

    Args:
        taken: words that are gone from the start.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def take(self, wanted: str) -> str:
        """Return the word as an identifier, with a number after it where it has gone already."""
        plain = ascii_name(wanted)
        word, number = plain, 1
        while word in self._taken or is_c_word(word):
            number += 1
            word = f"{plain}_{number}"
        self._taken.add(word)
        return word
