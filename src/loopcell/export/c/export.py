"""Export to C: a folder with the model, a program that checks it, and a report; written once it has been proven."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from loopcell.backends.c.toolchain.target import ADVICE, target
from loopcell.errors import CheckFailed, UsageError
from loopcell.export.c.check_program import check_text, makefile_text, speed_steps
from loopcell.export.c.compiled import STRICT, compile_files, compile_program
from loopcell.export.c.cpp import hpp_text
from loopcell.export.c.form import AS_IT_COMES, CForm
from loopcell.export.c.names import model_name
from loopcell.export.c.product import product_form
from loopcell.export.c.report import CReport, code_bytes, stack_bytes, this_machine
from loopcell.export.c.source import CSource
from loopcell.export.c.verify import Recorded, demand_equal, drift, record
from loopcell.export.c.wav_program import reads_sound, wav_text
from loopcell.export.c.weights import demand_weights
from loopcell.export.step_model import step_model_of
from loopcell.export.step_model.checks import Data
from loopcell.files.whole_folder import demand_free, whole_folder

FLAGS = ("-O3", "-ffp-contract=fast")
"""Those of the Makefile beside the model."""
SMALL = ("-Os",)
"""Those with which code and stack are counted, as small machines have them: unrolled loops take more of both."""


def to_c(
    model: object,
    folder: str | os.PathLike[str],
    *,
    name: str = "",
    form: CForm = AS_IT_COMES,
    data: Data | None = None,
    overwrite: bool = False,
    verify: bool = True,
    drift_steps: int = 1_000,
) -> CReport:
    """Write a model as C99 that takes one step at a time, with its state in a struct of the caller's.

    The folder gets NAME.h and NAME.c, NAME.hpp for C++, check.c and a Makefile for `make check`, report.json and
    REPORT.md; and for a model of sound NAME_wav.c, a program that reads WAV files. The C is compiled and compared with
    the model first, and nothing is written if it is not the same.

    Args:
        model: an estimator that takes steps, a network that reads forward, or a StepModel.
        folder: where the files go; made if it is not there.
        name: of the model in C, for files and functions; "" for the model's own.
        form: how the C is written.
        data: inputs by name to verify with, [T, n] numbers or [T] tokens; or what `model.step_check(X)` makes of your
            own data, with the model's own answers. None for random ones.
        overwrite: write into a folder that is not empty.
        drift_steps: over how many steps the error is followed; each takes about 50 microseconds of NumPy.
        verify: False writes it unproven, such as where there is no compiler; the report then says so.

    Returns:
        The report.

    Raises:
        UsageError: the model has no step, the name cannot be one in C, the folder is not empty, a step needs more stack
            than allowed, or there is no compiler to verify with.
        InputError: the data do not fit the model.
        CheckFailed: the C is not the model.
        FileWriteError: the folder cannot be written.
    """
    demand_free(folder, overwrite=overwrite)
    step_model = step_model_of(model)
    source = CSource(step_model, model_name(name or step_model.name), product_form(form.simd, form.weights))
    demand_weights(source.arrays)
    _demand_stack(source, form.stack_limit)
    if verify and target() is None:
        raise UsageError(f"there is no C compiler to verify the export with: {ADVICE}, or say verify=False")
    recorded = record(source, data, model)
    with whole_folder(folder, overwrite=overwrite) as files:
        _write(files, source, recorded)
        report = _proven(files, source, recorded, drift_steps) if verify else _report(source, recorded)
        (files / "report.json").write_text(json.dumps(report.as_json(), indent=1) + "\n", encoding="utf-8")
        (files / "REPORT.md").write_text(report.page(), encoding="utf-8")
    return report


def _write(files: Path, source: CSource, recorded: Recorded) -> None:
    texts = {
        f"{source.name}.h": source.header(),
        f"{source.name}.c": source.code(),
        f"{source.name}.hpp": hpp_text(source),
        "check.c": check_text(source, recorded.inputs, recorded.answers, recorded.allowed),
        "Makefile": makefile_text(source, source.multiply_adds),
    }
    if reads_sound(source):
        texts[f"{source.name}_wav.c"] = wav_text(source)
    for name, text in texts.items():
        (files / name).write_text(text, encoding="utf-8")


def _proven(files: Path, source: CSource, recorded: Recorded, drift_steps: int) -> CReport:
    """Compile the files, run them, and report; CheckFailed where they are not the model."""
    chosen = target()
    assert chosen is not None  # asked before
    command = (*chosen.command, *STRICT, *FLAGS)
    with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
        built = Path(scratch)
        for name in (f"{source.name}.h", f"{source.name}.c", "check.c"):
            (built / name).write_bytes((files / name).read_bytes())
        program = compile_program(source, built, command)
        error = demand_equal(program, recorded)
        code, check = built / f"{source.name}.c", built / "check"
        compile_files(command, [code, built / "check.c"], check, "-lm")
        _run(check)
        stack = stack_bytes(source, (*chosen.command, *STRICT, *SMALL), built)
        said = _run(check, str(speed_steps(source.multiply_adds)))
        return _report(
            source,
            recorded,
            compiler=" ".join((Path(chosen.command[0]).name, *command[1:])),
            verified_steps=len(next(iter(recorded.answers.values()))),
            largest_error=error,
            drift=drift(program, source.model, recorded, drift_steps) if drift_steps else {},
            stack_bytes=stack,
            code_bytes=code_bytes(built / f"{source.name}.o"),
            microseconds=float(said.split()[0]),
        )


def _run(program: Path, *words: str) -> str:
    done = subprocess.run([str(program), *words], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise CheckFailed(f"the program that checks the export failed: {done.stdout.strip()}")
    return done.stdout


def _report(source: CSource, recorded: Recorded, **measured: Any) -> CReport:
    known: dict[str, Any] = {
        "code_bytes": None,
        "stack_bytes": None,
        "compiler": None,
        "microseconds": None,
        "verified_steps": 0,
        "largest_error": 0.0,
        "drift": {},
    }
    return CReport(
        name=source.name,
        parameters=source.model.parameters,
        multiply_adds=source.multiply_adds,
        weight_bytes=source.weight_bytes,
        state_bytes=4 * sum(size for _, size in source.states),
        saved_state_bytes=source.state_bytes,
        buffer_bytes=source.buffer_bytes,
        machine=this_machine(),
        own_errors=dict(recorded.own),
        allowed_error=recorded.allowed,
        weights=source.form.kind_name,
        narrowing=recorded.narrowing,
        **known | measured,
    )


def _demand_stack(source: CSource, limit: int) -> None:
    if source.buffer_bytes > limit:
        raise UsageError(
            f"a step of {source.name} keeps {source.buffer_bytes:,} bytes in arrays on the stack, more than the "
            f"{limit:,} that stack_limit=... allows; a smaller hidden size or vocabulary needs less"
        )
