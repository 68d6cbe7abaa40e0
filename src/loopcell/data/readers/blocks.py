"""Rows in blocks, for what is quicker with many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

ItemT = TypeVar("ItemT")


def in_blocks(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Give the items in lists of `size`, the last one perhaps shorter; what comes before an error is given first."""
    block: list[ItemT] = []
    try:
        for item in items:
            block.append(item)
            if len(block) == size:
                yield block
                block = []
    except Exception:
        if block:
            yield block
        raise
    if block:
        yield block
