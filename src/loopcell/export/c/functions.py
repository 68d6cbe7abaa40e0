"""The functions of exported C: those that the equations use, over the numbers of the kernels' functions."""

from __future__ import annotations

import re
from functools import cache

from loopcell.backends.c.codegen.names import header
from loopcell.export.c.names import text

ERROR = "They are within 3 units in the last place of the exact ones."
"""What the functions promise; tests/export/c/test_functions.py measures it."""


def used_functions(code: str) -> str:
    """Return the functions that C uses, and what these use, in order, with their numbers before them."""
    chosen = used_pieces("functions.c", code)
    used = set(re.findall(r"[A-Z][A-Z_0-9]+", chosen))
    numbers = [f"#define {name} {value}" for name, value in _numbers().items() if name in used]
    about = [f"/* Functions of a single number, without a library. {ERROR} */"] if numbers else []
    return "\n".join([*about, *numbers, "", chosen])


def used_pieces(name: str, code: str) -> str:
    """Return the pieces of a text that C uses, and what these use, in order."""
    pieces = _pieces(name)
    wanted: set[int] = set()
    waiting = [code]
    while waiting:
        words = set(re.findall(r"[A-Za-z_]\w*", _without_comments(waiting.pop())))
        for place, (names, piece) in enumerate(pieces):
            if place not in wanted and words & names:
                wanted.add(place)
                waiting.append(piece)
    return "\n\n".join(piece for place, (_, piece) in enumerate(pieces) if place in wanted)


def _without_comments(code: str) -> str:
    return re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)


@cache
def _pieces(name: str) -> tuple[tuple[frozenset[str], str], ...]:
    """Return the pieces of a text, each with the names that it defines."""
    pieces = text(name).strip("\n").split("\n\n")
    return tuple((frozenset(_DEFINED.findall(piece)[-1]), piece) for piece in pieces)


_DEFINED = re.compile(r"^static .*?(\w+)\(|^} (\w+);", re.MULTILINE)


@cache
def _numbers() -> dict[str, str]:
    """Return the kernels' numbers for floats: one source, so that kernels and exports compute the same functions."""
    plain = header("coefficients").rpartition("#else")[2]
    numbers = dict(re.findall(r"#define (\w+) (\S+)", plain))
    numbers["ROOT_HALF_BITS"] += "u"
    for name, terms in re.findall(r"(\w+)_TERMS\[\] = \{([^}]*)\}", plain):
        numbers |= {f"{name}_{place}": term.strip() for place, term in enumerate(terms.split(","))}
    return {"SHIFT": "0x1.8p23f"} | numbers
