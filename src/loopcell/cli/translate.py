"""`loopcell translate MODEL`: a text for every line of standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.flags import Settings, with_flags
from loopcell.cli.reporting import Debug, reporting, say_unknown
from loopcell.cli.standard_input import Encoding, as_line, input_lines
from loopcell.cli.values import find_model
from loopcell.cli.writing import writing_flags
from loopcell.tasks.seq2seq.settings import Seq2SeqSettings

FLAGS = writing_flags(Seq2SeqSettings)


@with_flags(FLAGS)
def translate(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    n_best: Annotated[int, typer.Option(min=1, help="So many answers a line, with their log-probabilities.")] = 1,
    encoding: Encoding = "utf-8",
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Read lines from standard input and write one for each, in order, block after block."""
    with reporting(debug):
        settings = Settings(FLAGS, typed)
        settings.build(Seq2SeqSettings)  # names the flag that is out of its bounds
        early.demand_model(find_model(model), "seq2seq")
        from loopcell.data.readers.blocks import in_blocks
        from loopcell.tasks import Seq2Seq

        loaded = Seq2Seq.load(find_model(model)).set_params(**settings.given(Seq2SeqSettings))
        size = 1 if sys.stdin.isatty() else loaded.reading_batch()
        unknown = 0
        for lines in in_blocks(input_lines(encoding), size):
            unknown += loaded.unknown(lines)
            for found in loaded.candidates(lines, n_best):
                _write(found, several=n_best > 1)
            sys.stdout.flush()
        say_unknown(unknown)


def _write(found: list[Any], *, several: bool) -> None:
    for one in found:
        text = as_line(one.text)
        sys.stdout.write(f"{one.log_probability:.4f}\t{text}\n" if several else f"{text}\n")
