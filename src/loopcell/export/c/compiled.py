"""An exported model as a program: compiled with a C compiler, and run over data."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loopcell.backends.c.toolchain.target import run
from loopcell.errors import LoopcellError
from loopcell.export.c.blob import blob, set_up_words
from loopcell.export.c.names import text
from loopcell.export.c.source import CSource

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
_SECONDS = 600
_KINDS: Mapping[str, type[np.generic]] = {"float": np.float32, "int16_t": np.int16}


class CompiledError(LoopcellError, RuntimeError):
    """An exported model did not compile, or its program failed."""


@dataclass(frozen=True)
class CProgram:
    """The program of an exported model.

    Attributes:
        path: where it is.
        source: what it was made from.
        runner: words before its path, such as those of an emulator.
    """

    path: Path
    source: CSource
    runner: tuple[str, ...] = ()

    def steps(
        self, inputs: Mapping[str, npt.NDArray[np.generic]], again: int = 0
    ) -> dict[str, npt.NDArray[np.generic]]:
        """Take a step for each row of the inputs.

        Args:
            inputs: by name: [T, n] numbers, or [T] tokens.
            again: after every so many steps the state is saved, forgotten and loaded; 0 for never.

        Returns:
            By name, [T, n].

        Raises:
            CompiledError: the program failed.
        """
        done = subprocess.run(  # noqa: S603 - our own program
            [*self.runner, str(self.path.resolve()), str(again)],
            cwd=self.path.parent,  # where weights lie
            input=_interleaved(self.source, inputs),
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode:
            raise CompiledError(
                f"the program of {self.source.name} ended with {done.returncode}: {done.stderr[:500]!r}"
            )
        sizes = [output.size for output in self.source.outputs]
        rows = np.frombuffer(done.stdout, _KINDS[self.source.number]).reshape(-1, sum(sizes))
        parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
        return {output.name: part for output, part in zip(self.source.outputs, parts, strict=True)}


def compile_program(source: CSource, folder: Path, command: Sequence[str], runner: tuple[str, ...] = ()) -> CProgram:
    """Compile a program that runs a model over what it reads.

    Args:
        source: the model, whose two files lie in the folder.
        folder: where the program goes.
        command: the compiler and its flags.
        runner: words before the program's path.

    Raises:
        CompiledError: the compiler refused it.
    """
    (folder / "run.c").write_text(runner_text(source), encoding="utf-8")
    if source.store == "blob":
        (folder / f"{source.name}.weights").write_bytes(blob(source))
    program = folder / "run"
    compile_files(command, [folder / f"{source.name}.c", folder / "run.c"], program)
    return CProgram(program, source, runner)


def compile_files(command: Sequence[str], files: Sequence[Path], made: Path, *flags: str) -> None:
    """Compile files of C; CompiledError says what the compiler has against them."""
    try:
        done = run((*command, *flags, *map(str, files), "-o", str(made)), seconds=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise CompiledError(f"{command[0]} could not be run: {error}") from error
    if done.returncode:
        raise CompiledError(f"{command[0]} refused {files[0].name}:\n{done.stderr[:1500]}")


def runner_text(source: CSource) -> str:
    """Return the C of a program that runs a model over what it reads."""
    inputs = [(source.quantities[one.name], one) for one in source.model.inputs]
    outputs = [(source.quantities[one.name], one.size) for one in source.outputs]
    declarations = [
        f"static int32_t {word};" if one.kind == "token" else f"static {source.number} {word}[{one.size}];"
        for word, one in inputs
    ]
    each = source.number_bytes
    reads = (
        f"fread(&{word}, {4 if one.kind == 'token' else each}, {one.size}, stdin) == {one.size}" for word, one in inputs
    )
    writes = (f"if (fwrite({word}, {each}, {size}, stdout) != {size}) return 6;" for word, size in outputs)
    return text("run.c").format(
        **set_up_words(source),
        name=source.name,
        NAME=source.name.upper(),
        declarations="\n".join(
            f"    {line}"
            for line in (*declarations, *(f"static {source.number} {word}[{size}];" for word, size in outputs))
        ),
        reading=" && ".join(reads),
        step=source.step_call("&model", "&state", *(word for word, _ in (*inputs, *outputs))),
        writing="\n".join(f"        {line}" for line in writes),
    )


def _interleaved(source: CSource, inputs: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Return the inputs step by step, in the machine's order of bytes."""
    columns = []
    for quantity in source.model.inputs:
        kind = np.int32 if quantity.kind == "token" else _KINDS[source.number]
        rows = np.ascontiguousarray(inputs[quantity.name], kind)
        columns.append(rows.reshape(len(rows), quantity.size).view(np.uint8))
    return np.concatenate(columns, axis=1).tobytes()
