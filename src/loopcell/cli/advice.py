"""What sentences advise to say in Python, as it is said in the shell."""

from __future__ import annotations

import re
import shlex

# Arguments of Python that sentences name, and their flags.
FLAGS = {
    "delimiter": "--delimiter",
    "encoding": "--encoding",
    "head": "--head",
    "header": "--header",
    "kind": "--kind",
    "quote": "--quote",
    "regular": "--regular",
    "series": "--series",
    "target": "--target",
    "time": "--time",
    "validation": "--val",
    "validation_fraction": "--val-fraction",
}
_ARGUMENT = re.compile(rf"\b({'|'.join(FLAGS)})=('[^']*'|True|False|\.\.\.|(?=\)))")
_ONLY_IN_PYTHON = re.compile(r" \(header=\[[^)]*\)")


def in_flags(sentence: str) -> str:
    """A sentence with flags in place of the arguments of Python; advice that has no flag is left out.

    >>> in_flags("if it is Korean text from Windows, say encoding='cp949'")
    'if it is Korean text from Windows, say --encoding cp949'
    """
    return _ARGUMENT.sub(_flag, _ONLY_IN_PYTHON.sub("", sentence))


def _flag(found: re.Match[str]) -> str:
    flag, value = FLAGS[found[1]], found[2]
    if value in ("True", "False"):
        return flag if value == "True" else flag.replace("--", "--no-", 1)
    text = value if value == "..." or not value else shlex.quote(value[1:-1])  # a quote of '' is one to type
    return f"{flag} {text}".rstrip()
