"""Lines of a stream as soon as each is there, with what is wrong with one in its place: the next ones go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from loopcell.data.limits import LONGEST_LINE
from loopcell.data.readers.lines import check_encoding
from loopcell.data.text.source import BYTE_ORDER_MARK
from loopcell.errors import DataError, UsageError

BLOCK = 1 << 16


class LiveLine(NamedTuple):
    """One line.

    Attributes:
        number: from 1.
        text: without its end.
        ended: whether it has an end: the last line may have been cut off.
        error: why there is no text; None where there is.
    """

    number: int
    text: str
    ended: bool = True
    error: DataError | None = None


def live_lines(stream: BinaryIO, name: str, encoding: str = "utf-8") -> Iterator[LiveLine]:
    """Yield the lines of a stream, each as soon as it has come.

    Args:
        stream: what is read.
        name: what it is called in errors.
        encoding: of its text, one whose lines end in the byte of a newline.

    Raises:
        UsageError: there is no such encoding, or lines end otherwise in it.
    """
    if "\n".encode(check_encoding(encoding)) != b"\n":
        raise UsageError(
            f"a live stream is read line by line, and in {encoding} no single byte ends a line: turn it into UTF-8 "
            f"first (iconv -f {encoding} -t utf-8)"
        )
    longest, number = LONGEST_LINE.most(), 0
    while raw := stream.readline(longest + 1):
        number += 1
        yield _line(stream, raw, number, (name, encoding, longest))


def _line(stream: BinaryIO, raw: bytes, number: int, how: tuple[str, str, int]) -> LiveLine:
    name, encoding, longest = how
    ended = raw.endswith(b"\n")
    if not ended and len(raw) > longest:
        reason = f"is longer than {longest:,} bytes: this is no text; {LONGEST_LINE.cure()}"
        return LiveLine(number, "", _skip(stream), DataError(f"{name} line {number} {reason}"))
    try:
        text = raw.decode(encoding)
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        reason = f"{name} line {number} is not {encoding} text: byte 0x{raw[at]:02x} at place {at + 1}"
        return LiveLine(number, "", ended, DataError(reason))
    return LiveLine(number, text.removesuffix("\n").removesuffix("\r").removeprefix(BYTE_ORDER_MARK), ended)


def _skip(stream: BinaryIO) -> bool:
    """Read up to the end of a line in little memory, and return whether it has one."""
    while block := stream.readline(BLOCK):
        if block.endswith(b"\n"):
            return True
    return False
