"""A flag's help, made of what the setting's own docstring says of it: one text for Python and for the shell."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_NONE = re.compile(r"[;.] None(?: for|:) (.+?)(?=[.;] |\.?$)")
_SENTENCE = re.compile(r"(?<=\.) (?=[A-Z\"])")
_NAME = re.compile(r"`(\w+)`")


class Told(NamedTuple):
    """The help of a flag.

    Attributes:
        help: the first sentence about the setting.
        otherwise: what holds where nothing is typed and the default is None.
        always: that holds instead of any default.
    """

    help: str
    otherwise: str = ""
    always: bool = False


def told(meaning: str, flag_of: Callable[[str], str | None]) -> Told:
    """Take the first sentence of a meaning, and what it says of None.

    Args:
        meaning: of a setting, as its docstring has it: "the most tokens of an answer; None for `max_length`."
        flag_of: the flag of another setting, whose name is between backticks; None where there is no such setting.
    """

    def spelled(found: re.Match[str]) -> str:
        return flag_of(found[1]) or found[1]

    none = _NONE.search(meaning)
    rest = meaning if none is None else meaning[: none.start()] + meaning[none.end() :]
    sentence = _NAME.sub(spelled, _SENTENCE.split(rest.strip())[0])
    otherwise = "" if none is None else _NAME.sub(spelled, none[1])
    end = "" if sentence.endswith(".") else "."
    return Told(f"{sentence[:1].upper()}{sentence[1:]}{end}", otherwise)
