"""The comment on a step's arguments in C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loopcell.export.step_model import Quantity, StepModel

_LABELS = 8  # labels of an output that a comment names


def argument_lines(model: StepModel, words: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each input and output: its name in C, its length, what it is of.

    Args:
        model: whose step it is.
        words: the name in C of each quantity.
    """
    for quantity in model.inputs:
        word, most = words[quantity.name], model.tokens(quantity.name)
        token = f"a token, 0 to {most - 1}" if most else "a token"
        yield f"{word}: {token}" if is_token(quantity) else f"{word}[{quantity.size}]: input"
    for output in model.outputs:
        more = ", ..." if len(output.labels) > _LABELS else ""
        labels = f", of {', '.join(output.labels[:_LABELS])}{more}" if output.labels else ""
        safe = labels.replace("*/", "* /").replace("/*", "/ *")
        safe = "".join(letter if letter.isprintable() else "?" for letter in safe)
        yield f"{words[output.name]}[{model.quantities[output.name].size}]: output{safe}"


def is_token(quantity: Quantity) -> bool:
    """Say whether a quantity is the id of a token."""
    return quantity.kind == "token"
