"""`loopcell chat MODEL`: a conversation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.flags import Seed, Settings, otherwise, with_flags
from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.sample import FLAGS as CHOICE
from loopcell.cli.standard_input import Encoding, as_line, input_lines
from loopcell.cli.values import find_model
from loopcell.cli.writing import writing_flags
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.seq2seq.settings import ChatSettings

BEST = "answers are not drawn, but the best of beam search"
FLAGS = (*otherwise(CHOICE, BEST), *writing_flags(ChatSettings, "history"))


@with_flags(FLAGS)
def chat(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    candidates: Annotated[int, typer.Option(min=1, help="Answers to show; the first one counts as said.")] = 1,
    seed: Seed = None,
    encoding: Encoding = "utf-8",
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Answer every line that is typed; an empty one ends the conversation and begins another."""
    with reporting(debug):
        settings = Settings(FLAGS, typed)
        settings.build(ChatSettings)  # names the flag that is out of its bounds
        # Without a word about drawing, the answers are the best of beam search.
        choice = settings.build(SamplingConfig) if settings.given(SamplingConfig) or seed is not None else None
        early.demand_model(find_model(model), "chat")
        from loopcell.tasks import Chat
        from loopcell.tasks.seq2seq.candidates import plain

        loaded = Chat.load(find_model(model)).set_params(**settings.given(ChatSettings))
        turns: list[str] = []
        for number, line in enumerate(input_lines(encoding)):
            if not line.strip():
                turns = []
                continue
            turns.append(line)
            found = loaded.reply(turns, candidates, choice=choice, seed=None if seed is None else seed + number)
            for one in found:
                text = as_line(one.text)
                sys.stdout.write(text if candidates == 1 else f"{one.log_probability:8.2f}  {text}")
                sys.stdout.write("\n")
            sys.stdout.flush()
            turns.append(plain(found[0].text))
