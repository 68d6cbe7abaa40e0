"""The spelling of flags, where it is not that of the settings in Python: the one table of it.

A setting without a row here has the flag `--its-name`, of its own type. Whatever its name, the help of a flag is the
first sentence that the docstring of the settings says of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from loopcell.cli.values import (
    find_cell,
    parse_delimiter,
    parse_distances,
    parse_lengths,
    parse_names,
    parse_numbers,
    parse_sizes,
    parse_split,
    parse_time,
)


class Spelling(NamedTuple):
    """The spelling of a setting as a flag.

    Attributes:
        names: of the flag, the one that messages use first.
        kind: the type of what is typed, where it is another than the setting's.
        parse: what is typed, as the setting wants it.
        form: what stands for the value in help, such as TIME.
        words: the help, where the setting takes something else from Python than from the shell.
        earlier: a name that it had before, which is still taken.
    """

    names: str
    kind: Any = None
    parse: Callable[[Any], Any] = lambda value: value
    form: str = ""
    words: str = ""
    earlier: str = ""


CELL = "a cell's name, or FILE.py:NAME for one of your own"
_SIZE = "a further size that the cell names, such as proj=128; may be given again"
SEED = "the seed of all that is drawn: the same one gives the same results; None for a fresh one"
_REFIT_SEED = (
    "the seed of all that is drawn: with --refit the same one gives the same results; None for that of the model's "
    "training"
)
_TIME = "the time for the whole command, such as 50m or 1h30m; None for as long as it takes"
_KIND = "of the files, csv, tsv, jsonl, text, ...; None for what is found in them"
_DELIMITER = "what stands between the cells of a table: , ; tab, ..., or blanks; None for what is found in it"
_CLASSES = "how much a class counts in the loss: balanced for rare classes to count as much as frequent ones"
_QUOTE = "the character that encloses a cell of a table, '' for none; None for what is found in it"

# By the field, or by a class and its field where a field of that name is typed otherwise elsewhere.
SPELLINGS: dict[str, Spelling] = {
    "cell": Spelling("--cell", str, find_cell, "CELL", CELL),
    "hidden_size": Spelling("--hidden"),
    "num_layers": Spelling("--layers"),
    "embedding_size": Spelling("--embedding"),
    "sizes": Spelling("--size", list[str], parse_sizes, "NAME=NUMBER", _SIZE),
    "vocabulary_size": Spelling("--vocab-size"),
    "target_vocabulary_size": Spelling("--target-vocab-size"),
    "class_weight": Spelling("--class-weight", str, words=_CLASSES),
    "learning_rate": Spelling("--lr"),
    "last_learning_rate": Spelling("--last-lr"),
    "validation_fraction": Spelling("--val-fraction"),
    "updates": Spelling("--max-steps", earlier="--steps"),
    "evaluate_every": Spelling("--eval-every"),
    "chunk": Spelling("--chunk --seq-length"),
    "time_limit": Spelling("--time-limit", str, parse_time, "TIME", _TIME),
    "random_state": Spelling("--seed", int, words=SEED),
    "BacktestChoice.random_state": Spelling("--seed", int, words=_REFIT_SEED),
    "input": Spelling("--input", form="COLUMN", earlier="--text"),
    "separator": Spelling("--label-separator"),
    "kind": Spelling("--kind", words=_KIND),
    "delimiter": Spelling("--delimiter", str, parse_delimiter, words=_DELIMITER),
    "quote": Spelling("--quote", words=_QUOTE),
    "by": Spelling("--by", form="COLUMN"),
    "names": Spelling("--columns", str, parse_names, "NAMES"),
    "static": Spelling("--static", str, parse_names, "COLUMN"),
    "FileExamples.time": Spelling("--time", str, parse_names, "COLUMN"),
    "carried": Spelling("--id", str, parse_names, "COLUMN"),
    "unit_labels": Spelling("--unit-labels", form="FILE"),
    "statics": Spelling("--statics", form="FILE"),
    "FileExamples.target": Spelling("--label --target", form="COLUMN"),
    "target": Spelling("--target", str, parse_names, "COLUMN"),
    "time": Spelling("--time", str, parse_names, "COLUMN"),
    "time_format": Spelling("--time-format", form="FORMAT"),
    "missing": Spelling("--missing", str, parse_names, "VALUES"),
    "series": Spelling("--series", form="COLUMN"),
    "known": Spelling("--known", str, parse_names, "COLUMN"),
    "past": Spelling("--past", str, parse_names, "COLUMN"),
    "categories": Spelling("--categories", str, parse_names, "COLUMN"),
    "calendar": Spelling("--calendar", str, parse_names, "CYCLE"),
    "holidays": Spelling("--holidays", str, parse_names, "DAY"),
    "quantiles": Spelling("--quantiles", str, parse_numbers, "NUMBERS"),
    "split": Spelling("--split", str, parse_split, "PARTS"),
    "normalise": Spelling("--normalise --normalize"),
    "ForecasterSettings.loss": Spelling("--loss", str),
    "RegressorSettings.loss": Spelling("--loss", str),
    "AnomalySettings.label": Spelling("--anomalies", form="COLUMN", earlier="--label"),
    "augment": Spelling("--augment", str, parse_names, "NAME[=STRENGTH],..."),
    "distances": Spelling("--distances", str, parse_distances, "STEPS,..."),
    "ProblemSettings.updates": Spelling("--updates"),
    "long_memory": Spelling("--long-memory"),
    "ChatSettings.history": Spelling("--turns", earlier="--history"),
    "WordVectorSettings.vector_size": Spelling("--vector-size", earlier="--size"),
    "WordVectorSettings.window": Spelling("--context", earlier="--window"),
    "WordVectorSettings.ngrams": Spelling("--char-ngrams", str, parse_lengths, "3-6", earlier="--ngrams"),
}

NO_FLAG = ("progress", "warm_start")  # the shell always shows it, and begins anew


def spelling_of(config: type[Any], field: str) -> Spelling:
    """Return how a field is typed; without a row as it is written, with dashes."""
    rows = (SPELLINGS.get(f"{kind.__name__}.{field}") for kind in config.__mro__)
    own = next((row for row in rows if row is not None), None)
    return own or SPELLINGS.get(field) or Spelling(f"--{field.replace('_', '-')}")
