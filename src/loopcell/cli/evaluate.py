"""`loopcell eval MODEL FILE`: how well a model predicts a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.score_table import print_score
from loopcell.cli.values import find_model


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    files: Annotated[list[Path], typer.Argument(help="The text; each file is one document.", metavar="FILE...")],
    debug: Debug = False,
) -> None:
    """Print nats and bits a character and perplexity, beside a unigram model and the compressor LZMA."""
    with reporting(debug):
        from loopcell.tasks import LanguageModel, score_files

        print_score(score_files(LanguageModel.load(find_model(model)), files), "text")
