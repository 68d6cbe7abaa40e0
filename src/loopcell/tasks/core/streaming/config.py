"""The settings of live answers in the shell. No torch here, so that flags are fast."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from loopcell.training.config import Config


class LiveAnswers(Config):
    """The answers to the lines of standard input.

    Attributes:
        stream: answer each line of standard input as it comes; None for when a state of it is kept.
        state_every: live, write the state after so many rows, too; None for at the end alone.
        on_error: live, stop at a line that cannot be read, or skip it and say so.
    """

    stream: bool | None = None
    state_every: PositiveInt | None = None
    on_error: Literal["stop", "skip"] = "stop"
