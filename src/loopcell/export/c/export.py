"""Export to C: a folder with the model, a program that checks it, and a report; written once it has been proven."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from loopcell.backends.c.toolchain.target import ADVICE, target
from loopcell.errors import CheckFailed, UsageError
from loopcell.export.c.blob import blob
from loopcell.export.c.check_program import check_text, makefile_text, speed_steps
from loopcell.export.c.compiled import STRICT, CProgram, compile_files, compile_program
from loopcell.export.c.cpp import hpp_text
from loopcell.export.c.fixed.record import InValues, fixed_source, in_values, record_fixed
from loopcell.export.c.fixed.source import FixedSource
from loopcell.export.c.form import AS_IT_COMES, CForm
from loopcell.export.c.layout import FileLayout, arduino_texts, layout_of
from loopcell.export.c.names import model_name
from loopcell.export.c.product import product_form
from loopcell.export.c.report import CReport, code_bytes, stack_bytes, this_machine
from loopcell.export.c.source import CSource
from loopcell.export.c.verify import Recorded, demand_equal, drift, record
from loopcell.export.c.wav_program import reads_sound, wav_text
from loopcell.export.c.weights import demand_weights
from loopcell.export.step_model import StepCheck, StepModel, step_model_of
from loopcell.export.step_model.checks import Data, check_of, covered
from loopcell.files.whole_folder import demand_free, whole_folder

FLAGS = ("-O3", "-ffp-contract=fast")
"""Those of the Makefile beside the model."""
STORES = ("arrays", "blob")
"""What --store takes."""
ARITHMETICS = ("float", "fixed")
"""What --arithmetic takes."""
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
            own data, with the model's own answers. None for random ones. Fixed point needs them: where the points of
            its numbers are follows from them.
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
    layout = _demand_form(form)
    if verify and target() is None:
        raise UsageError(f"there is no C compiler to verify the export with: {ADVICE}, or say verify=False")
    source, recorded = _recorded(step_model, model_name(name or step_model.name), form, data, model)
    about = covered(data, ranges=form.arithmetic == "fixed")
    with whole_folder(folder, overwrite=overwrite) as files:
        texts = _texts(source, recorded, layout)
        renamed = _renamed(name or step_model.name, source)
        report = (
            _proven(texts, source, recorded, renamed, drift_steps) if verify else _report(source, recorded, renamed)
        )
        report = replace(report, data=about)
        beside = "extras/" if layout.code else ""
        texts[f"{beside}report.json"] = json.dumps(report.as_json(), indent=1) + "\n"
        texts[f"{beside}REPORT.md"] = report.page()
        for path, text in texts.items():
            (files / path).parent.mkdir(parents=True, exist_ok=True)
            (files / path).write_text(text, encoding="utf-8")
        if source.store == "blob":
            (files / f"{source.name}.weights").write_bytes(blob(source))
    return report


def _recorded(
    step_model: StepModel, name: str, form: CForm, data: Data | None, model: object
) -> tuple[CSource, Recorded]:
    """Return a model in C, and what it is held against."""
    if form.arithmetic == "fixed":
        whole, inputs = fixed_source(step_model, name, form.weights, form.store, data)
        _demand_stack(whole, form.stack_limit)
        return whole, record_fixed(whole, data if isinstance(data, StepCheck) else check_of(model, inputs), inputs)
    source = CSource(step_model, name, product_form(form.simd, form.weights), form.store)
    demand_weights(source.arrays)
    _demand_stack(source, form.stack_limit)
    return source, record(source, data, model)


def _demand_form(form: CForm) -> FileLayout:
    """Return the layout of a form; UsageError where its parts do not go together."""
    if form.store not in STORES:
        raise UsageError(f"there is no store={form.store!r}; there are {' and '.join(STORES)}")
    if form.arithmetic not in ARITHMETICS:
        raise UsageError(f"there is no arithmetic={form.arithmetic!r}; there are {' and '.join(ARITHMETICS)}")
    if form.arithmetic == "fixed" and form.simd != "plain":
        raise UsageError(f"fixed point is written in plain C: leave simd={form.simd!r} out")
    layout = layout_of(form.layout)
    if layout.code and form.store == "blob":
        raise UsageError(
            "a library of Arduino has its weights in the code: leave store='blob' out, or layout='arduino'"
        )
    return layout


def _texts(source: CSource, recorded: Recorded, layout: FileLayout) -> dict[str, str]:
    """Return all files but the report and the weights, by path."""
    texts = {
        f"{layout.code}{source.name}.h": source.header(),
        f"{layout.code}{source.name}.c": source.code(),
        f"{layout.code}{source.name}.hpp": hpp_text(source),
        f"{layout.check}check.c": check_text(source, recorded.inputs, recorded.answers, recorded.allowed),
        f"{layout.check}Makefile": makefile_text(source, source.multiply_adds, layout),
    }
    if reads_sound(source):
        texts[f"{layout.check}{source.name}_wav.c"] = wav_text(source)
    return texts | (arduino_texts(source) if layout.code else {})


def _renamed(wanted: str, source: CSource) -> dict[str, str]:
    """Return the names that are others in C; a single output is y, as the manual says."""
    ends = {one.name: source.quantities[one.name] for one in (*source.model.inputs, *source.outputs)}
    found = {wanted: source.name} | {name: word for name, word in ends.items() if word != "y"}
    return {name: word for name, word in found.items() if name != word}


def _proven(
    texts: Mapping[str, str], source: CSource, recorded: Recorded, renamed: Mapping[str, str], drift_steps: int
) -> CReport:
    """Compile the files, run them, and report; CheckFailed where they are not the model."""
    chosen = target()
    assert chosen is not None  # asked before
    command = (*chosen.command, *STRICT, *FLAGS)
    with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
        built = Path(scratch)
        for path, text in texts.items():
            (built / Path(path).name).write_text(text, encoding="utf-8")
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
            renamed,
            compiler=" ".join((Path(chosen.command[0]).name, *command[1:])),
            verified_steps=recorded.steps,
            largest_error=error,
            drift=_drift(program, source, recorded, drift_steps) if drift_steps else {},
            stack_bytes=stack,
            code_bytes=code_bytes(built / f"{source.name}.o"),
            microseconds=float(said.split()[0]),
        )


def _drift(program: CProgram, source: CSource, recorded: Recorded, steps: int) -> dict[int, float]:
    if isinstance(source, FixedSource):
        return drift(InValues(program, source.fixed), source.model, in_values(source, recorded), steps)
    return drift(program, source.model, recorded, steps)


def _run(program: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - ours
        [str(program), *words], capture_output=True, text=True, check=False, cwd=program.parent
    )
    if done.returncode:
        raise CheckFailed(f"the program that checks the export failed: {done.stdout.strip()}")
    return done.stdout


def _report(source: CSource, recorded: Recorded, renamed: Mapping[str, str], **measured: Any) -> CReport:
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
        state_bytes=source.number_bytes * sum(size for _, size in source.states),
        saved_state_bytes=source.state_bytes,
        buffer_bytes=source.buffer_bytes,
        machine=this_machine(),
        own_errors=recorded.all_own,
        allowed_error=max(one.allowed for one in recorded.all),
        weights=source.form.kind_name,
        arithmetic="fixed" if isinstance(source, FixedSource) else "float",
        narrowing=max(one.narrowing for one in recorded.all),
        left_out=source.left_out,
        renamed=renamed,
        columns={source.quantities[name]: named for name, named in source.model.columns.items()},
        labels={source.quantities[one.name]: list(one.labels) for one in source.model.outputs if one.labels},
        **known | measured,
    )


def _demand_stack(source: CSource, limit: int) -> None:
    if source.buffer_bytes > limit:
        raise UsageError(
            f"a step of {source.name} keeps {source.buffer_bytes:,} bytes in arrays on the stack, more than the "
            f"{limit:,} that stack_limit=... allows; a smaller hidden size or vocabulary needs less"
        )
