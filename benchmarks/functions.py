"""The costs of the kernels' functions: cycles per vector, and beside PyTorch's own.

    python -m benchmarks.functions

Cycles come from a chain of additions, one a cycle, timed in turn with the functions on thread CPU time: so the figures
are ratios within one run, and hold on a machine that does other things too. 2048 numbers are in the first-level cache,
and vectors do not wait for each other, as in a kernel. PyTorch runs on one thread and 65536 numbers.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell.backends.c import compiler
from loopcell.backends.c.launch.functions import Functions
from loopcell.backends.c.toolchain.target import TARGETS
from loopcell.errors import UsageError

OPS = ("exp", "sigmoid", "tanh", "log", "softplus", "sqrt", "relu", "abs")
PEERS = {"exp": torch.exp, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "log": torch.log, "sqrt": torch.sqrt}
NUMBERS, MANY, TIMES, ROUNDS, ADDITIONS = 2048, 65536, 100, 2000, 200_000

CHAIN = (
    "void chain(long n) { unsigned long x = 1; for (; n > 0; n -= 8) {"
    + 'x += 3; __asm__ volatile("" : "+r"(x));' * 8
    + "} }"
)


def built_for(target: str, dtype: torch.dtype, cc: str = "") -> Functions | None:
    """Return the functions for a target and with a compiler; None where this machine cannot have the target."""
    os.environ |= {"LOOPCELL_TARGET": target, "CC": cc}
    try:
        return Functions(dtype)
    except UsageError:
        return None


def seconds(call: Callable[[], Any]) -> float:
    """Return the thread's CPU time of one call."""
    start = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - start) * 1e-9


def chain() -> Callable[[], Any]:
    """Make ADDITIONS additions that wait for each other."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "chain.so"
        command = [*shlex.split(compiler() or "cc"), "-O2", "-fPIC", "-shared", "-x", "c", "-", "-o", str(made)]
        subprocess.run(command, input=CHAIN.encode(), check=True)
        function = ctypes.CDLL(str(made)).chain
    return lambda: function(ctypes.c_long(ADDITIONS))


def cycles(functions: Functions, op: str, additions: Callable[[], Any]) -> float:
    """Return cycles per vector, from the least time of many turns."""
    x = torch.linspace(-4, 4, NUMBERS, dtype=functions.dtype)
    out = torch.empty_like(x)
    ours, cycle = in_turn(lambda: functions(op, x, out=out, times=TIMES), additions)
    return round(ours / cycle * ADDITIONS / (NUMBERS / functions.lanes * TIMES), 1)


def beside_torch(functions: Functions, op: str) -> float:
    """Return PyTorch's time over ours: above 1 we are faster."""
    x = torch.linspace(-4, 4, MANY, dtype=functions.dtype)
    out = torch.empty_like(x)
    ours, theirs = in_turn(lambda: functions(op, x, out=out), lambda: PEERS[op](x, out=out))
    return round(theirs / ours, 2)


def in_turn(one: Callable[[], Any], other: Callable[[], Any]) -> tuple[float, float]:
    """Return the least time of each, of many turns."""
    times = [(seconds(one), seconds(other)) for _ in range(ROUNDS)]
    first, second = (min(column) for column in zip(*times, strict=True))
    return first, second


def measured(name: str, dtype: torch.dtype, additions: Callable[[], Any]) -> list[dict[str, Any]]:
    """Return a row for each function of a build."""
    functions = built_for(name, dtype)
    if functions is None:
        return []
    rows = []
    for op in OPS:
        row: dict[str, Any] = {"op": op, "lanes": functions.lanes, "cycles_a_vector": cycles(functions, op, additions)}
        if name == "native" and op in PEERS:
            row["torch_ratio"] = beside_torch(functions, op)
        print(name, functions.dtype, row, flush=True)
        rows.append(row)
    return rows


def main() -> None:
    """Measure every build, print and write."""
    torch.set_num_threads(1)
    additions = chain()
    about = heading(command="python -m benchmarks.functions", clock="thread CPU time", turns=ROUNDS)
    file = SuiteFile(RESULTS / "functions.json", about)
    for name in TARGETS:
        for dtype in (torch.float32, torch.float64):
            file.add(f"{name} {str(dtype).removeprefix('torch.')}", measured(name, dtype, additions))
    print(f"written: {file.path}")


if __name__ == "__main__":
    main()
