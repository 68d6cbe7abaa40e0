"""Types of estimators' arguments whose values are checked in a way of their own: cells, seeds, weights, "auto"."""

from __future__ import annotations

import math
import secrets
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    PositiveInt,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from loopcell.equations import Cell
from loopcell.tasks.core.augmentations import strengths_of
from loopcell.tasks.core.pace import AUTO
from loopcell.training.config import MOST_SEEDS, Fraction, Positive, Updates


def _cell(value: object) -> object:
    if not isinstance(value, str | Cell):
        raise ValueError("a cell is a name of loopcell.cells or made by @cell")
    return value


def _random_state(value: object) -> object:
    seed = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_SEEDS
    if not seed and value is not None and not hasattr(value, "randint"):
        raise ValueError(f"a random state is a whole number below {MOST_SEEDS}, a numpy.random.RandomState or None")
    return value


def drawn_seed(random_state: Any) -> int:
    """Return a seed: the given one, the next of a `numpy.random.RandomState`, or of None a fresh one."""
    if isinstance(random_state, int):
        return random_state
    return secrets.randbelow(2**31) if random_state is None else int(random_state.randint(2**31))


def _class_weight(value: object) -> object:
    if isinstance(value, list):  # as JSON keeps it
        value = dict(value)
    weights = list(value.values()) if isinstance(value, dict) else []
    if value not in (None, "balanced") and not (weights and all(_is_weight(weight) for weight in weights)):
        raise ValueError('class weights are "balanced", None, or a dictionary from labels to numbers of at least 0')
    return value


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < float("inf")


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError(f"it has to be a power of two, such as 2, 4 or 8, not {value}")
    return value


def _number_loss(value: object) -> object:
    if value is not None and not callable(value) and value not in get_args(NumberLossName):
        raise ValueError(f"a function was expected, {', '.join(get_args(NumberLossName))}, or None")
    return value


def _or_auto(value: object, check: ValidatorFunctionWrapHandler) -> object:
    return value if value == AUTO else check(value)


def _augmentations(value: object) -> object:
    names = [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
        raise ValueError('augmentations are names such as "jitter" or "crop=0.8", in a tuple or with commas between')
    strengths_of(names)
    return tuple(names)


def _missing(value: object) -> object:
    """Return one word or number, or several, as a tuple."""
    named = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    named = tuple(one.item() if hasattr(one, "item") else one for one in named)  # NumPy's numbers
    if any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in named):
        raise ValueError("missing values are words and numbers, such as (-999, 'unknown')")
    return tuple(one for one in named if not (isinstance(one, float) and math.isnan(one)))  # NaN is one anyway


NumberLossName = Literal["mse", "mae", "huber", "quantile"]
FillName = Literal["mask", "ffill", "interpolate"]
PoolingName = Literal["last", "mean", "max", "max-mean", "attention"]
PoolingChoice = Literal["auto", "last", "mean", "max", "max-mean", "attention"]
# Numbers that may be "auto"; the type is the number's, so that bounds and their errors are a number's.
_AUTO = (WrapValidator(_or_auto), PlainSerializer(lambda value: value))
AutoCount = Annotated[PositiveInt, *_AUTO]
AutoPatience = Annotated[PositiveInt | None, *_AUTO]
Augmentations = Annotated[tuple[str, ...], PlainValidator(_augmentations), PlainSerializer(list)]
AutoStride = Annotated[Annotated[int, Field(ge=1, le=256), AfterValidator(_power_of_two)], *_AUTO]
AutoWarmup = Annotated[Updates, *_AUTO]
AutoRate = Annotated[Positive, *_AUTO]
AutoFraction = Annotated[Fraction, *_AUTO]
Level = Annotated[float, Field(gt=0.0, lt=1.0)]
NumberLoss = Annotated[Any, PlainValidator(_number_loss)]
CellChoice = Annotated[str | Cell, PlainValidator(_cell)]
MissingWords = Annotated[Any, PlainValidator(_missing)]
RandomState = Annotated[Any, PlainValidator(_random_state)]
# JSON would make strings of labels that are numbers, so a model file has pairs.
ClassWeight = Annotated[
    Literal["balanced"] | dict[Any, float] | None,
    PlainValidator(_class_weight),
    PlainSerializer(lambda value: list(value.items()) if isinstance(value, dict) else value),
]
