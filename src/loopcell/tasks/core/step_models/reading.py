"""Readings of a step: from the numbers of the user, or the id of a token, to what the recurrent layers read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.equations import Value, cell, log, sized, total, where
from loopcell.errors import UsageError
from loopcell.export.step_model import Equations, Lookup, Quantity, formula
from loopcell.export.step_model.of_layers import as_floats
from loopcell.tasks.core.inputs.arrays import ArrayInput
from loopcell.tasks.core.inputs.embedding import TokenEmbedding
from loopcell.tasks.core.inputs.features import FeatureInput
from loopcell.tasks.core.inputs.gaps import Gaps
from loopcell.tasks.core.inputs.input import FirstLayer, Input
from loopcell.tasks.core.inputs.mixed import MixedInput
from loopcell.tasks.core.inputs.text import TextInput
from loopcell.tasks.core.inputs.tokens import TokenInput
from loopcell.tasks.core.inputs.words import WordInput
from loopcell.tasks.core.step_models.features import of_features
from loopcell.tasks.core.step_models.step_input import StepInput, as_scale

ROUNDED = 2.0**-23  # of a number: what it may differ by as a float32
FAR = -1.0  # every number is larger in size, and NaN is not


def reading_of(reads: Input, layer: FirstLayer) -> StepInput:
    """Return what reads a step of an estimator.

    Args:
        reads: the kind of input, with what was learned of it.
        layer: the network's first layer.

    Raises:
        UsageError: a step cannot be read by itself.
    """
    if isinstance(layer, TokenEmbedding):
        return _of_tokens(reads, layer)
    if isinstance(reads, ArrayInput):
        return _of_numbers(reads)
    assert isinstance(reads, FeatureInput)  # there is no other kind
    return of_features(reads)


def _of_tokens(reads: Input, layer: TokenEmbedding) -> StepInput:
    if layer.ngrams is not None:
        raise UsageError("this model reads several tokens at once (ngrams): fit one with ngrams=1 for a step model")
    table = as_floats(layer.embedding.weight)
    token, vector = Quantity("token", 1, "token"), Quantity("embedding", table.shape[1])
    return StepInput(
        (token,), (Lookup(vector, table, token.name),), vector, facts={"tokens": _tokens(reads, len(table))}
    )


def _tokens(reads: Input, count: int) -> list[str]:
    """Return what each token stands for; "" for the unknown one."""
    if isinstance(reads, TextInput):
        unknown = reads.vocabulary.unknown_id
        return ["" if token == unknown else reads.vocabulary.decode([token]) for token in range(count)]
    assert isinstance(reads, TokenInput | WordInput)  # all that has an embedding
    return ["", *(reads.tokens if isinstance(reads, TokenInput) else reads.words)]


# --- numbers, some of which may be missing -------------------------------------------------------------------------


def _of_numbers(reads: ArrayInput) -> StepInput:
    gaps = reads.gaps
    if isinstance(reads, MixedInput):
        raise UsageError("this model reads categories in its steps, and a step model numbers: make numbers of them")
    if gaps.timed:
        raise UsageError(
            "this model reads the time from step to step, which a step model is not given: fit one without times"
        )
    if gaps.fill == "interpolate":
        raise UsageError("fill='interpolate' looks ahead to the next value: fit one with fill='mask' or 'ffill'")
    x = Quantity("x", reads.input_size)
    scale = reads.scale
    assert scale is not None  # a fitted estimator has one
    sizes = {"input": x.size, "read": gaps.width}
    scales = dict(zip(("scale.mean", "scale.deviation"), as_scale(scale), strict=True))
    there = _is_there(reads.named_missing.numbers)
    if gaps.masked or gaps.fill == "ffill":
        graph = cell(_reading_of_gaps(there, told=bool(gaps.masked), forward=gaps.fill == "ffill")).graph
        places = _places(gaps.columns, gaps.masked) if gaps.masked else {}
        stage = Equations(
            Quantity("read", gaps.width),
            graph,
            sizes,
            scales | places,
            {"x": "x"},
            "to the scale of the training data; what is missing (NaN) is filled, and told of behind the numbers",
        )
    else:
        stage = Equations(
            Quantity("read", x.size),
            formula(_scaled(there)),
            {"input": x.size},
            scales,
            {"x": "x"},
            "to the scale of the training data; what is missing (NaN) is read as the mean",
        )
    beside = [_asked(name, there, gaps, long=long) for name, long in gaps.asked]
    further = {name: stage.gives.name for (name, _), stage in zip(gaps.asked, beside, strict=True)}
    return StepInput((x,), (stage, *beside), stage.gives, further, {"columns": reads.names})


def _is_there(named: tuple[float, ...]) -> Callable[[Value], Value]:
    """Return what is 1 where a number is none that stands for a missing value, and 0 there and where it is NaN."""

    def there(x: Value) -> Value:
        found = abs(x) > FAR
        for number in named:
            found = found * (abs(x - number) > ROUNDED * abs(number))
        return found

    return there


def _scaled(there: Callable[[Value], Value]) -> Callable[..., Any]:
    def read(x: Any, *, scale: Any) -> Any:
        observed = there(x)
        return where(observed, (x - scale.mean) / scale.deviation, 0.0)

    return read


def _reading_of_gaps(there: Callable[[Value], Value], *, told: bool, forward: bool) -> Callable[..., Any]:
    """Return the equations of a step with gaps: what `Gaps.encode` does to a whole sequence."""

    def of_values(x: Any, last: Any, scale: Any) -> tuple[Any, Any]:
        observed = there(x)
        return observed, where(observed, (x - scale.mean) / scale.deviation, last if forward else 0.0)

    def tell(value: Any, observed: Any, age: Any, place: Any) -> Any:
        return sized(place.value @ value + place.observed @ observed + place.age @ log(age + 1), "read")

    if told and forward:

        def read(x: Any, last: "input", age: "input", *, scale: Any, place: Any) -> Any:
            observed, last = of_values(x, last, scale)
            return tell(last, observed, age, place), last, where(observed, 1.0, age + 1)

        return read
    if told:

        def read_mask(x: Any, age: "input", *, scale: Any, place: Any) -> Any:
            observed, value = of_values(x, None, scale)
            return tell(value, observed, age, place), where(observed, 1.0, age + 1)

        return read_mask

    def read_last(x: Any, last: "input", *, scale: Any) -> Any:
        _, last = of_values(x, last, scale)
        return last

    return read_last


def _places(columns: int, masked: tuple[int, ...]) -> dict[str, npt.NDArray[np.float32]]:
    """Return where values, their masks and their ages stand: matrices of zeros and ones, [columns + 2 M, columns]."""
    identity, told = np.eye(columns, dtype=np.float32), np.eye(columns, dtype=np.float32)[list(masked)]
    nothing, none_told = np.zeros_like(identity), np.zeros_like(told)
    return {
        "place.value": np.concatenate([identity, none_told, none_told]),
        "place.observed": np.concatenate([nothing, told, none_told]),
        "place.age": np.concatenate([nothing, none_told, told]),
    }


def _asked(name: str, there: Callable[[Value], Value], gaps: Gaps, *, long: bool) -> Equations:
    """Return the stage of what a cell asks for: `mask`, which numbers were observed, or `dt`, the steps since then.

    It is as long as x, or one number a step. What tells of gaps behind the numbers of x is always there itself, and a
    step old.
    """

    def mask(x: Any, *, place: Any) -> Any:
        return sized(place.own @ there(x) + place.other, "read")

    def any_mask(x: Any, *, place: Any) -> Any:
        return sized(place.one * (total(there(x)) > 0.0), "read")

    def dt(x: Any, age: "input", begun: "input", *, place: Any) -> Any:
        passed = sized(place.own @ age + place.other * (total(begun) / gaps.columns), "read")
        return passed, where(there(x), 1.0, age + 1), begun * 0.0 + 1.0

    def passed(x: Any, begun: "input", *, place: Any) -> Any:
        del x  # that it comes is all that counts
        return sized(place.one * (total(begun) / gaps.columns), "read"), begun * 0.0 + 1.0

    forms: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {"mask": (any_mask, mask), "dt": (passed, dt)}
    made = forms[name][long]
    graph = cell(made).graph if name == "dt" else formula(made)
    doc = "which numbers were observed" if name == "mask" else "the steps since each was observed"
    own = np.eye(gaps.width, gaps.columns, dtype=np.float32)
    places = {"place.own": own, "place.other": 1 - own.sum(1)} if long else {"place.one": np.ones(1, np.float32)}
    gives = Quantity(name, gaps.width if long else 1)
    return Equations(gives, graph, {"input": gaps.columns, "read": gives.size}, places, {"x": "x"}, doc)
