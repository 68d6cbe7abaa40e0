"""verify: an export held against its model, be it a file, a folder, or something that runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy.typing as npt

from loopcell.errors import FileFormatError
from loopcell.export.c.folder import c_folder
from loopcell.export.onnx.stream import OnnxStream
from loopcell.export.step_model import StepModel, step_model_of
from loopcell.export.step_model.checks import Data
from loopcell.export.verifying import Runs, Verified, verify_run
from loopcell.export.wasm.stream import WasmStream


def verify(
    model: object,
    exported: Runs | str | os.PathLike[str],
    inputs: Data,
    *,
    original: Mapping[str, npt.ArrayLike] | None = None,
    tolerance: float | None = None,
) -> Verified:
    """Hold an exported model against its original: offline == chunked == stepped == exported.

    The middle of all comparisons is the step in double precision. What was exported is run step by step, in chunks, as
    a whole, and with its state saved and loaded, as far as it can; the model runs on the same data in its own ways: a
    network at once, in chunks and step by step; an estimator as the `StepCheck` has it that it made of the user's data
    (`model.step_check(X)`).

    Args:
        model: what was exported: a network, a trained estimator or a `StepModel`, as `step_model_of` takes them.
        exported: what came of it: the folder of `to_c` or `to_wasm`, a .wasm or .onnx file, or whatever runs, such as
            an `OnnxStream`; that is reset before and after. The C of a folder is compiled and run: it is code, for you
            to trust or not.
        inputs: a sequence by the name of each input, [T, n], or [T] of tokens; or a `StepCheck`.
        original: what the trained model answers to the whole of it, where it is one sequence, [T, n] by output, to be
            compared as well.
        tolerance: the largest difference that passes, for numbers up to 1; relative to them beyond. None: what rounding
            to float32 explains on these inputs, as in the export's own `make check`; damage that moves the answers by
            less passes. Weights in bfloat16 or int8 and fixed point move them by more: the report of the export says
            how much.

    Raises:
        CheckFailed: they differ; the message names the way of running, the output and the step.
        FileFormatError: there is no export at that path, or it is of a model with other inputs or outputs.
        InputError: an input is missing, they are not equally long, or have no step.
        MissingExtraError: what runs the file is not installed.
        UsageError: the model has no step, or there is no C compiler for a folder of C.
    """
    step_model = step_model_of(model)
    if not isinstance(exported, str | os.PathLike):
        return verify_run(model, exported, inputs, original=original, tolerance=tolerance)
    with _opened(Path(exported), step_model) as running:
        return verify_run(model, running, inputs, original=original, tolerance=tolerance)


@contextmanager
def _opened(path: Path, model: StepModel) -> Iterator[Runs]:
    """Give what runs an export, for as long as the context lasts."""
    found = sorted(path.glob("*.wasm")) if path.is_dir() else []
    path = found[0] if len(found) == 1 else path
    if path.is_dir():
        with c_folder(path, model) as program:
            yield program
    elif path.suffix == ".wasm":
        yield WasmStream(path, model)
    elif path.suffix == ".onnx":
        yield OnnxStream(path)
    elif path.exists():
        raise FileFormatError(f"{path} is no export: name the folder of to_c or to_wasm, a .wasm or a .onnx file")
    else:
        raise FileFormatError(f"there is no {path}")
