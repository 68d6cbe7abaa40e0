"""Every error that loopcell raises on purpose.

    LoopcellError                 exit code 1
    ├── EquationError             what a cell's author wrote cannot be
    │   ├── TraceError            ... read (control flow on a traced value, a wrong return, ...)
    │   └── ShapeError            ... given one shape (a contradiction between two uses)
    ├── InputError                a tensor or argument of the wrong shape, dtype, device or content
    │   └── TensorError           ... a tensor that does not fit a network; also a RuntimeError, as torch's
    ├── DataError                 a data file that cannot be read as asked
    ├── FileFormatError           a model, state or checkpoint file that is truncated, foreign, newer or hostile
    ├── TrainingError             training could not go on (a loss that is not finite, a full disk, ...)
    ├── FileWriteError            a file that could not be written (a full disk, no permission); the old one stays
    ├── CheckFailed               a cell breaks a law that loopcell.testing.check_cell holds it to
    ├── MissingExtraError         an optional dependency is not installed; the message names the extra
    └── UsageError                exit code 2: the request itself makes no sense
        └── ArgumentError         an argument that a class has not, or that was given without its name

EquationWarning, a UserWarning, is no error: a cell runs as written, and part of what was written does nothing.

The leaves also derive from the built-in exception that a caller would guess, so that
`except ValueError` keeps working.

Messages quote what stands in files and arguments, and end in terminals and logs. Each of these errors therefore makes
its message `readable`: no control character reaches a terminal, and no message is longer than a page. What is quoted
inside of a sentence goes through `quoted`, or without quotation marks through `escaped`, so that the sentence around it
stays whole.
"""

from __future__ import annotations

import reprlib
from typing import Any, ClassVar

__all__ = [
    "ArgumentError",
    "CheckFailed",
    "DataError",
    "EquationError",
    "EquationWarning",
    "FileFormatError",
    "FileWriteError",
    "InputError",
    "LoopcellError",
    "MissingExtraError",
    "ShapeError",
    "TensorError",
    "TraceError",
    "TrainingError",
    "UsageError",
]

_LONGEST = 2_000
_HEAD, _TAIL = 1_500, 400


def readable(text: str) -> str:
    """Return a text that shows as it stands: what is not printable is escaped, the middle of a long one left out.

    Lines stay lines. Escapes are those of Python's strings; a text that is readable already comes back as it is.
    """
    if len(text) > _LONGEST:
        left_out = f"{len(text) - _HEAD - _TAIL:,} characters left out"
        text = f"{_escaped(text[:_HEAD])[:_HEAD]} [... {left_out} ...] {_escaped(text[-_TAIL:])[-_TAIL:]}"
    return _escaped(text)


def quoted(value: object, longest: int = 80) -> str:
    """Return a value of a file or argument for use in a sentence: as Python writes it, cut after `longest` letters.

    Arrays and tensors are written as the lists or numbers that they hold.
    """
    try:  # the cut comes first: what a file holds may be a thousand times as long as what is shown of it
        value = _plain(value, longest)
        shown = repr(value[: longest + 1]) if isinstance(value, str | bytes) else _SHORT.repr(value)
    except (ValueError, RuntimeError):  # an integer of too many digits, nested too deep, a tensor without memory
        return f"a value of type {type(value).__name__}"
    written = _escaped(shown)
    return written if len(written) <= longest + 2 else f"{written[:longest]}..."


def escaped(text: str, longest: int = 400) -> str:
    """Return a text of a file for use in a sentence, without quotation marks and on one line.

    What is not printable is escaped, and what follows after `longest` letters left out.
    """
    return _escaped(text if len(text) <= longest else f"{text[:longest]}...").replace("\n", "\\n").replace("\t", "\\t")


def _plain(value: Any, longest: int) -> Any:
    """Return an array's or a tensor's values as far as they are shown; times stay: Python's are too coarse."""
    if not hasattr(value, "tolist") or getattr(getattr(value, "dtype", None), "kind", "") in ("M", "m"):
        return value
    return (value[:longest] if getattr(value, "ndim", 0) else value).tolist()


_SHORT = reprlib.Repr()  # the first entries of what has many
_SHORT.maxother = 80  # letters of a time, say


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    return letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()


class LoopcellError(Exception):
    """Base of every error that loopcell raises on purpose; its message is `readable`."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *args: object) -> None:
        super().__init__(*(readable(arg) if isinstance(arg, str) else arg for arg in args))


class EquationError(LoopcellError, ValueError):
    """A cell's equations cannot be used as written."""


class TraceError(EquationError, TypeError):
    """A cell's function cannot be read as equations."""


class ShapeError(EquationError):
    """Two uses of a value in a cell's equations contradict each other."""


class EquationWarning(UserWarning):
    """Something that a cell's author wrote has no effect: a value that nothing uses, a state that nothing reads."""


class InputError(LoopcellError, ValueError):
    """A tensor or an argument has the wrong shape, dtype, device or content."""


class TensorError(InputError, RuntimeError):
    """A tensor's shape, dtype or device does not fit the network. What torch.nn raises here is a RuntimeError."""


class DataError(LoopcellError, ValueError):
    """A data file cannot be read as asked."""


class FileFormatError(LoopcellError, ValueError):
    """A model, state or checkpoint file is truncated, foreign, of a newer format or hostile."""


class TrainingError(LoopcellError, RuntimeError):
    """Training could not go on."""


class FileWriteError(LoopcellError, OSError):
    """A file could not be written; what had its name before is unchanged. `errno` is the system's number."""


class CheckFailed(LoopcellError, AssertionError):  # noqa: N818 - it says what happened, as pytest.fail does
    """A cell breaks one of the laws that every cell obeys; the message names the law and the tensor."""


class MissingExtraError(LoopcellError, ImportError):
    """An optional dependency is not installed."""


class UsageError(LoopcellError, ValueError):
    """The request makes no sense as given."""

    exit_code: ClassVar[int] = 2


class ArgumentError(UsageError, TypeError):
    """A class has no argument of that name, or takes its arguments by name."""
