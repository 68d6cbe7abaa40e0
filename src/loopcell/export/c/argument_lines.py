"""The comment on a step's arguments in C."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from loopcell.export.step_model import Quantity, StepModel

_TOKENS = 8  # those of a vocabulary that a comment names
_WIDTH = 112


def argument_lines(model: StepModel, words: Mapping[str, str]) -> Iterator[str]:
    """Yield lines for each input and output: its name in C, its length, what its numbers are of in their order.

    Args:
        model: whose step it is.
        words: the name in C of each quantity.
    """
    for quantity in model.inputs:
        word, most = words[quantity.name], model.tokens(quantity.name)
        named = model.columns.get(quantity.name, [])
        if is_token(quantity):
            token = f"a token, 0 to {most - 1}" if most else "a token"
            yield from _wrapped(f"{word}: {token}", _first_of(named))
        else:
            yield from _wrapped(f"{word}[{quantity.size}]: input", named)
    for output in model.outputs:
        tokens = output.labels == tuple(model.columns.get("token", ()))
        labels = _first_of(output.labels) if tokens else list(output.labels)
        yield from _wrapped(f"{words[output.name]}[{model.quantities[output.name].size}]: output", labels)


def _first_of(names: Sequence[str]) -> list[str]:
    return [*names[:_TOKENS], *(["..."] if len(names) > _TOKENS else [])]


def _wrapped(about: str, names: Sequence[str]) -> list[str]:
    """Return a line, or several, that end no comment whatever the names are."""
    whole = f"{about}, of {', '.join(names)}" if names else about
    safe = whole.replace("*/", "* /").replace("/*", "/ *")
    safe = "".join(letter if letter.isprintable() else "?" for letter in safe)
    lines = textwrap.wrap(safe, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return lines or [safe]


def is_token(quantity: Quantity) -> bool:
    """Say whether a quantity is the id of a token."""
    return quantity.kind == "token"
