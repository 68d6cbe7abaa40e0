"""OnnxStream: an ONNX file of ours run so that its state cannot be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import FileFormatError, InputError, quoted
from loopcell.export.onnx.file import Arrays, OnnxFile
from loopcell.export.onnx.metadata import InputFacts, OnnxMetadata
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file

_KIND = FileKind("loopcell-onnx-state", 1, "loopcell state of an ONNX stream", digest=True)
_MOST_STEPS = 1 << 62
_LARGEST = 2.0**63
"""The largest finite number that a stream takes: a product with it stays in float32, for weights up to 2^63 too."""


class OnnxStream:
    """A model in an ONNX file, run by ONNX Runtime a step or a chunk at a time; the state stays here.

    Args:
        path: a file that `to_onnx` wrote, in either form; or one that is open already.
        rows: B, how many streams go side by side: inputs are then [B, n], a token's [B]. None for one: [n].
        threads: how many ONNX Runtime may use.

    Attributes:
        file: the file.
        metadata: what it says of itself.
        rows: B, or None.
        steps: how many steps were taken since the start, or since all was reset.
        state: [B, n] by name, B = 1 for a single stream.

    Raises:
        FileFormatError: there is no such file, ONNX Runtime cannot read it, or it does not say which of its outputs are
            states.
        InputError: `rows` or `threads` is less than 1.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, path: str | PathLike[str] | OnnxFile, *, rows: int | None = None, threads: int = 1) -> None:
        for name, value in {"rows": 1 if rows is None else rows, "threads": threads}.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r} must be a whole number of at least 1")
        self.file = path if isinstance(path, OnnxFile) else OnnxFile.read(path, threads)
        self.rows = rows
        self.steps: int = 0
        self.state: Arrays = self._at_rest()

    @property
    def metadata(self) -> OnnxMetadata:
        """The words of the file on itself."""
        return self.file.metadata

    def _at_rest(self) -> Arrays:
        return {name: np.zeros((self.rows or 1, size), np.float32) for name, size in self.file.states.items()}

    # -- running -----------------------------------------------------------------------------------

    def step(self, **inputs: npt.ArrayLike) -> Arrays:
        """Take a step; gives the outputs by name, [n], or [B, n] for several rows.

        Raises:
            InputError: an input is missing, unknown, of another length, or a token that is not in the table.
        """
        checked = {one.name: self._checked(one, inputs, 0) for one in self._named(inputs)}
        if self.metadata.form == "step":
            return self._in_callers_form(self._run(checked, 1))
        found = self._run({name: value[None] for name, value in checked.items()}, 1)
        return self._in_callers_form({name: value[0] for name, value in found.items()})

    def feed(self, **inputs: npt.ArrayLike) -> Arrays:
        """Take the steps of a chunk of any length, [T, n] or [T, B, n]; gives the outputs, likewise.

        The answers and the state are those of as many calls of `step`. Errors as `step`; chunks of different lengths
        are refused too.
        """
        checked = {one.name: self._checked(one, inputs, 1) for one in self._named(inputs)}
        lengths = {name: len(value) for name, value in checked.items()}
        if len(set(lengths.values())) > 1:
            raise InputError(f"the inputs of a chunk must have as many steps; got {lengths}")
        steps = next(iter(lengths.values()), 0)
        if self.metadata.form == "sequence":
            return self._in_callers_form(self._run(checked, steps), 1)
        before = self.state, self.steps
        try:
            found = [self._run({name: value[at] for name, value in checked.items()}, 1) for at in range(steps)]
        except InputError:  # a chunk is taken whole or not at all, as in the other form
            self.state, self.steps = before
            raise
        rows = self.rows or 1
        empty = {one.name: np.zeros((0, rows, one.size), np.float32) for one in self.metadata.outputs}
        whole = {name: np.stack([one[name] for one in found]) if found else empty[name] for name in empty}
        return self._in_callers_form(whole, 1)

    def _run(self, inputs: Arrays, steps: int) -> Arrays:
        found, self.state = self.file.run(inputs, self.state)
        self.steps += steps
        return found

    # -- the state ---------------------------------------------------------------------------------

    def reset(self, rows: npt.ArrayLike | None = None) -> None:
        """Start afresh: all rows, or those that are true in `rows` [B]."""
        if rows is None:
            self.state, self.steps = self._at_rest(), 0
            return
        count = self.rows or 1
        chosen = np.asarray(rows)
        if chosen.dtype != bool or chosen.shape != (count,):
            raise InputError(f"rows= takes {count} truth values; got {chosen.dtype} {list(chosen.shape)}")
        self.state = {name: np.where(chosen[:, None], np.float32(0), value) for name, value in self.state.items()}

    def fork(self) -> OnnxStream:
        """Return a second stream that goes on from here, independent of this one; they share the loaded file."""
        made = OnnxStream(self.file, rows=self.rows)
        made.state, made.steps = {name: value.copy() for name, value in self.state.items()}, self.steps
        return made

    def save(self, path: str | PathLike[str]) -> None:
        """Write where the stream stands, whole or not at all: safetensors, with the model's identity.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        import torch

        tensors = {name: torch.from_numpy(value.copy()) for name, value in self.state.items()}
        facts = {"model": self.metadata.model, "steps": self.steps, "rows": self.rows or 1}
        write_tensor_file(Path(path), _KIND, TensorFile(tensors, facts))

    def load(self, path: str | PathLike[str]) -> None:
        """Go on where a saved stream stood; a state of either form fits the other.

        Raises:
            FileFormatError: the file is missing, damaged, or of another model or count of rows.
        """
        content = read_tensor_file(Path(path), _KIND)
        facts, steps = content.facts, content.facts.get("steps")
        if facts.get("model") != self.metadata.model:
            raise FileFormatError(f"{path} is the state of another model")
        if type(steps) is not int or not 0 <= steps <= _MOST_STEPS:
            raise FileFormatError(f"{path} is damaged: its count of steps is {quoted(steps)}")
        found = {name: tensor.numpy() for name, tensor in content.tensors.items()}
        shapes = {name: (value.dtype, value.shape) for name, value in self.state.items()}
        if {name: (value.dtype, value.shape) for name, value in found.items()} != shapes:
            raise FileFormatError(f"{path} has other states, or another count of rows than {self.rows or 1}")
        self.state, self.steps = found, steps

    # -- the boundary ------------------------------------------------------------------------------

    def _named(self, inputs: Mapping[str, Any]) -> list[InputFacts]:
        expected = [one.name for one in self.metadata.inputs]
        if sorted(inputs) != sorted(expected):
            raise InputError(f"this model takes {', '.join(expected)}; got {', '.join(inputs) or 'nothing'}")
        return self.metadata.inputs

    def _checked(self, facts: InputFacts, inputs: Mapping[str, npt.ArrayLike], axes: int) -> npt.NDArray[Any]:
        """Return an input as [..., B, n], with `axes` axes in front of the rows."""
        token = facts.kind == "token"
        value = np.asarray(inputs[facts.name])
        if value.dtype.kind not in ("iu" if token else "iufb"):
            raise InputError(f"the input {facts.name!r} must be {'whole ' if token else ''}numbers; got {value.dtype}")
        given = value
        if self.rows is None:
            value = np.expand_dims(value, axes) if value.ndim == axes + (not token) else value
        wanted = (self.rows or 1,) if token else (self.rows or 1, facts.size)
        if value.ndim != axes + len(wanted) or value.shape[axes:] != wanted:
            shape = wanted if self.rows else wanted[1:]
            raise InputError(
                f"the input {facts.name!r} must be {['T'] * axes + list(shape)}; got {list(given.shape)}".replace(
                    "'T'", "T"
                )
            )
        if token and value.size and not 0 <= value.min() <= value.max() < facts.tokens:
            odd = next(one for one in value.reshape(-1) if not 0 <= one < facts.tokens)
            raise InputError(f"token {odd} of {facts.name!r} is not one of 0 to {facts.tokens - 1}")
        if not token:
            _demand_small(facts.name, value)
        return value.astype(np.int64 if token else np.float32)

    def _in_callers_form(self, found: Arrays, axes: int = 0) -> Arrays:
        return found if self.rows else {name: value.squeeze(axes) for name, value in found.items()}


def _demand_small(name: str, value: npt.NDArray[Any]) -> None:
    """Refuse finite numbers whose products float32 does not hold; InputError.

    What overflows is infinite in one path and NaN in another; ONNX Runtime makes plain zeros and ones of both.
    """
    # In double precision: a float16 has no such number to be held against.
    far = np.isfinite(value) & (np.abs(value.astype(np.float64)) > _LARGEST)
    if far.any():
        odd = np.asarray(value)[far].flat[0]
        raise InputError(
            f"the input {name!r} has {odd:.4g}, so large that products with it are beyond float32, and the answer "
            "would mean nothing: bring it to a smaller scale"
        )
