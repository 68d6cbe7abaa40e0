"""to_onnx: a model as an ONNX file, checked before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import InputError, UsageError, quoted
from loopcell.export.drawn import drawn
from loopcell.export.onnx.file import OnnxFile
from loopcell.export.onnx.stream import OnnxStream
from loopcell.export.step_model import Equations, Lookup, StepModel, step_model_of
from loopcell.export.step_model.checks import Data, check_of
from loopcell.export.verifying import Verified, verify_run
from loopcell.files import atomic_write
from loopcell.files.extras import require

if TYPE_CHECKING:
    import onnx

LARGEST = (1 << 31) - 1  # bytes of a protobuf message


def to_onnx(
    model: object,
    path: str | PathLike[str],
    *,
    form: str = "step",
    x: Data | None = None,
    tolerance: float = 1e-4,
) -> Verified:
    """Write a model as an ONNX file that ONNX Runtime, native or in a browser, runs with the same answers.

    Recurrent layers become ONNX's RNN, GRU or LSTM where the equations are theirs, and loops over their equations
    elsewhere. States are inputs and outputs, NAME_in and NAME_out, in both forms; the file's metadata says so too.
    Nothing is written unless ONNX's checker accepts the file and ONNX Runtime computes with it what the model does,
    step by step, in chunks and in one call.

    Args:
        model: a network, a trained estimator or a `StepModel`, as `step_model_of` takes them.
        path: the file; its folder has to exist.
        form: "step" for one step of a batch, [B, n]; "sequence" for all steps, [T, B, n].
        x: a sequence by the name of each input, [T, n], or [T] of tokens, that the file is checked on; or what
            `model.step_check(X)` makes of your own data, which is the better check. None draws one.
        tolerance: the largest difference that passes, as in `verify`.

    Returns:
        What the check found.

    Raises:
        UsageError: the form is unknown, a stage has no ONNX, or the model has no step, as a bidirectional network.
        InputError: parameters are not float32, or are more than a file can hold.
        CheckFailed: the file would not compute what the model does.
        FileWriteError: the file could not be written.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    steps = step_model_of(model)
    content = onnx_model(steps, form).SerializeToString()
    data = drawn(steps) if x is None else x
    found = verify_run(steps, OnnxStream(OnnxFile(content, path)), check_of(model, data), tolerance=tolerance)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return found


def onnx_model(model: StepModel, form: str) -> onnx.ModelProto:
    """Return a model in a form, as ONNX's checker accepts it; errors as `to_onnx`."""
    checker = require("onnx.checker", "onnx", "an export to ONNX needs")
    from loopcell.export.onnx.forms import FORMS

    if form not in FORMS:
        raise UsageError(f"form={form!r} is no form of an ONNX file; it is {' or '.join(map(repr, FORMS))}")
    _demand_floats(model)
    made = FORMS[form](model)
    checker.check_model(made, full_check=True)
    return made


def _demand_floats(model: StepModel) -> None:
    arrays: dict[str, Mapping[str, npt.NDArray[Any]]] = {
        stage.gives.name: stage.parameters if isinstance(stage, Equations) else {"table": stage.table}
        for stage in model.stages
        if isinstance(stage, Equations | Lookup)
    }
    for stage, values in arrays.items():
        for name, value in values.items():
            if value.dtype != np.float32:
                raise InputError(
                    f"the parameter {quoted(name)} of {stage!r} is {value.dtype}; ONNX files are written in float32, "
                    "so convert the model with .float() first"
                )
    total = sum(value.nbytes for values in arrays.values() for value in values.values())
    if 2 * total > LARGEST:  # a matrix may stand there in two forms
        raise InputError(f"the parameters are {total:,} bytes, and one ONNX file can hold {LARGEST // 2:,}")
