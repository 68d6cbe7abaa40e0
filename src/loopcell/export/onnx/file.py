"""OnnxFile: an ONNX file of ours, opened by ONNX Runtime and checked; it keeps no state."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy.typing as npt

from loopcell.errors import FileFormatError, InputError
from loopcell.export.onnx.metadata import OnnxMetadata, read_metadata
from loopcell.files.extras import require

Arrays = dict[str, npt.NDArray[Any]]


class OnnxFile:
    """A model in an ONNX file: outputs and new states from inputs and states.

    Args:
        content: the bytes of the file.
        path: what errors call it.
        threads: how many ONNX Runtime may use.

    Attributes:
        metadata: what the file says of itself.

    Raises:
        FileFormatError: ONNX Runtime cannot read it, or it does not say which of its outputs are states.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, content: bytes, path: str | PathLike[str], threads: int = 1) -> None:
        self._session = _session(content, path, threads)
        self.metadata: OnnxMetadata = read_metadata(self._session.get_modelmeta().custom_metadata_map, path)
        facts = self.metadata
        inputs = {one.name for one in facts.inputs} | {one.input for one in facts.states}
        outputs = {one.output for one in facts.outputs} | {one.output for one in facts.states}
        found = [{one.name for one in part} for part in (self._session.get_inputs(), self._session.get_outputs())]
        if found != [inputs, outputs]:
            raise FileFormatError(f"{path} has damaged metadata: its graph has other inputs or outputs than it says")

    @classmethod
    def read(cls, path: str | PathLike[str], threads: int = 1) -> OnnxFile:
        """Read a file; errors as those of the class, and FileFormatError where there is none."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise FileFormatError(f"{path} cannot be read: {error.strerror}") from None
        return cls(content, path, threads)

    @property
    def states(self) -> dict[str, int]:
        """The length of every state, by name."""
        return {one.input.removesuffix("_in"): one.size for one in self.metadata.states}

    def run(self, inputs: Arrays, states: Arrays) -> tuple[Arrays, Arrays]:
        """Return the outputs and the states after them, by name.

        Raises:
            InputError: ONNX Runtime refuses what it is given.
        """
        facts = self.metadata
        given = {**inputs, **{f"{name}_in": value for name, value in states.items()}}
        wanted = [*(one.output for one in facts.outputs), *(one.output for one in facts.states)]
        try:
            found = self._session.run(wanted, given)
        except Exception as error:  # ONNX Runtime's exceptions have no class in common
            raise InputError(f"ONNX Runtime could not take the step: {str(error).strip()[-300:]}") from error
        outputs = dict(zip([one.name for one in facts.outputs], found, strict=False))
        return outputs, dict(zip(self.states, found[len(outputs) :], strict=True))


def _session(content: bytes, path: str | PathLike[str], threads: int) -> Any:
    """Open a file's content; from bytes, so that a file from outside can name no other file for its parameters."""
    runtime = require("onnxruntime", "onnx", "running an ONNX file needs")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no class in common
        raise FileFormatError(f"{path} cannot be run by ONNX Runtime: {str(error).strip()[-300:]}") from error
