"""Names in generated C: the author's words, kept apart from C's and from those of the headers."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from loopcell.equations.graph import Graph
from loopcell.equations.names import ascii_name

# In the order of their needs: a header uses what stands in those before it.
HEADERS = ("vectors", "coefficients", "functions", "products", "gradients", "rows")
"""What every kernel begins with, in this order; the files lie in headers/."""

_C_WORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof
_Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local bool true false
NULL linux unix main errno stdin stdout stderr assert acc rows list share step ahead begin staying scratch memory
"""
_RESERVED = re.compile(r"(n|of|to|acc|w|now|next|ahead|scratch|sum|total|before|pack|matrix|ld)_\w*|[a-z]\d*")


NARROW_HEADERS = ("products_bf16", "products_int8")
"""What stands in the place of "products" in a kernel of one step with narrow weights."""


@cache
def headers(names: tuple[str, ...] = HEADERS) -> str:
    """Return the text of some headers."""
    folder = Path(__file__).parent / "headers"
    return "\n".join((folder / f"{name}.h").read_text(encoding="utf-8") for name in names)


@cache
def _reserved_words() -> frozenset[str]:
    return frozenset(_C_WORDS.split()) | frozenset(re.findall(r"[A-Za-z_]\w*", headers(HEADERS + NARROW_HEADERS)))


def value_names(graph: Graph) -> list[str]:
    """Return the name in C of every value: its author's word, with a "_" after it where C or we have taken the word."""
    names: list[str] = []
    used: set[str] = set()
    for index, node in enumerate(graph.nodes):
        word = ascii_name(node.name.replace(".", "_") if not node.args else graph.name_of(index))
        if node.op == "state":
            word += "_before"
        if word in _reserved_words() or _RESERVED.fullmatch(word):
            word += "_"
        name = word if word not in used else f"{word}_{index}_"
        used.add(name)
        names.append(name)
    return names
