"""`loopcell sample MODEL`: text from a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.flags import Seed, Settings, flags_of, with_flags
from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.values import find_model
from loopcell.tasks.core.config import SamplingConfig

FLAGS = flags_of(SamplingConfig)


@with_flags(FLAGS)
def sample(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    prime: Annotated[str, typer.Option(help="How the text begins.")] = "",
    length: Annotated[int, typer.Option(min=0, help="Characters to write after the prime.")] = 500,
    stop: Annotated[str, typer.Option(help="End before this string.")] = "",
    seed: Seed = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Write on after a prime, character after character."""
    with reporting(debug):
        drawn = Settings(FLAGS, typed).build(SamplingConfig)
        early.demand_model(find_model(model), "language-model")
        from loopcell.tasks import LanguageModel

        loaded = LanguageModel.load(find_model(model))
        for piece in loaded.generate(prime, length=length, stop=stop, seed=seed, **drawn.model_dump()):
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")
