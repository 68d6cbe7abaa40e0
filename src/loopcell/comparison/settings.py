"""The arguments of a comparison on a problem with a known answer. No torch here: flags are fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, PositiveInt

from loopcell.tasks.core.config import Size
from loopcell.training.config import NotNegative, Positive

DISTANCES = {"adding": (50, 100, 200), "copying": (5, 10, 20), "recall": (10, 20, 40, 80)}
"""The distances that are tried where none are given."""


@dataclass(kw_only=True, repr=False, eq=False)
class ProblemSettings:
    """Arguments of a problem with a known answer: the network and its training, the same for every cell.

    Args:
        distances: the distances that are tried, in steps, such as (10, 20, 40); None for those that are usual.
        hidden_size: H, the length of the hidden state.
        sizes: further sizes that the cell names, such as {"proj": 64}.
        updates: the most updates of the weights of one run; it ends before that when the problem is solved.
        batch_size: B, sequences that are read side by side: drawn anew for each update.
        learning_rate: the largest learning rate: of Adam, constant.
        clip: the largest norm of the gradient; 0 for any.
        long_memory: begin with the start values that are meant for a long memory: orthogonal recurrent matrices, and
            gates with time scales up to the distance (chrono); else as torch.nn.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    distances: tuple[PositiveInt, ...] | None = None
    hidden_size: Size = 32
    sizes: dict[str, Size] | None = None
    updates: PositiveInt = 2000
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Positive = 3e-3
    clip: NotNegative = 1.0
    long_memory: bool = True
