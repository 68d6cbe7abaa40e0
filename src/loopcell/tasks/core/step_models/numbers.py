"""Steps of numbers, some of which may be missing, of categories and of times, as a network reads them.

It is what `Gaps.encode` and `MixedInput` do to a whole sequence, one step at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from loopcell.equations import Graph, Value, cell, log, sized, total, where
from loopcell.errors import UsageError
from loopcell.export.step_model import Equations, Quantity, Stage, formula
from loopcell.export.step_model.formulas import with_inputs
from loopcell.export.step_model.stages import Floats
from loopcell.tasks.core.inputs.arrays import ArrayInput
from loopcell.tasks.core.inputs.mixed import MixedInput
from loopcell.tasks.core.step_models.categories import columns_of, ones_stage, token_facts, token_inputs
from loopcell.tasks.core.step_models.step_input import StepInput, as_scale

ROUNDED = 2.0**-23  # of a number: what it may differ by as a float32
FAR = -1.0  # every number is larger in size, and NaN is not
X, DT = "x", "dt"
NOTE = "dt is the time since the step before, as training's times have it; that of the first step is not read"


def of_numbers(reads: ArrayInput) -> StepInput:
    """Return what reads a step of numbers and categories.

    Raises:
        UsageError: gaps are filled by values to come, or the scale is beyond float32.
    """
    if reads.gaps.fill == "interpolate":
        raise UsageError("fill='interpolate' looks ahead to the next value: fit one with fill='mask' or 'ffill'")
    return _NumberStep(reads).made()


class Term(NamedTuple):
    """A part of what the network reads.

    Attributes:
        quantity: of numbers.
        places: the matrix [width, n] that puts them in their places; None where they stand in these already.
        logged: whether log(1 + n) stands there.
    """

    quantity: Quantity
    places: Floats | None
    logged: bool = False


class _NumberStep:
    """The stages of a step, each made when it is first asked for.

    Args:
        reads: the kind of input, with what was learned of it.
    """

    def __init__(self, reads: ArrayInput) -> None:
        self._reads, self._gaps = reads, reads.gaps
        self._stages: dict[str, Stage] = {}
        categories = reads.categories if isinstance(reads, MixedInput) else {}
        self._ones = columns_of(reads.raw, categories) if isinstance(reads, MixedInput) else {}
        of_ones = {column for columns in self._ones.values() for column in columns}
        self._own = [column for column in range(reads.input_size) if column not in of_ones]
        raw = reads.raw if isinstance(reads, MixedInput) else []
        self._tokens = token_inputs([raw[at] for at in categories], (X, DT))
        self._categories = list(categories.values())
        self._x = Quantity(X, len(self._own))

    def made(self) -> StepInput:
        """Return the start of a step."""
        gaps = self._gaps
        dt = [Quantity(DT, 1)] if gaps.timed else []
        inputs = (*([self._x] if self._own else []), *dt, *self._tokens)
        plain = not (gaps.masked or gaps.tells_time or self._tokens)
        gives = self._values("read") if plain else self._told()
        further = {name: self._asked(name, long=long).name for name, long in gaps.asked}
        facts: dict[str, object] = {"columns": [self._reads.names[column] for column in self._own]}
        if self._tokens:
            facts["categories"] = token_facts(self._tokens, self._categories)
        notes = (NOTE,) if gaps.timed else ()
        return StepInput(inputs, tuple(self._stages.values()), gives, further, facts, notes=notes)

    def _add(self, stage: Stage) -> Quantity:
        return self._stages.setdefault(stage.gives.name, stage).gives

    # --- what is known of the columns of numbers -------------------------------------------------------------------

    def _values(self, name: str) -> Quantity:
        """Add the numbers on their scale; in place of a missing one the last, or the mean, which is 0."""
        there, forward = self._is_there(), self._gaps.fill == "ffill"
        scale = self._reads.scale
        assert scale is not None  # a fitted estimator has one
        mean, deviation = (part[self._own] for part in as_scale(scale))

        def value(x: Any, *, scale: Any) -> Any:
            return where(there(x), (x - scale.mean) / scale.deviation, 0.0)

        def carried(x: Any, last: "input", *, scale: Any) -> Any:
            return where(there(x), (x - scale.mean) / scale.deviation, last)

        graph = cell(carried).graph if forward else formula(value)
        doc = f"to the scale of the training data; missing (NaN) is {'the value before' if forward else 'the mean'}"
        learned = {"scale.mean": mean, "scale.deviation": deviation}
        return self._of_x(name, graph, learned, doc)

    def _observed(self) -> Quantity:
        there = self._is_there()

        def observed(x: Any) -> Any:
            return there(x)

        return self._of_x("observed", formula(observed), {}, "1 for each number that is there, 0 for a missing one")

    def _of_x(self, name: str, graph: Graph, learned: Mapping[str, Floats], doc: str) -> Quantity:
        size = self._x.size
        return self._add(Equations(Quantity(name, size), graph, {"input": size}, learned, {"x": X}, doc))

    def _is_there(self) -> Callable[[Value], Value]:
        """Return what is 1 where a number is none that stands for a missing value, and 0 there and where it is NaN."""
        named = self._reads.named_missing.numbers

        def there(x: Value) -> Value:
            found = abs(x) > FAR
            for number in named:
                found = found * (abs(x - number) > ROUNDED * abs(number))
            return found

        return there

    def _passed(self) -> Quantity:
        """Add the time since the step before, 0 for the first one; without times each is 1."""
        unit = float(self._gaps.unit)

        def elapsed(dt: Any, begun: "input") -> Any:
            return begun * dt / unit, begun * 0.0 + 1.0

        def counted(x: Any, begun: "one") -> Any:
            del x  # that it comes is all that counts
            return begun * 1.0, begun * 0.0 + 1.0

        # Without columns of numbers it is by the ones of a category that a step is known to have come.
        came = self._x if self._own else self._ones_of(0)
        of_x = {"x": came.name}, {"input": came.size, "one": 1}
        reads, sizes = ({"dt": DT}, {"input": 1}) if self._gaps.timed else of_x
        graph = cell(elapsed if self._gaps.timed else counted).graph
        doc = "the time since the step before, which the first one has not"
        return self._add(Equations(Quantity("passed", 1), graph, sizes, {}, reads, doc))

    def _since(self) -> Quantity:
        """Add how long ago each number was observed, this step left out."""

        def age_of(observed: Any, passed: "one", /, age: "input") -> Any:
            since = age + total(passed)
            return since, where(observed, 0.0, since)

        reads = {"observed": self._observed().name, "passed": self._passed().name}
        sizes, gives = {"input": self._x.size, "one": 1}, Quantity("since", self._x.size)
        return self._add(Equations(gives, cell(age_of).graph, sizes, {}, reads, "how long ago each was observed"))

    # --- what the network reads ------------------------------------------------------------------------------------

    def _told(self) -> Quantity:
        """Add x: the numbers, the ones of categories, and what tells of gaps and times behind them."""
        gaps, count = self._gaps, len(self._gaps.masked)
        places = {column: gaps.columns + at for at, column in enumerate(gaps.masked)}
        told = {column: at for column, at in places.items() if column in self._own}
        others = [at for column, at in places.items() if column not in self._own]  # a category is always there
        terms = [Term(self._values("value"), self._matrix({at: at for at in self._own}))] if self._own else []
        terms += [Term(self._ones_of(at), None) for at in range(len(self._tokens))]
        if told:
            terms.append(Term(self._observed(), self._matrix(told)))
            terms.append(Term(self._since(), self._matrix({at: place + count for at, place in told.items()}), True))
        times = [at + count for at in others] + ([gaps.width - 1] if gaps.tells_time else [])
        if times:
            terms.append(Term(self._passed(), _ones_at(times, gaps.width)[:, None], True))
        return self._sum(terms, _ones_at(others, gaps.width) if others else None)

    def _ones_of(self, at: int) -> Quantity:
        """Add a one at the place of a category of the columns of categories, by their number."""
        columns = list(self._ones.values())[at]
        return self._add(ones_stage(self._tokens[at], columns, self._gaps.width))

    def _sum(self, terms: list[Term], fixed: Floats | None) -> Quantity:
        names = [term.quantity.name for term in terms]
        learned = {f"place.{one.quantity.name}": one.places for one in terms if one.places is not None}
        learned |= {} if fixed is None else {"place.fixed": fixed}

        def read(values: list[Any], *, place: Any) -> Any:
            parts = [log(value + 1) if term.logged else value for value, term in zip(values, terms, strict=True)]
            placed = [
                part if term.places is None else getattr(place, term.quantity.name) @ part
                for part, term in zip(parts, terms, strict=True)
            ]
            found = sum(placed[1:], placed[0] if fixed is None else placed[0] + place.fixed)
            return sized(found, "read")

        sized_by = {name: _size_name(term) for name, term in zip(names, terms, strict=True)}
        sizes = {"input": self._x.size, "one": 1, "read": self._gaps.width}
        used = {*sized_by.values(), "read"}
        doc = "numbers, a one for each category, and behind them what tells of gaps and times"
        return self._add(
            Equations(
                Quantity("read", self._gaps.width),
                formula(with_inputs(read, names), sized_by),
                {name: size for name, size in sizes.items() if name in used},
                learned,
                dict(zip(names, names, strict=True)),
                doc,
            )
        )

    def _matrix(self, places: Mapping[int, int]) -> Floats:
        """Return the matrix [width, n] that puts columns at places."""
        found = np.zeros((self._gaps.width, len(self._own)), np.float32)
        for column, at in places.items():
            found[at, self._own.index(column)] = 1.0
        return found

    # --- what the cell asks for ------------------------------------------------------------------------------------

    def _asked(self, name: str, *, long: bool) -> Quantity:
        """Add `mask`, which numbers were observed, or `dt`, the time since then: as long as x, or one number a step.

        What is no number of x is always there, and a step old.
        """
        if not self._own:
            raise UsageError(f"this model's cell reads {name!r} of numbers, and its steps have categories alone")
        if name == "dt" and not long:
            return self._passed()
        own = self._matrix({at: at for at in self._own})
        learned = {"place.own": own, "place.other": 1 - own.sum(1)} if long else {"place.one": np.ones(1, np.float32)}
        always = 1.0 if self._tokens else 0.0

        def mask(observed: Any, *, place: Any) -> Any:
            return sized(place.own @ observed + place.other, "read")

        def any_mask(observed: Any, *, place: Any) -> Any:
            return sized(place.one * (total(observed) + always > 0.0), "read")

        def dt(since: Any, passed: Any, *, place: Any) -> Any:
            return sized(place.own @ since + place.other * total(passed), "read")

        gives = Quantity(name if name != DT or not self._gaps.timed else "since_each", self._gaps.width if long else 1)
        sizes = {"input": self._x.size, "read": gives.size}
        if name == "mask":
            graph, reads = formula(mask if long else any_mask), {"observed": self._observed().name}
            return self._add(Equations(gives, graph, sizes, learned, reads, "which numbers were observed"))
        graph, reads = formula(dt, {"passed": "one"}), {"since": self._since().name, "passed": self._passed().name}
        return self._add(
            Equations(gives, graph, sizes | {"one": 1}, learned, reads, "the time since each was observed")
        )


def _size_name(term: Term) -> str:
    return "read" if term.places is None else "one" if term.quantity.name == "passed" else "input"


def _ones_at(places: list[int], width: int) -> Floats:
    found = np.zeros(width, np.float32)
    found[places] = 1.0
    return found
