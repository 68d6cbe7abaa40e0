"""WasmStream: a model in WebAssembly that takes steps in Python, so that it can be held against the model itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import FileFormatError, InputError, MissingExtraError
from loopcell.export.step_model import StepModel
from loopcell.export.wasm.build import EXTRA

_LARGEST = 1 << 30  # bytes of a file
_OK = 0


class WasmStream:
    """A stream of a model in WebAssembly, run by wasmtime.

    Args:
        wasm: the .wasm file, or its bytes.
        model: what it was made of: the names and sizes of inputs and outputs.

    Raises:
        MissingExtraError: wasmtime is not installed.
        FileFormatError: it is not the WebAssembly of such a model.
    """

    def __init__(self, wasm: bytes | str | os.PathLike[str], model: StepModel) -> None:
        self.model = model
        self._start(wasm if isinstance(wasm, bytes) else _read(Path(wasm)))
        self.reset()

    def _start(self, code: bytes) -> None:
        try:
            import wasmtime
        except (ImportError, OSError) as error:
            raise MissingExtraError(f"running WebAssembly in Python needs wasmtime: {EXTRA}") from error
        try:
            engine = wasmtime.Engine()
            self._store = wasmtime.Store(engine)
            module = wasmtime.Module(engine, code)
            exports: Any = wasmtime.Instance(self._store, module, []).exports(self._store)
            self._exports, self._memory = exports, exports["memory"]
            self._call("init")
            self._state = (self._exports["__heap_base"].value(self._store) + 15) // 16 * 16
            self._saved = self._state + self._call("state_bytes")
            need = self._saved + self._call("saved_bytes") - self._memory.data_len(self._store)
            if need > 0:
                self._memory.grow(self._store, -(-need // 65536))
        except (wasmtime.WasmtimeError, KeyError, ValueError) as error:
            raise FileFormatError(f"this is not the WebAssembly of a model's step: {error}") from error

    def reset(self) -> None:
        """Start afresh."""
        self._call("reset", self._state)

    def step(self, **inputs: npt.ArrayLike) -> dict[str, npt.NDArray[np.float32]]:
        """Take a step; gives the outputs by name.

        Raises:
            InputError: an input is missing, unknown or of another length, or there is no such token.
        """
        names = [quantity.name for quantity in self.model.inputs]
        if sorted(inputs) != sorted(names):
            raise InputError(f"a step of {self.model.name!r} takes {', '.join(names)}; got {', '.join(inputs)}")
        for place, quantity in enumerate(self.model.inputs):
            kind = np.int32 if quantity.kind == "token" else np.float32
            value = np.asarray(inputs[quantity.name]).astype(kind).reshape(-1)
            if value.size != quantity.size:
                raise InputError(f"the input {quantity.name!r} has {quantity.size} numbers; got {value.size}")
            self._memory.write(self._store, value.tobytes(), self._call("address", place))
        if self._call("step", self._state) != _OK:
            raise InputError("there is no such token; the stream is as it was")
        first = len(names)
        return {
            output.name: self._floats(self._call("address", first + place), self.model.quantities[output.name].size)
            for place, output in enumerate(self.model.outputs)
        }

    def save(self) -> bytes:
        """Return the state as bytes, the same that the model's C and JavaScript save."""
        self._call("save", self._state, self._saved)
        return bytes(self._memory.read(self._store, self._saved, self._saved + self._call("saved_bytes")))

    def load(self, saved: bytes) -> None:
        """Go to a saved state.

        Raises:
            FileFormatError: it is the state of another model, or damaged; the stream is as it was.
        """
        fits = len(saved) == self._call("saved_bytes")
        if fits:
            self._memory.write(self._store, saved, self._saved)
        if not fits or self._call("load", self._state, self._saved) != _OK:
            raise FileFormatError("this is the state of another model, or damaged; the stream is as it was")

    def steps(self, inputs: Mapping[str, npt.NDArray[Any]], again: int = 0) -> dict[str, npt.NDArray[np.float32]]:
        """Take a step for each row of the inputs, from a fresh state.

        Args:
            inputs: by name: [T, n] numbers, or [T] tokens.
            again: after every so many steps the state is saved, forgotten and loaded; 0 for never.

        Returns:
            By name, [T, n].
        """
        self.reset()
        rows = []
        for at in range(len(next(iter(inputs.values())))):
            if again and at and not at % again:
                saved = self.save()
                self.reset()
                self.load(saved)
            rows.append(self.step(**{name: values[at] for name, values in inputs.items()}))
        return {output.name: np.stack([row[output.name] for row in rows]) for output in self.model.outputs}

    def _floats(self, at: int, count: int) -> npt.NDArray[np.float32]:
        return np.frombuffer(bytes(self._memory.read(self._store, at, at + 4 * count)), np.float32)

    def _call(self, name: str, *arguments: int) -> Any:
        return self._exports[name](self._store, *arguments)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise FileFormatError(f"{path} is larger than any model in WebAssembly")
        return path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}") from error
