"""The configuration of a training run: one small model for each of its parts.

Every number of a run has its default and its bounds here and nowhere else: the settings of estimators take theirs from
here, and the command line shows these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from loopcell.errors import UsageError

ScheduleName = Literal["constant", "linear", "cosine"]
PrecisionName = Literal["32-true", "64-true", "bf16-mixed", "bf16-true"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Updates = Annotated[int, Field(ge=0)]
MOST_SEEDS = 2**32 - 2**16
Seed = Annotated[int, Field(ge=0, lt=MOST_SEEDS)]


class Config(BaseModel):
    """Base of the configuration models: unchangeable, no unknown names, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Truncation(Config):
    """Truncated backpropagation through time: k1 and k2 of Williams and Peng (1990).

    Attributes:
        k1: time steps between two updates.
        k2: time steps that a gradient flows back; None for `k1`. The larger is a multiple of the smaller.
        accumulate: the gradients of so many segments of `k1` steps are added up before an update.

    With k2 below k1 the segment is cut: every loss counts, and no gradient crosses a cut. With k2 above k1
    the last k2 - k1 steps are run again before the new ones, so an update costs k2 / k1 forward passes.
    """

    k1: PositiveInt = 64
    k2: PositiveInt | None = None
    accumulate: PositiveInt = 1

    @model_validator(mode="after")
    def _multiples(self) -> Self:
        shorter, longer = sorted((self.k1, self.k2 or self.k1))
        if longer % shorter:
            raise ValueError(f"of k1 and k2 one has to be a multiple of the other, got {self.k1} and {self.k2}")
        return self

    @property
    def chunk(self) -> int:
        """Time steps in one forward call."""
        return min(self.k1, self.k2 or self.k1)

    @property
    def chunks_per_update(self) -> int:
        """Forward calls whose losses go into one update."""
        return self.k1 // self.chunk * self.accumulate

    @property
    def window(self) -> int:
        """Chunks that a gradient flows through: 1, or more when k2 is above k1."""
        return (self.k2 or self.k1) // self.chunk


class Optimization(Config):
    """AdamW (Loshchilov and Hutter, 2019), its schedule, and clipping.

    Attributes:
        learning_rate: the largest learning rate: of AdamW, after the warm-up.
        schedule: what the learning rate does after the warm-up: constant, linear or cosine. It stays, or falls to zero
            along a line or a half cosine.
        warmup: updates in which the learning rate rises; linearly, from near zero.
        weight_decay: decay of the matrices; vectors (biases, scales) are not decayed.
        clip: the largest norm of the gradient; 0 for any. It is that of the mean loss, over all parameters.
    """

    learning_rate: Positive = 2e-3
    schedule: ScheduleName = "cosine"
    warmup: Updates = 100
    weight_decay: NotNegative = 0.01
    clip: NotNegative = 1.0


class RunLength(Config):
    """The end of a run.

    Attributes:
        epochs: passes over the data.
        updates: updates of the weights, in place of `epochs`.
        time_limit: seconds of training, evaluations among them. Where it comes before the last update, the learning
            rate falls with the time, and is as low at the limit as it would be at the last update.
        patience: evaluations without a lower held-out loss after which training ends; None for all passes.
    """

    epochs: PositiveInt = 10
    updates: PositiveInt | None = None
    time_limit: Positive | None = None
    patience: PositiveInt | None = None

    def total_updates(self, updates_per_epoch: int) -> int:
        """Return the number of updates of a run that nothing ends early."""
        return self.updates or self.epochs * updates_per_epoch


class Intervals(Config):
    """The intervals, in updates, of everything that happens between updates.

    Attributes:
        log_every: updates from one row of metrics to the next.
        save_every: updates from one checkpoint to the next (there is also one after every evaluation).
        evaluate_every: updates from one evaluation on held-out data to the next; None for one after every pass.
        watch: the fewest updates from one look at gates, units and gradients to the next, which is at an evaluation or
            the end of a pass; 0 for none. Where there is a run folder, which keeps what was found.
    """

    log_every: PositiveInt = 20
    save_every: PositiveInt = 200
    evaluate_every: PositiveInt | None = None
    watch: Updates = 100


def _known_device(device: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", device, re.ASCII):
        raise ValueError("a device is auto, cpu, cuda, cuda:N or mps")
    return device


DeviceName = Annotated[str, AfterValidator(_known_device)]


class Hardware(Config):
    """The devices and processes of a run.

    Attributes:
        device: where it runs: auto, cpu, cuda, cuda:N or mps.
        devices: processes to start, each with a device of its own; under torchrun its processes are taken.
        precision: the precision of numbers: 32-true, 64-true, bf16-mixed or bf16-true.
    """

    device: DeviceName = "auto"
    devices: PositiveInt = 1
    precision: PrecisionName = "32-true"


class TrainingConfig(Config):
    """A whole run: the parts above and the two numbers that belong to none of them.

    Attributes:
        seed: of weights, dropout and everything else that is drawn.
        batch_size: B, sequences that are read side by side: lanes of the text, in each process.
    """

    truncation: Truncation = Truncation()
    optimization: Optimization = Optimization()
    length: RunLength = RunLength()
    intervals: Intervals = Intervals()
    hardware: Hardware = Hardware()
    seed: Seed = 1
    batch_size: PositiveInt = 32

    @model_validator(mode="before")
    @classmethod
    def _earlier_names(cls, values: Any) -> Any:
        """Take `rhythm`, as `intervals` was called when runs of loopcell before 0.1 wrote their config."""
        if isinstance(values, Mapping) and "rhythm" in values and "intervals" not in values:
            return {"intervals" if name == "rhythm" else name: value for name, value in values.items()}
        return values


def in_time(config: TrainingConfig, seconds: float) -> TrainingConfig:
    """Shorten the run's time limit by what other work needs; at least one update is made."""
    limit = config.length.time_limit
    if limit is None:
        return config
    length = config.length.model_copy(update={"time_limit": max(1e-3, limit - seconds)})
    return config.model_copy(update={"length": length})


ConfigT = TypeVar("ConfigT")


def configure(
    model: type[ConfigT], values: Mapping[str, Any], names: Mapping[str, str] = MappingProxyType({})
) -> ConfigT:
    """Build a configuration model; what does not fit is a UsageError of one sentence.

    Args:
        model: the pydantic model, or a dataclass of pydantic's types.
        values: its fields; those that are absent take their default.
        names: the user's words for the fields, such as flags.
    """
    try:
        found: ConfigT = _adapter(cast("Any", model)).validate_python(dict(values))
    except ValidationError as error:
        raise UsageError(_sentence(error, names)) from error
    return found


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    """Return what validates a model, made once: that takes longer than to use it."""
    return TypeAdapter(model)


def _sentence(error: ValidationError, names: Mapping[str, str]) -> str:
    """Return the first complaint of pydantic as one sentence that names the field and the value."""
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    name = ".".join(names.get(str(part), str(part)) for part in first["loc"])
    if not name:
        return reason
    return f"{name}: {reason[:1].lower()}{reason[1:]}, got {first['input']!r}"
