"""Names in generated C: the author's words, kept apart from C's and from those of the headers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from loopcell.equations.graph import Graph
from loopcell.equations.names import ascii_name

# In the order of their needs: a header uses what stands in those before it.
HEADERS = ("vectors", "coefficients", "functions", "products", "gradients", "team", "rows")
"""What every kernel begins with, in this order; the files lie in headers/."""

_C_WORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof
_Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local bool true false
NULL linux unix main errno stdin stdout stderr assert
"""
_FRAME_WORDS = "acc rows list share step ahead begin staying scratch memory common own me mine from until"
_RESERVED = re.compile(r"(n|of|to|acc|w|now|next|ahead|scratch|sum|total|before|pack|matrix|ld|part)_\w*|[a-z]\d*")

NARROW_HEADERS = ("products_bf16", "products_int8")
"""What stands in the place of "products" in a kernel of one step with narrow weights."""

TILE_HEADERS = ("tiles_amx", "tiles_model", "tiles", "large_products")
"""What there is besides where products are on tiles: after "products" the instructions or a model of them, then the
products of a step; after all headers those after the reverse loop."""


@cache
def headers(names: tuple[str, ...] = HEADERS) -> str:
    """Return the text of some headers."""
    return "\n".join(map(header, names))


@cache
def header(name: str) -> str:
    """Return the text of one header."""
    return (Path(__file__).parent / "headers" / f"{name}.h").read_text(encoding="utf-8")


@cache
def _reserved_words() -> frozenset[str]:
    texts = headers(HEADERS + NARROW_HEADERS + TILE_HEADERS)
    return frozenset(f"{_C_WORDS} {_FRAME_WORDS}".split()) | frozenset(re.findall(r"[A-Za-z_]\w*", texts))


def is_c_word(word: str) -> bool:
    """Say whether C or its headers have taken a word."""
    return word in _C_WORDS.split()


def is_reserved(word: str) -> bool:
    """Say whether C, the headers or the text around the equations of a kernel have taken a word."""
    return word in _reserved_words() or bool(_RESERVED.fullmatch(word))


def value_names(graph: Graph, taken: Callable[[str], bool] = is_reserved) -> list[str]:
    """Return the name in C of every value: its author's word, with a "_" after it where C or we have taken the word.

    Args:
        graph: whose values.
        taken: says whether a word may not name a value.
    """
    names: list[str] = []
    used: set[str] = set()
    for index, node in enumerate(graph.nodes):
        word = ascii_name(node.name.replace(".", "_") if not node.args else graph.name_of(index))
        if node.op == "state":
            word += "_before"
        if taken(word):
            word += "_"
        name = word if word not in used else f"{word}_{index}_"
        used.add(name)
        names.append(name)
    return names
