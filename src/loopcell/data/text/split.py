"""Holding out the end of a text for evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.text.source import Source
from loopcell.errors import DataError, UsageError


class TokenStream(NamedTuple):
    """Tokens `[N]` and where their documents start, as `Lanes` takes them."""

    tokens: npt.NDArray[Any]
    document_starts: npt.NDArray[np.int64]


def split_held_out(
    tokens: npt.NDArray[Any], document_starts: npt.NDArray[np.int64], fraction: float
) -> tuple[TokenStream, TokenStream]:
    """Cut a stream of tokens: the last `fraction` of it is held out.

    The cut is at `int(N * (1 - fraction))`, the field's habit (tinyshakespeare at 0.1: 1,003,854 and
    111,540 characters). The tokens are views, not copies. To compare vocabularies on the same held-out
    text, cut the text with `split_sources`.

    Returns:
        The training and the held-out stream; a document that is cut starts anew in the second.

    Raises:
        UsageError: `fraction` is not between 0 and 1.
        DataError: one side would be empty.
    """
    cut = _cut(len(tokens), fraction, "tokens")
    starts = np.asarray(document_starts, dtype=np.int64)
    later = starts[starts > cut] - cut
    return TokenStream(tokens[:cut], starts[starts < cut]), TokenStream(tokens[cut:], np.append(np.int64(0), later))


def split_sources(sources: Iterable[Source], fraction: float) -> tuple[list[Source], list[Source]]:
    """Cut texts, one after the other, before they are tokens: the last `fraction` of their bytes is held out.

    The cut moves on to the next character where it falls inside one, and does not depend on the kind of
    tokens.

    Returns:
        The training and the held-out sources; a file that is cut gives one to each.

    Raises:
        UsageError: `fraction` is not between 0 and 1.
        DataError: one side would be empty, or a file cannot be read.
    """
    whole = list(sources)
    sizes = [source.size() for source in whole]
    cut = _cut(sum(sizes), fraction, "bytes")
    training: list[Source] = []
    held_out: list[Source] = []
    for source, size in zip(whole, sizes, strict=True):
        middle = _next_character(source, source.start + min(max(cut, 0), size), source.start + size)
        if middle > source.start:
            training.append(Source(source.path, source.start, middle))
        if middle < source.start + size:
            held_out.append(Source(source.path, middle, source.start + size))
        cut -= size
    if not training or not held_out:
        raise DataError("the text is too short to hold some of it out")
    return training, held_out


def _cut(size: int, fraction: float, unit: str) -> int:
    if not 0 < fraction < 1:
        raise UsageError(f"the held-out fraction is between 0 and 1, got {fraction}")
    cut = int(size * (1 - fraction))
    if not 0 < cut < size:
        raise DataError(f"{size} {unit} are too few to hold out a fraction of {fraction}")
    return cut


def _next_character(source: Source, position: int, end: int) -> int:
    """Return the first start of a UTF-8 character from `position` on; at most 3 bytes of one follow its first."""
    if not source.start < position < end:
        return position
    try:
        with source.path.open("rb") as file:
            file.seek(position)
            following = file.read(min(3, end - position))
    except OSError as error:
        raise DataError(f"{source.path} cannot be read: {error.strerror}") from error
    behind = 0
    while behind < len(following) and following[behind] & 0xC0 == 0x80:
        behind += 1
    return position + behind
