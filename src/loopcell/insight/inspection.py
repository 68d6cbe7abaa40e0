"""Inspection: one sequence as a model saw it, and the forms in which it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import InputError
from loopcell.insight.attention_map import AttentionMap
from loopcell.insight.capture import LayerView
from loopcell.insight.has_page import HasPage, save_by_ending

if TYPE_CHECKING:
    from loopcell.insight.matches import Matches


class Prediction(NamedTuple):
    """A model's expectation at a step.

    Attributes:
        label: in words: a token, a class, a number.
        probability: of it; None where the model gives none.
    """

    label: str
    probability: float | None = None


@dataclass(frozen=True, eq=False)
class Inspection(HasPage):
    """One sequence as a model saw it.

    Attributes:
        title: of the model.
        steps: what stands at each of the T steps: a token, a time, a number.
        layers: every layer and direction, with its quantities [T, n].
        traces: further numbers [T] along the axis: the columns of the input, the probability of what came.
        predictions: for each step what the model says there, the most probable first; empty where it says nothing
            before the end.
        predicted: what the predictions are of: what comes "next", what is "here", or the whole sequence "so far".
        answer: what it says of the whole sequence; empty where it says nothing.
        notes: what a reader has to know, such as that only a part is shown.
        part: which part of the model this is, such as "encoder"; empty where it is the whole.
        attention: where this part looked at each of its T steps; None where it does not look anywhere.
        others: the other parts of the model, each with steps of its own, such as a decoder with the tokens it wrote.
        matches: where in a corpus a pattern of units is found that was taken from this part; None for nothing.

    Raises:
        InputError: there is no step, or a quantity has another number of steps.
    """

    title: str
    steps: Sequence[str]
    layers: Sequence[LayerView]
    traces: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    predictions: Sequence[Sequence[Prediction]] = ()
    predicted: Literal["next", "here", "so far"] = "next"
    answer: Sequence[Prediction] = ()
    notes: Sequence[str] = ()
    part: str = ""
    attention: AttentionMap | None = None
    others: Sequence[Inspection] = ()
    matches: Matches | None = None

    def __post_init__(self) -> None:
        count = len(self.steps)
        if not count:
            raise InputError("nothing to look at: the sequence has no step")
        if not any(layer.quantities for layer in self.layers):
            raise InputError("nothing to look at: no value of the cell has a name in its equations")
        each = ((layer, name, value) for layer in self.layers for name, value in layer.quantities.items())
        lengths = {f"{layer.name}: {name}": len(value) for layer, name, value in each}
        lengths |= {name: len(value) for name, value in self.traces.items()}
        if self.predictions:
            lengths["predictions"] = len(self.predictions)
        if self.attention is not None:
            lengths["attention"] = len(self.attention.weights)
        if len(self.parts) != 1 + len(self.others):
            raise InputError("the parts of a model need names of their own: part=")
        for name, found in lengths.items():
            if found != count:
                raise InputError(f"{name} has {found} steps, and the sequence {count}")

    def __repr__(self) -> str:
        names = ", ".join(dict.fromkeys(name for layer in self.layers for name in layer.quantities))
        others = "".join(f"; {name}: {len(one.steps)} steps" for name, one in self.parts.items() if one is not self)
        return f"Inspection({self.title}: {len(self.steps)} steps, {len(self.layers)} layers, {names}{others})"

    @property
    def parts(self) -> dict[str, Inspection]:
        """Every part of the model by its name, this one first: "encoder" and "decoder" where it has both."""
        return {one.part: one for one in (self, *self.others)}

    def __getitem__(self, name: str) -> tuple[npt.NDArray[np.float32], ...]:
        """Return a quantity of every layer and direction that has it, [T, n] each.

        Raises:
            InputError: no layer has it.
        """
        found = tuple(layer.quantities[name] for layer in self.layers if name in layer.quantities)
        if not found:
            known = dict.fromkeys(name for layer in self.layers for name in layer.quantities)
            raise InputError(f"no layer has a quantity {name!r}; there is {', '.join(known)}")
        return found

    def window(self, start: int, end: int | None = None) -> Inspection:
        """Return the steps from `start` up to `end`, as slices count; the other parts stay whole."""
        part = slice(start, end)
        layers = [
            LayerView(layer.name, layer.cell, {name: value[part] for name, value in layer.quantities.items()})
            for layer in self.layers
        ]
        shown = range(len(self.steps))[part]
        note = f"steps {shown.start} to {shown.stop - 1} of {len(self.steps):,} are shown"
        return Inspection(
            title=self.title,
            steps=self.steps[part],
            layers=layers,
            traces={name: value[part] for name, value in self.traces.items()},
            predictions=self.predictions[part],
            predicted=self.predicted,
            answer=self.answer,
            notes=(*self.notes, note) if len(shown) < len(self.steps) else self.notes,
            part=self.part,
            attention=None if self.attention is None else self.attention.rows(part),
            others=self.others,
            matches=None if self.matches is None else self.matches.moved(-shown.start),
        )

    def with_matches(self, matches: Matches) -> Inspection:
        """Return the same with places of a corpus beside it, which the page shows."""
        return replace(self, matches=matches)

    def html(self) -> str:
        """Return the page: one file, with no request to anywhere."""
        from loopcell.insight.page_writer import page_of

        return page_of(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the inspection in the form that the name asks for.

        Args:
            path: `.html` is the page; `.npz` the arrays by "layer/quantity", with `steps`, "trace/NAME" and
                "attention", those of other parts behind the part's name, as in "decoder/steps"; `.png` and `.svg` a
                picture (matplotlib); `.parquet` and `.csv` the long table of `to_table` (pyarrow).

        Raises:
            InputError: another ending.
            FileWriteError: the folder is missing or may not be written, or the disk is full.
        """
        writers = {".npz": _save_npz, ".png": _save_picture, ".svg": _save_picture}
        save_by_ending(self, path, "an inspection", {**writers, ".parquet": _save_table, ".csv": _save_table})

    def to_table(self) -> Any:
        """Return a pyarrow.Table with a row for every value: layer, quantity, step, token, unit, value.

        Attention is there as the quantity "weight" of a layer "attention", whose units are the steps that were looked
        at. Polars, pandas and DuckDB take it without a copy (`polars.from_arrow`); the extra `loopcell[data]` has
        pyarrow.
        """
        import pyarrow as pa

        tables = [_rows(one, *named, pa) for one in self.parts.values() for named in _matrices(one)]
        return pa.concat_tables(tables)


def _matrices(seen: Inspection) -> Iterator[tuple[str, str, npt.NDArray[Any]]]:
    """Yield the names of a layer and of a quantity, and its numbers [T, n]; attention is one more."""
    for layer in seen.layers:
        for name, value in layer.quantities.items():
            yield layer.name, name, value
    if seen.attention is not None:
        yield "attention", "weight", seen.attention.weights.astype(np.float32)


def _rows(seen: Inspection, layer: str, name: str, value: npt.NDArray[Any], pa: Any) -> Any:
    steps, units = value.shape
    step = np.repeat(np.arange(steps, dtype=np.int32), units)

    def same(text: str) -> Any:
        return pa.DictionaryArray.from_arrays(np.zeros(value.size, np.int32), [text])

    tokens = pa.DictionaryArray.from_arrays(step, [_as_text(label) for label in seen.steps])
    unit = np.tile(np.arange(units, dtype=np.int32), steps)
    columns = [same(layer), same(name), step, tokens, unit, np.ascontiguousarray(value).reshape(-1)]
    table = pa.table(columns, names=["layer", "quantity", "step", "token", "unit", "value"])
    return table.unify_dictionaries()


def _as_text(label: str) -> str:
    """Return a label as UTF-8 can have it: of half of a character, a question mark."""
    return str(label).encode("utf-8", "replace").decode("utf-8")


def _save_npz(seen: Inspection, path: Path, _: str) -> None:
    arrays: dict[str, Any] = {}
    for one in seen.parts.values():
        prefix = "" if one is seen else f"{one.part}/"
        arrays[f"{prefix}steps"] = np.array(list(one.steps))
        arrays |= {f"{prefix}trace/{name}": values for name, values in one.traces.items()}
        arrays |= {f"{layer.name}/{name}": value for layer in one.layers for name, value in layer.quantities.items()}
        if one.attention is not None:
            arrays |= {f"{prefix}attention": one.attention.weights}
            arrays |= {f"{prefix}attention/source": np.array(one.attention.source)}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _save_table(seen: Inspection, path: Path, ending: str) -> None:
    table = seen.to_table()
    if ending == ".csv":
        from pyarrow import csv

        csv.write_csv(table, path)
    else:
        from pyarrow import parquet

        parquet.write_table(table, path)


def _save_picture(seen: Inspection, path: Path, ending: str) -> None:
    from loopcell.insight.pictures import draw

    draw(seen, path, ending.lstrip("."))
