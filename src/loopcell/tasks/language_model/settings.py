"""The constructor arguments of a `LanguageModel`, with defaults and bounds. No torch here: flags are fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, PositiveInt

from loopcell.tasks.core.argument_types import CellChoice
from loopcell.tasks.core.config import Probability, Size
from loopcell.tasks.core.pace import Pace
from loopcell.tasks.core.settings import TrainingSettings
from loopcell.training.config import (
    Hardware,
    Intervals,
    Optimization,
    Positive,
    RunLength,
    TrainingConfig,
    Truncation,
    Updates,
    configure,
)

_TRUNCATION, _OPTIMIZATION, _INTERVALS = Truncation(), Optimization(), Intervals()
_LENGTH, _HARDWARE, _RUN = RunLength(), Hardware(), TrainingConfig()


@dataclass(kw_only=True, repr=False, eq=False)
class LanguageModelSettings(TrainingSettings):
    """The arguments of a `LanguageModel`: the network, the tokens, and how a long text is trained on.

    Args:
        cell: a name of `loopcell.cells`, or a cell of your own.
        hidden_size: H, the length of the hidden state.
        num_layers: L, cells on top of each other.
        dropout: the probability that a number is dropped, in training: after the embedding, between layers and before
            the head.
        sizes: further sizes that the cell names, such as {"proj": 64}.
        embedding_size: E, the length of a token's vector; None for `hidden_size`.
        tied: the head reuses the embedding's matrix: that of the tokens (Press and Wolf, 2017); the output has to be of
            length E.
        tokens: what one step of a text is: char, byte, jamo, bpe or word.
        vocabulary_size: the most tokens of the vocabulary; None for what is usual for the kind of tokens.
        chunk: time steps between two updates, k1 of truncated backpropagation through time.
        bptt: time steps that a gradient flows back, k2; None for `chunk`. The larger is a multiple of the smaller.
        accumulate: the gradients of so many chunks are added up before an update.
        epochs: passes over the data.
        updates: updates of the weights, in place of `epochs`.
        patience: evaluations without a lower held-out loss after which training ends; None for all passes.
        validation_fraction: how much of the data is held out: of its bytes, at the end, to choose the best weights by;
            0 for nothing.
        batch_size: B, sequences that are read side by side: lanes of the text, in each process.
        learning_rate: the largest learning rate: of AdamW, after the warm-up.
        warmup: updates in which the learning rate rises; at most half of all.
        log_every: updates from one row of metrics to the next, in the run folder.
        save_every: updates from one checkpoint to the next, in the run folder (there is also one after every
            evaluation).
        evaluate_every: updates from one evaluation on held-out data to the next; None for one after every pass.
        devices: processes to start, each with a device of its own; under torchrun its processes are taken.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False
    )

    usual_pace: ClassVar[Pace] = Pace(
        _RUN.batch_size, _LENGTH.epochs, _LENGTH.patience, _OPTIMIZATION.learning_rate, _OPTIMIZATION.warmup
    )

    cell: CellChoice = "lstm"
    hidden_size: Size = 256
    num_layers: Annotated[int, Field(ge=1, le=1000)] = 2
    dropout: Probability = 0.0
    sizes: dict[str, Size] | None = None
    embedding_size: Size | None = None
    tied: bool = False
    tokens: str = "char"
    vocabulary_size: PositiveInt | None = None
    chunk: PositiveInt = _TRUNCATION.k1
    bptt: PositiveInt | None = _TRUNCATION.k2
    accumulate: PositiveInt = _TRUNCATION.accumulate
    epochs: PositiveInt = _LENGTH.epochs
    updates: PositiveInt | None = _LENGTH.updates
    patience: PositiveInt | None = _LENGTH.patience
    batch_size: PositiveInt = _RUN.batch_size
    learning_rate: Positive = _OPTIMIZATION.learning_rate
    warmup: Updates = _OPTIMIZATION.warmup
    log_every: PositiveInt = _INTERVALS.log_every
    save_every: PositiveInt = _INTERVALS.save_every
    evaluate_every: PositiveInt | None = _INTERVALS.evaluate_every
    devices: PositiveInt = _HARDWARE.devices

    def training_config(self, seed: int, examples: int = 1) -> TrainingConfig:
        """Return the same in the words of the training engine, which reads a stream in chunks.

        Raises:
            UsageError: of `chunk` and `bptt` neither is a multiple of the other, or there is no such device.
        """
        config = super().training_config(seed, examples)
        parts = {
            "truncation": configure(Truncation, {"k1": self.chunk, "k2": self.bptt, "accumulate": self.accumulate}),
            "length": config.length.model_copy(update={"updates": self.updates}),
            "intervals": Intervals(
                log_every=self.log_every,
                save_every=self.save_every,
                evaluate_every=self.evaluate_every,
                watch=self.watch,
            ),
            "hardware": config.hardware.model_copy(update={"devices": self.devices}),
        }
        return config.model_copy(update=parts)
