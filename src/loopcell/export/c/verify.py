"""The proof of an export: the compiled C beside the model in double precision, in one run and with its state saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from loopcell.errors import CheckFailed, InputError
from loopcell.export.c.product import ProductForm
from loopcell.export.c.source import CSource
from loopcell.export.c.weight_kinds import as_stored
from loopcell.export.drawn import drawn
from loopcell.export.rounding import difference, explained_error, moved_model, moved_values, stepped
from loopcell.export.step_model import StepCheck, StepModel
from loopcell.export.step_model.checks import MOST_STEPS, Data, check_of, demand_data
from loopcell.export.verifying import CHUNK, OWN, TakesSteps, demand_own

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]
STEPS = 64
"""Steps of random data."""
_UNLIKE = 300  # times smaller, an input has 7 bits left of 15


@dataclass(frozen=True, eq=False)
class Recorded:
    """Steps of a model in double precision.

    Attributes:
        inputs: by name: [T, n] numbers, or [T] tokens.
        answers: by name, [T, n].
        allowed: the largest error that single precision explains.
        narrowing: by how much these answers differ from those of the model with its weights in full.
        advice: what may be behind an error, for whoever reads of it.
        own: by how much these answers differ from those of the model's own runs, by the way of each.
        further: of the sequences after the first, each from a fresh state.
    """

    inputs: Arrays
    answers: Arrays
    allowed: float
    narrowing: float = 0.0
    own: Mapping[str, float] = field(default_factory=dict)
    advice: str = ""
    further: tuple[Recorded, ...] = ()

    @property
    def all(self) -> tuple[Recorded, ...]:
        """This sequence and the further ones."""
        return (self, *self.further)

    @property
    def steps(self) -> int:
        """The steps of all sequences."""
        return sum(len(next(iter(one.answers.values()))) for one in self.all)

    @property
    def all_own(self) -> dict[str, float]:
        """The largest difference from the model's own runs over all sequences, by the way of each."""
        ways = dict.fromkeys(way for one in self.all for way in one.own)
        return {way: max(one.own.get(way, 0.0) for one in self.all) for way in ways}


def record(source: CSource, data: Data | None, model: object = None) -> Recorded:
    """Record what a model answers in double precision.

    Args:
        source: the model.
        data: inputs by name, the first steps of which are taken, or a `StepCheck`; None for random ones.
        model: what the source is of: a network runs on the inputs itself, and has to give the same.

    Raises:
        InputError: the data do not fit the model.
        CheckFailed: the model's own answers are others; or an answer is not finite, so that nothing could be compared.
    """
    if data is not None:
        demand_data(data)
    assert isinstance(source.form, ProductForm)  # whole numbers have a record of their own
    kind = source.form.kind
    stored = as_stored(source.model, kind)
    return _recorded(source, stored, moved_model(stored, np.random.default_rng(1), kind.grain), data, model)


def _recorded(source: CSource, stored: StepModel, rounded: StepModel, data: Data | None, model: object) -> Recorded:
    """Record one sequence, and those after it.

    Args:
        source: the model.
        stored: it with its weights as they are stored.
        rounded: the same with each of these moved by what a step may round it.
        data: as `record`.
        model: likewise.
    """
    given = data.inputs if isinstance(data, StepCheck) else data
    inputs: Arrays = drawn(source.model, STEPS) if given is None else checked(source.model, given)
    answers = stepped(source.model, inputs)
    for change in (_with_gaps, np.abs) if data is None else ():
        changed = {name: change(values) for name, values in inputs.items()}
        # Gaps are for models that read missing values; no sign for those that take the log of a time.
        if change is _with_gaps or not _finite(answers):
            found = stepped(source.model, changed)
            inputs, answers = (changed, found) if _finite(found) else (inputs, answers)
    if not _finite(answers):
        raise CheckFailed("the model's answers are not finite on these inputs, so no export can be held against them")
    assert isinstance(source.form, ProductForm)
    kind, rng = source.form.kind, np.random.default_rng(2)
    meant = answers if kind.c_type == "float" else stepped(stored, inputs)
    nearby = {name: moved_values(values, rng, kind.grain) for name, values in inputs.items()}
    moved = difference(stepped(rounded, nearby), meant)
    allowed = explained_error(answers, moved)
    check = data if isinstance(data, StepCheck) else check_of(model, inputs)
    own = demand_own(check, answers, max(OWN, allowed))
    advice = _of_unlike_sizes(inputs) if kind.c_type == "int8_t" else ""
    further = tuple(_recorded(source, stored, rounded, one, model) for one in check.further)
    return Recorded(inputs, meant, allowed, difference(meant, answers), own, advice, further)


def _of_unlike_sizes(inputs: Arrays) -> str:
    """Return why int8 may be off: it rounds the numbers of a step relative to the largest of them."""
    about = "; int8 rounds the numbers of a step relative to the largest of them"
    for name, values in inputs.items():
        if values.dtype.kind != "f":
            continue
        sizes = np.abs(np.nan_to_num(values.astype(np.float64))).max(0)
        least, most = int(np.argmin(np.where(sizes > 0, sizes, np.inf))), int(np.argmax(sizes))
        if sizes[most] > _UNLIKE * sizes[least] > 0:
            about += (
                f": {name}[{most}] reaches {sizes[most]:.3g} and {name}[{least}] only {sizes[least]:.3g}, which is "
                "lost beside it; bring inputs to like sizes"
            )
            break
    return f"{about}; or take weights='bfloat16'"


def demand_equal(program: TakesSteps, recorded: Recorded) -> float:
    """Compare what was exported with what was recorded of all sequences; gives the largest error.

    Raises:
        CheckFailed: an answer is off by more than single precision explains, or differs after the state was saved.
    """
    return max(_demand_equal(program, one) for one in recorded.all)


def _demand_equal(program: TakesSteps, recorded: Recorded) -> float:
    found = program.steps(recorded.inputs)
    again = program.steps(recorded.inputs, again=CHUNK)
    worst = 0.0
    for name, expected in recorded.answers.items():
        error = float(np.abs(found[name] - expected).max(initial=0))
        if not error <= recorded.allowed:
            explained = f"{recorded.allowed:.3g} is what single precision explains"
            raise CheckFailed(
                f"the export does not compute what the model does: {name} is off by {error:.3g}, and "
                f"{explained if recorded.allowed else 'whole numbers are equal or wrong'}{recorded.advice}"
            )
        if not np.array_equal(found[name], again[name]):
            raise CheckFailed(f"the export loses state: {name} differs when the state is saved and loaded in between")
        worst = max(worst, error)
    return worst


def _with_gaps(values: Array) -> Array:
    gaps = np.random.default_rng(2).random(values.shape) < 0.1
    return np.where(gaps, np.float32(np.nan), values) if values.dtype.kind == "f" else values


def _finite(answers: Arrays) -> bool:
    return all(bool(np.isfinite(values).all()) for values in answers.values())


def drift(program: TakesSteps, model: StepModel, recorded: Recorded, steps: int) -> dict[int, float]:
    """Return the largest error of the first 1, 10, 100, ... steps against the model in full, in double precision.

    Args:
        program: the export.
        model: what was exported.
        recorded: the steps that were verified; theirs are the inputs, drawn in random order.
        steps: how many.
    """
    order = np.random.default_rng(3).integers(0, len(next(iter(recorded.inputs.values()))), steps)
    inputs = {name: values[order] for name, values in recorded.inputs.items()}
    found, expected = program.steps(inputs), stepped(model, inputs)
    worst = np.max([np.abs(found[name] - values).max(axis=1) for name, values in expected.items()], axis=0)
    marks = [10**power for power in range(len(str(steps))) if 10**power <= steps]
    return {mark: float(worst[:mark].max()) for mark in dict.fromkeys([*marks, steps])}


def checked(model: StepModel, data: Mapping[str, npt.ArrayLike], most: int | None = MOST_STEPS) -> dict[str, Array]:
    """Return the first steps of a user's data, or with `most` None all, as a model reads them.

    Raises:
        InputError: they do not fit.
    """
    names = [one.name for one in model.inputs]
    if sorted(data) != sorted(names):
        raise InputError(f"the data of a model that reads {', '.join(names)} has these names; got {', '.join(data)}")
    inputs: dict[str, Array] = {}
    for quantity in model.inputs:
        token = quantity.kind == "token"
        values = np.asarray(data[quantity.name])[:most].astype(np.int32 if token else np.float32)
        wanted = (len(values),) if token else (len(values), quantity.size)
        if not len(values) or values.size != np.prod(wanted):
            shape = "[T]" if token else f"[T, {quantity.size}]"
            raise InputError(
                f"the data of {quantity.name!r} have the shape {shape} with T at least 1; got {list(values.shape)}"
            )
        inputs[quantity.name] = values.reshape(wanted)
    if len({len(values) for values in inputs.values()}) > 1:
        raise InputError("the data of all inputs have the same number of steps")
    return inputs
