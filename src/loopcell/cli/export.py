"""`loopcell export MODEL --to c -o FOLDER`: a model that leaves Python, with its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.values import find_model
from loopcell.errors import UsageError


@dataclass(frozen=True)
class ExportFlags:
    """The flags of an export as they were typed, those of all targets."""

    output: Path
    name: str
    overwrite: bool
    verify: bool
    simd: str
    weights: str
    stack_limit: int


def export(  # noqa: PLR0913 - a flag is an argument
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    to: Annotated[str, typer.Option("--to", help="What to write: c, wasm.")],
    output: Annotated[
        Path,
        typer.Option("--output", "--out", "-o", help="The file to write; of a target of several files the folder."),
    ],
    *,
    name: Annotated[str, typer.Option(help="C, WebAssembly: the name of files and functions, else the task's.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over what is there.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Hold the export against the model before it is written.")
    ] = True,
    simd: Annotated[
        str, typer.Option(help="C: plain for any compiler, vectors for the wide ones of GCC and Clang.")
    ] = "plain",
    weights: Annotated[
        str, typer.Option(help="C: the numbers of matrices and tables: float32, bfloat16 or int8.")
    ] = "float32",
    stack_limit: Annotated[
        int, typer.Option(min=0, help="C: the most bytes of arrays that a step may keep on the stack.")
    ] = 262_144,
    debug: Debug = False,
) -> None:
    """Write a model that takes one step at a time, for places without Python."""
    with reporting(debug):
        if to not in TARGETS:
            raise UsageError(f"--to {to}: there is no such target; there is {', '.join(TARGETS)}")
        path = find_model(model)
        early.demand_model(path)
        from loopcell.tasks.core.models import load_model

        typed = ExportFlags(output, name, overwrite, verify, simd, weights, stack_limit)
        for line in TARGETS[to](load_model(path), typed):
            typer.echo(line)


def _to_c(model: Any, typed: ExportFlags) -> Iterator[str]:
    from loopcell.export import CForm, to_c

    report = to_c(
        model,
        typed.output,
        name=typed.name,
        form=CForm(simd=typed.simd, weights=typed.weights, stack_limit=typed.stack_limit),
        overwrite=typed.overwrite,
        verify=typed.verify,
    )
    yield f"wrote {typed.output}: {report.summary()}"


def _to_wasm(model: Any, typed: ExportFlags) -> Iterator[str]:
    from loopcell.export import to_wasm

    report = to_wasm(model, typed.output, name=typed.name, overwrite=typed.overwrite)
    yield f"wrote {typed.output}: {report.summary()}"


TARGETS: Mapping[str, Callable[[Any, ExportFlags], Iterator[str]]] = {"c": _to_c, "wasm": _to_wasm}
"""What --to names: each writes an export and yields what there is to say of it."""
