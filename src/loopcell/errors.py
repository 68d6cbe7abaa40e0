"""Every error that loopcell raises on purpose.

    LoopcellError                 exit code 1
    ├── EquationError             what a cell's author wrote cannot be
    │   ├── TraceError            ... read (control flow on a traced value, a wrong return, ...)
    │   └── ShapeError            ... given one shape (a contradiction between two uses)
    ├── InputError                a tensor or argument of the wrong shape, dtype, device or content
    ├── DataError                 a data file that cannot be read as asked
    ├── FileFormatError           a model, state or checkpoint file that is truncated, foreign, newer or hostile
    ├── TrainingError             training could not go on (a loss that is not finite, a full disk, ...)
    ├── FileWriteError            a file that could not be written (a full disk, no permission); the old one stays
    ├── CheckFailed               a cell breaks a law that loopcell.testing.check_cell holds it to
    ├── MissingExtraError         an optional dependency is not installed; the message names the extra
    └── UsageError                exit code 2: the request itself makes no sense
        └── ArgumentError         an argument that a class has not, or that was given without its name

The leaves also derive from the built-in exception that a caller would guess, so that
`except ValueError` keeps working.
"""

from __future__ import annotations

from typing import ClassVar


class LoopcellError(Exception):
    """Base of every error that loopcell raises on purpose."""

    exit_code: ClassVar[int] = 1


class EquationError(LoopcellError, ValueError):
    """A cell's equations cannot be used as written."""


class TraceError(EquationError, TypeError):
    """A cell's function cannot be read as equations."""


class ShapeError(EquationError):
    """Two uses of a value in a cell's equations contradict each other."""


class InputError(LoopcellError, ValueError):
    """A tensor or an argument has the wrong shape, dtype, device or content."""


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
