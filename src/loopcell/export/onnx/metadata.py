"""Metadata: the words of an ONNX file on itself, such as which output is the next input, and where a stream starts.

The entries of `metadata_props`, each of which but the first two is JSON:

    loopcell.format   the version of this table
    loopcell.form     "step" or "sequence"
    loopcell.model    a hash of equations and parameters: a state belongs to one model
    loopcell.inputs   [{"name", "size", "kind", "tokens"}, ...]: how many tokens there are, 0 for numbers
    loopcell.outputs  [{"name", "output", "size", "labels"}, ...]: the quantity, and what the graph calls it
    loopcell.states   [{"input", "output", "size", "initial"}, ...]: what OUTPUT gives is the next call's INPUT
    loopcell.reset    the rule for a new stream, as a sentence
    loopcell.written  the operator that each recurrent layer is written as
    loopcell.facts    what the model says of itself, such as its tokens
    loopcell.notes    sentences: what the step does not do that the model does
    loopcell.frames   {"width", "hop", "sample_rate"}: how samples of sound become steps; null for other models
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from loopcell.errors import FileFormatError
from loopcell.export.onnx.stages import written_as
from loopcell.export.step_model import Lookup, StepModel
from loopcell.export.step_model.identity import identity

VERSION = "1"
RESET = "At the start of a stream every state's input is given its initial value: zeros."


def metadata_of(model: StepModel, form: str) -> dict[str, str]:
    """Return the entries for a model in one of its forms."""
    known = {stage.reads: len(stage.table) for stage in model.stages if isinstance(stage, Lookup)}
    tables: dict[str, object] = {
        "model": identity(model),
        "inputs": [
            {"name": one.name, "size": one.size, "kind": one.kind, "tokens": known.get(one.name, 0)}
            for one in model.inputs
        ],
        "outputs": [
            {
                "name": one.name,
                "output": output_name(model, one.name),
                "size": model.quantities[one.name].size,
                "labels": list(one.labels),
            }
            for one in model.outputs
        ],
        "states": [
            {"input": f"{name}_in", "output": f"{name}_out", "size": size, "initial": "zeros"}
            for name, size in model.states.items()
        ],
        "reset": RESET,
        "written": {stage.gives.name: written_as(stage) for stage in model.stages if stage.states},
        "facts": dict(model.facts),
        "notes": list(model.notes),
        "frames": None if model.frames is None else asdict(model.frames),
    }
    entries = {name: json.dumps(value, ensure_ascii=False) for name, value in tables.items()}
    return {f"loopcell.{name}": text for name, text in {"format": VERSION, "form": form, **entries}.items()}


def output_name(model: StepModel, name: str) -> str:
    """Return what the graph calls an output: as its quantity, unless an input is called so."""
    return f"{name}_out" if name in {one.name for one in model.inputs} else name


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class InputFacts(_Checked):
    """An input of the file."""

    name: str
    size: int = Field(ge=1, le=1 << 31)
    kind: str = Field(pattern="^(number|token)$")
    tokens: int = Field(ge=0, le=1 << 31)


class OutputFacts(_Checked):
    """An output of the file."""

    name: str
    output: str
    size: int = Field(ge=1, le=1 << 31)
    labels: list[str]


class StateFacts(_Checked):
    """A state of the file: what `output` gives is the next call's `input`."""

    input: str
    output: str
    size: int = Field(ge=1, le=1 << 31)
    initial: str = Field(pattern="^zeros$")


@dataclass(frozen=True)
class OnnxMetadata:
    """The words of a file on itself.

    Attributes:
        form: "step" or "sequence".
        model: the hash of the model.
        inputs, outputs, states: what goes in and comes out.
        written: the operator of each recurrent layer.
        facts: of the model.
        notes: what the step does not do that the model does.
        frames: how samples of sound become steps, by "width", "hop" and "sample_rate"; None for other models.
    """

    form: str
    model: str
    inputs: list[InputFacts]
    outputs: list[OutputFacts]
    states: list[StateFacts]
    written: dict[str, str]
    facts: dict[str, Any]
    notes: list[str]
    frames: dict[str, int] | None


_KINDS: dict[str, TypeAdapter[Any]] = {
    "model": TypeAdapter(str),
    "inputs": TypeAdapter(list[InputFacts]),
    "outputs": TypeAdapter(list[OutputFacts]),
    "states": TypeAdapter(list[StateFacts]),
    "written": TypeAdapter(dict[str, str]),
    "facts": TypeAdapter(dict[str, Any]),
    "notes": TypeAdapter(list[str]),
    "frames": TypeAdapter(dict[str, int] | None),
}


def read_metadata(entries: Mapping[str, str], path: object) -> OnnxMetadata:
    """Read the entries of a file.

    Raises:
        FileFormatError: they are missing, damaged, or of a newer version.
    """
    if "loopcell.format" not in entries:
        raise FileFormatError(
            f"{path} does not say which of its outputs are states, so a stream would lose them: it was not written by "
            "loopcell.export.to_onnx"
        )
    if entries["loopcell.format"] != VERSION:
        raise FileFormatError(f"{path} has another version of loopcell's metadata than {VERSION}: upgrade loopcell")
    form = entries.get("loopcell.form", "")
    try:
        found = {name: kind.validate_json(entries[f"loopcell.{name}"], strict=True) for name, kind in _KINDS.items()}
    except (ValidationError, KeyError) as error:
        raise FileFormatError(f"{path} has damaged metadata: {str(error).splitlines()[0]}") from None
    if form not in ("step", "sequence"):
        raise FileFormatError(f"{path} has damaged metadata: its form is neither step nor sequence")
    return OnnxMetadata(form, **found)
