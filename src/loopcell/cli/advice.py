"""The advice of sentences written for Python, as it is said in the shell."""

from __future__ import annotations

import re
import shlex

# Arguments of Python that sentences name, and their flags.
FLAGS = {
    "arithmetic": "--arithmetic",
    "batch_size": "--batch-size",
    "calibrate": "--calibrate",
    "columns": "--columns",
    "data": "--data",
    "delimiter": "--delimiter",
    "encoding": "--encoding",
    "epochs": "--epochs",
    "head": "--head",
    "header": "--header",
    "kind": "--kind",
    "known": "--known",
    "layout": "--layout",
    "past": "--past",
    "learning_rate": "--lr",
    "name": "--name",
    "overwrite": "--overwrite",
    "patience": "--patience",
    "pooling": "--pooling",
    "quote": "--quote",
    "random_state": "--seed",
    "refit": "--refit",
    "regular": "--regular",
    "series": "--series",
    "simd": "--simd",
    "store": "--store",
    "stack_limit": "--stack-limit",
    "target": "--target",
    "time": "--time",
    "time_format": "--time-format",
    "time_limit": "--time-limit",
    "updates": "--max-steps",
    "validation": "--val",
    "validation_fraction": "--val-fraction",
    "verify": "--verify",
    "zone": "--zone",
    "warmup": "--warmup",
    "weights": "--weights",
}
NUMBERS = ("batch_size", "epochs", "learning_rate", "patience", "random_state", "time_limit", "updates", "warmup")
_ARGUMENT = re.compile(
    rf"\b({'|'.join(FLAGS)})=('[^']*'|True|False|\.\.\.|(?=\)))|\b({'|'.join(NUMBERS)})=([-+.\de]*\d)"
)
_ONLY_IN_PYTHON = re.compile(r" \(header=\[[^)]*\)")


def in_flags(sentence: str) -> str:
    """Return a sentence with flags in place of the arguments of Python; advice that has no flag is left out.

    >>> in_flags("if it is Korean text from Windows, say encoding='cp949'")
    'if it is Korean text from Windows, say --encoding cp949'
    """
    return _ARGUMENT.sub(_flag, _ONLY_IN_PYTHON.sub("", sentence))


def _flag(found: re.Match[str]) -> str:
    flag, value = FLAGS[found[1] or found[3]], found[2] or found[4] or ""
    if value in ("True", "False"):
        return flag if value == "True" else flag.replace("--", "--no-", 1)
    text = shlex.quote(value[1:-1]) if value.startswith("'") else value  # a quote of '' is one to type
    return f"{flag} {text}".rstrip()
