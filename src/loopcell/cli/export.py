"""`loopcell export MODEL --to c -o FOLDER`: a model that leaves Python, with its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from loopcell.cli import early
from loopcell.cli.effects import SampleRate, demand_no_rate, is_effect, load_effect
from loopcell.cli.reporting import Debug, reporting, warnings_as_notes
from loopcell.cli.values import find_model, named
from loopcell.errors import UsageError

if TYPE_CHECKING:
    from loopcell.export import StepCheck, StepModel

STACK_LIMIT = 262_144  # bytes
DRIFT_STEPS = 1_000


@dataclass(frozen=True)
class ExportFlags:
    """The flags of an export as they were typed, those of all targets."""

    output: Path
    overwrite: bool
    name: str = ""
    verify: bool = True
    simd: str = "plain"
    weights: str = "float32"
    arithmetic: str = "float"
    store: str = "arrays"
    layout: str = "make"
    stack_limit: int = STACK_LIMIT
    drift: int = DRIFT_STEPS
    form: str = "step"


OwnRows = Annotated[
    Path | None,
    typer.Option(
        "--data", help="A file with sequences, as the model was trained on; the check runs on them, else on drawn ones."
    ),
]
Series = Annotated[str | None, typer.Option("--which", help="Forecasts: the name of the series, or its number from 0.")]


def export(  # noqa: PLR0913 - a flag is an argument
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    to: Annotated[str, typer.Option("--to", help="What to write: c, wasm, onnx, torch.")],
    output: Annotated[
        Path,
        typer.Option("--output", "--out", "-o", help="The file to write; of a target of several files the folder."),
    ],
    *,
    name: Annotated[
        str, typer.Option(help="C, WebAssembly: the name of files and functions, else the task's.")
    ] = ExportFlags.name,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over what is there.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Hold the export against the model before it is written.")
    ] = ExportFlags.verify,
    simd: Annotated[
        str, typer.Option(help="C: plain for any compiler, vectors for the wide ones of GCC and Clang.")
    ] = ExportFlags.simd,
    weights: Annotated[
        str, typer.Option(help="C: the numbers of matrices: float32, bfloat16 or int8; in fixed point int16 or int8.")
    ] = ExportFlags.weights,
    arithmetic: Annotated[
        str, typer.Option(help="C: float, or fixed for processors without an FPU, which needs --data.")
    ] = ExportFlags.arithmetic,
    store: Annotated[
        str, typer.Option(help="C: arrays for weights in the code, blob for a file of their own.")
    ] = ExportFlags.store,
    layout: Annotated[
        str, typer.Option(help="C: make for one folder, arduino for a library of Arduino and PlatformIO.")
    ] = ExportFlags.layout,
    stack_limit: Annotated[
        int, typer.Option(min=0, help="C: the most bytes of arrays that a step may keep on the stack.")
    ] = ExportFlags.stack_limit,
    drift: Annotated[
        int, typer.Option(min=0, help="C: over how many steps the error is followed.")
    ] = ExportFlags.drift,
    form: Annotated[
        str, typer.Option(help="ONNX: step for a file of one step, sequence for one of any count of steps.")
    ] = ExportFlags.form,
    data: OwnRows = None,
    sample_rate: SampleRate = None,
    series: Series = None,
    debug: Debug = False,
) -> None:
    """Write a model that takes one step at a time, for places without Python."""
    with reporting(debug):
        if to not in TARGETS:
            raise UsageError(f"--to {to}: there is no such target; there is {', '.join(TARGETS)}")
        typed = ExportFlags(
            output, overwrite, name, verify, simd, weights, arithmetic, store, layout, stack_limit, drift, form
        )
        _demand_own_flags(to, typed)
        path = find_model(model)
        with warnings_as_notes():
            if is_effect(path):
                found = _effect(path, data, series, sample_rate)
            else:
                found = _loaded(path, data, series, sample_rate)
            for line in TARGETS[to](found, typed):
                typer.echo(line)


class Exported(NamedTuple):
    """An export: the step of a model, and the rows that it is held against; None draws them."""

    step: StepModel
    data: StepCheck | None


def _effect(path: Path, data: Path | None, series: str | None, sample_rate: int | None) -> Exported:
    """Return the step of an audio effect."""
    if series is not None:
        raise UsageError("--which names a series of a forecaster, and this is an audio effect")
    effect = load_effect(path, sample_rate)
    return Exported(effect.step_model(), None if data is None else effect.step_check(data))


def _loaded(path: Path, data: Path | None, series: str | None, sample_rate: int | None) -> Exported:
    """Return the step of a model, of a forecaster or detector on the scale of a series."""
    from loopcell.cli.export_data import check_of_file
    from loopcell.tasks.core.models import load_model
    from loopcell.tasks.forecasting.estimator import SeriesEstimator

    early.demand_model(path)
    model, which = load_model(path), dict[str, Any]()
    demand_no_rate(sample_rate, model)
    if series is not None:
        if not isinstance(model, SeriesEstimator):
            raise UsageError(f"--which names a series of a forecaster, and this is {named(model)}")
        numbers = [str(number) for number in range(len(model.names_))]
        is_name = series in model.names_ or series not in numbers
        which["series"] = series if is_name else model.names_[int(series)]
    step = model.step_model(**which)
    return Exported(step, None if data is None else check_of_file(model, data, which.get("series")))


def _demand_own_flags(to: str, typed: ExportFlags) -> None:
    """Refuse flags of other targets, which would change nothing."""
    usual = ExportFlags(typed.output, typed.overwrite)
    for field in fields(ExportFlags):
        if getattr(typed, field.name) != getattr(usual, field.name) and field.name not in OWN_FLAGS[to]:
            flag = "no-verify" if field.name == "verify" else field.name.replace("_", "-")
            own = ", ".join(target for target, names in OWN_FLAGS.items() if field.name in names)
            raise UsageError(f"--{flag} is for --to {own}, and would change nothing of --to {to}: leave it out")


def _to_c(found: Exported, typed: ExportFlags) -> Iterator[str]:
    from loopcell.export import CForm, to_c

    report = to_c(
        found.step,
        typed.output,
        name=typed.name,
        form=CForm(typed.simd, typed.weights, typed.store, typed.layout, typed.arithmetic, typed.stack_limit),
        data=found.data,
        overwrite=typed.overwrite,
        verify=typed.verify,
        drift_steps=typed.drift,
    )
    yield f"wrote {typed.output}: {report.summary()}"
    yield from [report.data] if report.data else ()
    yield from report.notes()
    yield from found.step.notes


def _to_wasm(found: Exported, typed: ExportFlags) -> Iterator[str]:
    from loopcell.export import to_wasm

    report = to_wasm(found.step, typed.output, name=typed.name, data=found.data, overwrite=typed.overwrite)
    yield f"wrote {typed.output}: {report.summary()}"
    yield from [report.data] if report.data else ()


def _to_onnx(found: Exported, typed: ExportFlags) -> Iterator[str]:
    from loopcell.export import to_onnx

    _demand_room(typed)
    verified = to_onnx(found.step, typed.output, form=typed.form, x=found.data)
    yield f"wrote {typed.output}: {verified.summary()}"
    yield from [found.data.covers()] if found.data else ()
    yield from found.step.notes


def _to_torch(found: Exported, typed: ExportFlags) -> Iterator[str]:
    import torch

    from loopcell.export import to_torch_program
    from loopcell.files import atomic_write

    _demand_room(typed)
    program = to_torch_program(found.step, x=found.data)
    with atomic_write(typed.output) as temporary, temporary.open("wb") as file:
        torch.export.save(program, file)
    names = ", ".join(one.name for one in found.step.outputs)
    yield f"wrote {typed.output}: a program of torch.export, which gives the {names} of the model"
    yield from [found.data.covers()] if found.data else ()
    yield from found.step.notes


def _demand_room(typed: ExportFlags) -> None:
    """Refuse to write one file over another."""
    if typed.output.exists() and not typed.overwrite:
        raise UsageError(f"{typed.output} is there already; name another file, or say --overwrite")


OWN_FLAGS: Mapping[str, frozenset[str]] = {
    "c": frozenset(("name", "verify", "simd", "weights", "arithmetic", "store", "layout", "stack_limit", "drift")),
    "wasm": frozenset(("name",)),
    "onnx": frozenset(("form",)),
    "torch": frozenset(),
}
"""The flags of each target beside those of all."""

TARGETS: Mapping[str, Callable[[Exported, ExportFlags], Iterator[str]]] = {
    "c": _to_c,
    "wasm": _to_wasm,
    "onnx": _to_onnx,
    "torch": _to_torch,
}
"""What --to names: each writes an export and yields what there is to say of it."""
