"""Bounds of sizes and probabilities, and how a token is drawn. No torch here, so that flags are fast."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from loopcell.training.config import Config

Size = Annotated[int, Field(ge=1, le=2**20)]
Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class SamplingConfig(Config):
    """The way in which the next token is drawn from the model's distribution.

    Attributes:
        temperature: divides the logits: below 1 is safer, above 1 wilder, 0 takes the most probable token each time.
        top_k: draw from so many most probable tokens only; None for all.
        top_p: draw only from the smallest set of tokens that together have this probability (Holtzman et al., 2020);
            None for all.
    """

    temperature: Annotated[float, Field(ge=0.0)] = 1.0
    top_k: PositiveInt | None = None
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
