"""Candidates: the answers of a model to one input, the likeliest first, as texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from loopcell.tasks.seq2seq.target import Written


class Candidate(NamedTuple):
    """One answer of a model.

    Attributes:
        text: a text, or a list of tokens where the targets were such lists.
        log_probability: in nats, of the whole answer with its end.
    """

    text: Written
    log_probability: float


def different(found: Sequence[Candidate]) -> list[Candidate]:
    """Leave out answers whose text is there already: tokens can spell one text in several ways."""
    first: dict[Any, Candidate] = {}
    for one in found:
        first.setdefault(one.text if isinstance(one.text, str) else tuple(one.text), one)
    return list(first.values())


def plain(text: Any) -> str:
    """Return a text as it is; a list of tokens as words."""
    return text if isinstance(text, str) else " ".join(text)
