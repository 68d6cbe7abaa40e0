"""The report of an export: memory, work and error, as JSON and as a page."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from loopcell.backends.c.toolchain.target import ADVICE, run
from loopcell.export.c.source import CSource

_MOST_NAMES = 200  # of a row of the page
NOT_VERIFIED = "not verified against the model"


@dataclass(frozen=True)
class CReport:
    """Memory, work and error of an export, and how it was proven.

    Attributes:
        name: of the model.
        parameters: numbers that the model has learned.
        multiply_adds: those of the products of one step.
        weight_bytes: constant data.
        code_bytes: instructions, as the compiler below has them with -Os; None where that is not known.
        state_bytes: what one stream needs.
        saved_state_bytes: of a state that is written away.
        buffer_bytes: what a step keeps on the stack in arrays.
        stack_bytes: all that a step needs of the stack, as that compiler says with -Os; None where it does not.
        compiler: the command that it was verified with; None where there is none.
        machine: what it was verified on.
        microseconds: of a step, measured there; None where it was not.
        verified_steps: steps that were compared with the model in double precision; 0 where none were.
        largest_error: of all of these steps.
        allowed_error: what rounding to single precision explains.
        weights: the numbers of matrices and tables.
        arithmetic: "float", or "fixed" for whole numbers.
        narrowing: by how much the answers of the model with these differ from those with its weights in full.
        left_out: numbers of matrices in blocks of zeros, which are neither stored nor multiplied.
        renamed: the names of the model, of inputs and of outputs that are others in C, with those.
        drift: the largest error of the first 1, 10, ... steps against the model in double precision.
        own_errors: by how much the model's own runs on these steps differ from the step in double precision, by the way
            of each: "own offline", "own chunked", "own stepped", "own streamed".
        data: how much of the user's data was compared, as a sentence; "" where the steps were drawn.
        columns: the columns of each input, in their order, by the name of the input in C; of a token what its numbers
            stand for.
        labels: what the numbers of each output are of, in their order, by the name of the output in C.
    """

    name: str
    parameters: int
    multiply_adds: int
    weight_bytes: int
    code_bytes: int | None
    state_bytes: int
    saved_state_bytes: int
    buffer_bytes: int
    stack_bytes: int | None
    compiler: str | None
    machine: str
    microseconds: float | None
    verified_steps: int
    largest_error: float
    allowed_error: float
    weights: str
    arithmetic: str
    narrowing: float
    left_out: int
    renamed: Mapping[str, str]
    drift: Mapping[int, float]
    own_errors: Mapping[str, float] = field(default_factory=dict)
    data: str = ""
    columns: Mapping[str, list[str]] = field(default_factory=dict)
    labels: Mapping[str, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self) | {"drift": {str(steps): error for steps, error in self.drift.items()}}

    def summary(self) -> str:
        """Return it in a sentence."""
        proof = f"off by {self.largest_error:.2g} at most" if self.verified_steps else NOT_VERIFIED
        if self.arithmetic == "fixed":
            proof = "the bits of the same in Python" if self.verified_steps else NOT_VERIFIED
        memory = f"{self.weight_bytes:,} bytes of weights, {self.state_bytes:,} of state"
        if self.arithmetic == "fixed":
            proof += f", which are off by {self.narrowing:.2g} in fixed point"
        elif self.weights != "float32":
            proof += f", and {self.narrowing:.2g} by the weights in {self.weights}"
        return f"{memory}, {self.multiply_adds:,} multiply-adds a step; {proof}"

    def notes(self) -> list[str]:
        """Return a sentence for each name that is another one in C."""
        return [f"{name!r} is called {word} in C" for name, word in self.renamed.items()]

    def page(self) -> str:
        """Return it as a page of Markdown."""
        stack = f"{self.stack_bytes:,} bytes of stack in all, with -Os" if self.stack_bytes else "stack unknown"
        code = "unknown" if self.code_bytes is None else f"{self.code_bytes:,} bytes on this machine, with -Os"
        rows = [
            ("parameters", f"{self.parameters:,}"),
            ("multiply-adds a step", f"{self.multiply_adds:,}"),
            ("flash: weights", f"{self.weight_bytes:,} bytes, in {self.weights}"),
            ("flash: code", code),
            ("RAM: state of a stream", f"{self.state_bytes:,} bytes"),
            ("RAM: a step", f"{self.buffer_bytes:,} bytes in arrays; {stack}"),
            ("saved state", f"{self.saved_state_bytes:,} bytes"),
        ]
        if self.left_out:
            whole = self.multiply_adds + self.left_out
            rows.insert(2, ("zero blocks left out", f"{self.left_out:,} of {whole:,} multiply-adds, and their weights"))
        if self.microseconds is not None:
            rows.append(("time of a step", f"{self.microseconds:.3f} microseconds on {self.machine}"))
        table = "\n".join(f"| {what} | {value} |" for what, value in rows)
        names = "".join(f"- {note}\n" for note in self.notes())
        parts = [f"# {self.name} in C\n\n| | |\n|---|---|\n{table}\n\n{self._proof()}\n", names, self._order()]
        return "\n".join(part for part in parts if part)

    def _order(self) -> str:
        """Return the names of the numbers of inputs and outputs in their order, as a table; "" where none are known."""
        rows = [
            f"| `{word}` | {way} | {_in_a_cell(names)} |\n"
            for way, each in (("input", self.columns), ("output", self.labels))
            for word, names in each.items()
        ]
        return "".join(["| array | | its numbers, in order |\n|---|---|---|\n", *rows]) if rows else ""

    def _proof(self) -> str:
        if not self.verified_steps:
            return (
                f"This export was {NOT_VERIFIED}. A C compiler is what it takes ({ADVICE}). Run "
                "`make check` where there is one: it holds the C against what "
                "the model answered in Python."
            )
        proof = (
            f"Verified with `{self.compiler}`: over {self.verified_steps} steps the C differs from the model in double "
            f"precision by at most {self.largest_error:.2g} ({self.allowed_error:.2g} is what single precision "
            "explains), and not by a bit when its state is saved and loaded in between. `make check` does it again."
        )
        if self.arithmetic == "fixed":
            proof = (
                f"Verified with `{self.compiler}`: over {self.verified_steps} steps the C has the bits of the same "
                "whole numbers in Python, also when its state is saved and loaded in between. `make check` does it too."
            )
        lines = [proof]
        if self.data:
            lines += ["", f"{self.data[0].upper()}{self.data[1:]}."]
        if self.own_errors:
            ways = ", ".join(f"{error:.2g} ({way.removeprefix('own ')})" for way, error in self.own_errors.items())
            lines += ["", f"The model itself, run on the same steps, differs from its step by at most {ways}."]
        if self.arithmetic == "fixed":
            lines += ["", f"In fixed point the answers of these steps are off by at most {self.narrowing:.2g}."]
        elif self.weights != "float32":
            moved = f"the answers of these steps move by at most {self.narrowing:.2g}"
            lines += ["", f"With weights in {self.weights} {moved}."]
        if self.drift:
            rows = "\n".join(f"| {steps:,} | {error:.2g} |" for steps, error in self.drift.items())
            lines += ["", "The largest error of the first steps, against the model in double precision:", ""]
            lines += ["| steps | error |", "|---|---|", rows]
        return "\n".join(lines)


def _in_a_cell(names: Sequence[str]) -> str:
    """Return names for a cell of a table; those of a vocabulary are cut short, as the JSON has them all."""
    shown = [*names[:_MOST_NAMES], *([f"... ({len(names):,} in all)"] if len(names) > _MOST_NAMES else [])]
    return ", ".join(" ".join(name.split()).replace("|", "\\|") for name in shown)


def code_bytes(compiled: Path, counter: str = "size") -> int | None:
    """Return the bytes of instructions of an object file, as a program counts them; None where it is not there."""
    program = shutil.which(counter)
    if program is None:
        return None
    done = subprocess.run([program, "-A", str(compiled)], capture_output=True, text=True, check=False)  # noqa: S603
    sizes = re.findall(r"^\.text\S*\s+(\d+)", done.stdout, re.MULTILINE)
    return sum(map(int, sizes)) or None


def stack_bytes(source: CSource, command: Sequence[str], folder: Path) -> int | None:
    """Return the most that a step needs of the stack, from the compiler's -fstack-usage; None where it has none.

    The frame of the step, the largest of a stage, and those of all functions that these may call.
    """
    compiled = folder / f"{source.name}.o"
    usage = compiled.with_suffix(".su")
    for flags in (("-mno-red-zone",), ()):  # x86 lets the last frame lie below the stack, where nobody counts it
        words = (*command, *flags, "-fstack-usage", "-c", str(folder / f"{source.name}.c"), "-o", str(compiled))
        if not run(words).returncode and usage.exists():
            break
    else:
        return None
    lines = re.findall(r":(\w+)[\w.]*\t(\d+)\t(\w+)", usage.read_text(encoding="utf-8"))
    frames: dict[str, int] = {}
    for function, size, _ in lines:
        frames[function] = max(frames.get(function, 0), int(size))
    step = frames.pop(f"{source.name}_step", 0)
    stages = [frames.pop(f"step_{name}", 0) for name in source.stage_names]
    others = [size for name, size in frames.items() if not name.startswith(f"{source.name}_") and name not in _SAVING]
    return step + max(stages, default=0) + sum(others)


_SAVING = ("checksum", "put_word", "get_word", "put_floats", "get_floats", "put_shorts", "get_shorts")


def this_machine() -> str:
    """Return the machine in a few words."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{named or platform.processor() or platform.machine()} ({platform.system()})"
