"""The accuracy of the kernels' functions: every float there is, through each build of them, beside double precision.

    python -m benchmarks.accuracy                all 2^32 floats, half an hour; it can be stopped, and goes on
    python -m benchmarks.accuracy --every 1009   every 1009th; written nowhere
    python -m benchmarks.accuracy --bf16         the functions of kernels in bfloat16, on all 2^16 numbers; seconds

Errors are in units in the last place (ulp) of the float nearest to the exact value; 0.5 is what rounding itself costs.
The C library's double precision stands in for the exact value: its own error is some 2^-29 of such a unit, and at each
worst input it is checked against 50 digits.
"""

from __future__ import annotations

import argparse
import ctypes
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mpmath
import torch
from torch import Tensor

from benchmarks.functions import built_for
from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell.backends.c import Factors, compiler
from loopcell.backends.c.launch.functions import Functions
from loopcell.backends.c.toolchain.target import TARGETS

BOUNDS = {"exp": 2.0, "sigmoid": 2.0, "tanh": 2.0, "log": 2.0, "softplus": 4.0, "sqrt": 0.5}
"""What is promised, in ulp."""
BF16_BOUND = 0.51
"""What is promised of results in bfloat16, in its own units: 0.5 is what rounding alone costs."""

FLOATS = 1 << 32
BLOCK = 1 << 20

mpmath.mp.dps = 50
EXACT = {
    "exp": mpmath.exp,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "log": mpmath.log,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sqrt": mpmath.sqrt,
}


@dataclass(frozen=True)
class Worst:
    """The worst of a build so far.

    Attributes:
        error: in ulp.
        at, found: the input and what came out.
        nearest: how many results were the nearest float.
    """

    error: float = -1.0
    at: float = 0.0
    found: float = 0.0
    nearest: int = 0

    def joined(self, other: Worst) -> Worst:
        """Return the worse of two, with the counts of both."""
        worse = max(self, other, key=lambda worst: worst.error)
        return replace(worse, nearest=self.nearest + other.nearest)


def builds() -> dict[str, Functions]:
    """Return every build that this machine's compilers make, by name."""
    commands = [name for name in ("gcc", "clang") if shutil.which(name)] or [""]
    made = {f"{cc} {target}".strip(): built_for(target, torch.float32, cc) for cc in commands for target in TARGETS}
    return {name: functions for name, functions in made.items() if functions}


def reference() -> ctypes.CDLL:
    """Build accuracy.c, without the flags that let a compiler be loose."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "accuracy.so"
        source = Path(__file__).with_suffix(".c")
        command = [*shlex.split(compiler() or "cc"), "-O2", "-fPIC", "-shared", str(source), "-o", str(made), "-lm"]
        subprocess.run(command, check=True)
        library = ctypes.CDLL(str(made))
    library.worst.restype = ctypes.c_double
    return library


def pointer(tensor: Tensor) -> ctypes.c_void_p:
    """Return the address of its numbers."""
    return ctypes.c_void_p(tensor.data_ptr())


def blocks(library: ctypes.CDLL, every: int) -> Iterator[Tensor]:
    """Yield all floats in the order of their bits, or every so many-th of them."""
    for first in range(0, FLOATS, BLOCK):
        x = torch.empty(BLOCK)
        library.inputs(ctypes.c_uint64(first), ctypes.c_int64(BLOCK), pointer(x))
        yield x if every == 1 else x[-first % every :: every].contiguous()


def measure(library: ctypes.CDLL, op: str, built: dict[str, Functions], every: int) -> dict[str, Worst]:
    """Return the worst of each build over all blocks."""
    found = {name: Worst() for name in built}
    for x in blocks(library, every):
        exact = torch.empty(len(x), dtype=torch.float64)
        library[f"exact_{op}"](pointer(x), ctypes.c_int64(len(x)), pointer(exact))
        known: list[tuple[Tensor, Worst]] = []  # compilers agree, so most results have been looked at before
        for name, functions in built.items():
            y = functions(op, x)
            same = (worst for other, worst in known if torch.equal(other.view(torch.int32), y.view(torch.int32)))
            worst = next(same, None) or block_worst(library, x, y, exact)
            known.append((y, worst))
            found[name] = found[name].joined(worst)
    return found


def block_worst(library: ctypes.CDLL, x: Tensor, y: Tensor, exact: Tensor) -> Worst:
    """Return the worst of one block."""
    where, nearest = ctypes.c_int64(), ctypes.c_int64()
    count = ctypes.c_int64(len(x))
    error = library.worst(pointer(y), pointer(exact), count, ctypes.byref(where), ctypes.byref(nearest))
    return Worst(error, float(x[where.value]), float(y[where.value]), nearest.value)


def checked(op: str, worst: Worst) -> float:
    """Return the error of a build's worst result against 50 digits: as double precision said, or it is wrong."""
    if worst.error == float("inf"):
        raise SystemExit(f"{op}({worst.at}) = {worst.found}: a wrong NaN, infinity or zero")
    exact = EXACT[op](mpmath.mpf(worst.at))
    exponent = max(int(mpmath.frexp(exact)[1]) - 1, -126)
    error = float(abs(worst.found - exact) / mpmath.mpf(2) ** (exponent - 23))
    if abs(error - worst.error) > 1e-4:
        raise SystemExit(f"{op}({worst.at.hex()}): {error} ulp by 50 digits, {worst.error} by double precision")
    return error


def rows(op: str, found: dict[str, Worst], inputs: int) -> list[dict[str, Any]]:
    """Return a row for each build, checked and printed."""
    made = []
    for name, worst in found.items():
        error, share = checked(op, worst), round(100 * worst.nearest / inputs, 2)
        print(f"{op:9} {name:14} {error:.4f} ulp at {worst.at.hex()} ({worst.at:g}); {share}% nearest", flush=True)
        if error > BOUNDS[op]:
            raise SystemExit(f"{op} is promised within {BOUNDS[op]} ulp")
        at = {"input": worst.at.hex(), "result": worst.found.hex()}
        made.append({"build": name, "worst_ulp": round(error, 4), **at, "nearest_percent": share})
    return made


def bf16_rows(library: ctypes.CDLL, op: str, functions: Functions) -> list[dict[str, Any]]:
    """Return the worst error on all numbers in bfloat16: before results are rounded to it, and after, in its units."""
    x = (torch.arange(1 << 16, dtype=torch.int32) << 16).view(torch.float32)
    x = x[x.isfinite()].contiguous()
    exact = torch.empty(len(x), dtype=torch.float64)
    library[f"exact_{op}"](pointer(x), ctypes.c_int64(len(x)), pointer(exact))
    y = functions(op, x)
    near = exact.abs() <= torch.finfo(torch.bfloat16).max
    if not torch.equal(y[~near].bfloat16().nan_to_num(7), exact[~near].bfloat16().nan_to_num(7)):
        raise SystemExit(f"{op}: a wrong NaN or infinity")
    size = exact[near].abs().clamp(min=2.0**-126)
    unit = 2.0 ** (torch.frexp(size).exponent.double() - 8)
    rounded, where = ((y[near].bfloat16().double() - exact[near]).abs() / unit).max(0)
    relative = ((y[near].double() - exact[near]).abs() / size).max()
    at = x[near][where]
    print(f"{op:9} {rounded:.4f} units of bfloat16 at {at:g}; 2^{relative.log2():.1f} before rounding", flush=True)
    if rounded > BF16_BOUND:
        raise SystemExit(f"{op} is promised within {BF16_BOUND} units of bfloat16")
    found = {"input": float(at).hex(), "relative_before_rounding": float(f"{relative:.3g}")}
    return [{"worst_units": round(float(rounded), 4), **found}]


def measure_bf16() -> None:
    """Run the functions of kernels whose operands are rounded to bfloat16, print and write."""
    about = heading(command="python -m benchmarks.accuracy --bf16", dtype="bfloat16", bound_units=BF16_BOUND)
    file = SuiteFile(RESULTS / "accuracy_bf16.json", about)
    library, functions = reference(), Functions(torch.float32, Factors.TILES)
    for op in BOUNDS:
        file.add(op, bf16_rows(library, op, functions))


def main() -> None:
    """Run every function, print and write."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--every", type=int, default=1, help="1 for all floats; others are not written down")
    options.add_argument("--bf16", action="store_true", help="the functions of kernels in bfloat16")
    asked = options.parse_args()
    if asked.bf16:
        measure_bf16()
        return
    every: int = asked.every
    inputs = -(-FLOATS // every)
    about = heading(command="python -m benchmarks.accuracy", dtype="float32", inputs=inputs, bounds_ulp=BOUNDS)
    file = SuiteFile(RESULTS / "accuracy.json", about)
    library, built = reference(), builds()
    for op in BOUNDS:
        if every > 1:
            rows(op, measure(library, op, built, every), inputs)
        elif op not in file.parts:
            file.add(op, rows(op, measure(library, op, built, every), inputs))


if __name__ == "__main__":
    main()
