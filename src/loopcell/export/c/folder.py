"""A folder that `to_c` wrote, compiled anew and run: for whoever holds it against a model later."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopcell.backends.c.toolchain.target import ADVICE, target
from loopcell.errors import FileFormatError, UsageError
from loopcell.export.c.compiled import CompiledError, CProgram, compile_files, runner_text
from loopcell.export.c.fixed.model import FixedModel
from loopcell.export.c.fixed.record import InValues
from loopcell.export.c.fixed.source import FixedForm, FixedSource
from loopcell.export.c.layout import LAYOUTS
from loopcell.export.c.product import product_form
from loopcell.export.c.source import CSource
from loopcell.export.step_model import StepModel
from loopcell.export.verifying import TakesSteps

_LARGEST = 1 << 20  # bytes of a header


@contextmanager
def c_folder(folder: Path, model: StepModel) -> Iterator[TakesSteps]:
    """Compile the C of a folder and give what runs it, for as long as the context lasts.

    Its weights, their form and the points of its numbers are the folder's own; the model says what inputs and outputs
    are called.

    Args:
        folder: of an export, in either layout.
        model: what it should be of.

    Raises:
        FileFormatError: there is no export to C in it, it is of a model with other inputs or outputs, or it does not
            compile or run.
        UsageError: there is no C compiler.
    """
    code = _code(folder)
    chosen = target()
    if chosen is None:
        raise UsageError(f"there is no C compiler to run {folder} with: {ADVICE}")
    source = _source(code, model)
    with tempfile.TemporaryDirectory(prefix="loopcell-") as scratch:
        built = Path(scratch)
        for ending in ("h", "c", "weights"):
            file = code.with_suffix(f".{ending}")
            if ending != "weights" or source.store == "blob":
                _copy(file, built)
        (built / "run.c").write_text(runner_text(source), encoding="utf-8")
        files = [built / f"{source.name}.c", built / "run.c"]
        try:
            compile_files((*chosen.command, "-std=c99", "-O1"), files, built / "run", "-lm")
        except CompiledError as error:
            raise FileFormatError(f"{folder} does not compile: {error}") from error
        program = CProgram(built / "run", source)
        try:
            yield InValues(program, source.fixed) if isinstance(source, FixedSource) else program
        except CompiledError as error:
            raise FileFormatError(
                f"{folder} does not run: its header or its weights are damaged, or of another model ({error})"
            ) from error


def _code(folder: Path) -> Path:
    """Return the header of an export."""
    found = [path for layout in LAYOUTS.values() for path in sorted((folder / layout.code).glob("*.h"))]
    if len(found) != 1 or not re.fullmatch(r"[a-z_][a-z0-9_]*", found[0].stem):
        raise FileFormatError(f"{folder} is no export: it has neither one .h with its .c, nor one .wasm")
    return found[0]


def _source(header: Path, model: StepModel) -> CSource:
    """Return what a program has to know of an export: what its header says, and the model's names."""
    if header.stat().st_size > _LARGEST:
        raise FileFormatError(f"{header} is larger than any header of an export")
    text, name = header.read_text(encoding="utf-8", errors="replace"), header.stem
    said = {word: int(number) for word, number in re.findall(r"^#define (\w+) (-?\d{1,9})$", text, re.MULTILINE)}
    prefix = name.upper()
    source = CSource(model, name, product_form(), "blob" if f"{prefix}_WEIGHT_BYTES" in said else "arrays")
    ends = [*(one for one in model.inputs if one.kind != "token"), *source.outputs]
    for one in ends:
        found = said.get(f"{prefix}_{source.macros[one.name]}")
        if found != one.size:
            there = "is not there" if found is None else f"has {found} numbers"
            raise FileFormatError(
                f"{header.parent} is of another model: {one.name!r} has {one.size} numbers, and there it {there}"
            )
    fractions = {one.name: said.get(f"{prefix}_{source.macros[one.name]}_FRACTION") for one in ends}
    points = {name: fraction for name, fraction in fractions.items() if fraction is not None}
    if not points:
        return source
    if len(points) < len(ends):
        raise FileFormatError(f"{header} does not say of all inputs and outputs where their point is")
    fixed = FixedModel(model, "int16", points, equations={}, lookups={}, tables={})
    return FixedSource(model, name, FixedForm("int16"), source.store, fixed=fixed)


def _copy(file: Path, folder: Path) -> None:
    try:
        shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise FileFormatError(f"{file} cannot be read: {error.strerror}") from error
