"""The flags that say how a trained model writes: settings that can be changed after training."""

from __future__ import annotations

from typing import Any

from loopcell.cli.flags import Flag, flags_of, otherwise

WRITING = ("beam", "length_penalty", "ngram_block", "min_length", "max_length")


def writing_flags(settings: type[Any], *others: str) -> tuple[Flag, ...]:
    """Return them, and those of other settings that can be changed later; nothing typed leaves the model as it is."""
    return otherwise(flags_of(settings, *others, *WRITING), "the model's own")
