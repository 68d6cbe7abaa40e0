"""What the kernels' functions cost: cycles a vector, and beside PyTorch's own.

    python benchmarks/functions.py

Cycles come from a chain of additions, one a cycle, timed in turn with the functions on thread CPU time: so the figures
are ratios within one run, and hold on a machine that does other things too. 2048 numbers are in the first-level cache,
and vectors do not wait for each other, as in a kernel. PyTorch runs on one thread and 65536 numbers.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import write_result

from loopcell.backends.c import compiler
from loopcell.backends.c.functions import BUILDS, Functions

OPS = ("exp", "sigmoid", "tanh", "log", "softplus", "sqrt", "relu", "abs")
PEERS = {"exp": torch.exp, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "log": torch.log, "sqrt": torch.sqrt}
NUMBERS, MANY, TIMES, ROUNDS, ADDITIONS = 2048, 65536, 100, 2000, 200_000

CHAIN = (
    "void chain(long n) { unsigned long x = 1; for (; n > 0; n -= 8) {"
    + 'x += 3; __asm__ volatile("" : "+r"(x));' * 8
    + "} }"
)


def seconds(call: Callable[[], Any]) -> float:
    """Thread CPU time of one call."""
    start = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - start) * 1e-9


def chain() -> Callable[[], Any]:
    """ADDITIONS additions that wait for each other."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "chain.so"
        command = [compiler() or "cc", "-O2", "-fPIC", "-shared", "-x", "c", "-", "-o", made]
        subprocess.run(command, input=CHAIN.encode(), check=True)
        function = ctypes.CDLL(str(made)).chain
    return lambda: function(ctypes.c_long(ADDITIONS))


def cycles(functions: Functions, op: str, additions: Callable[[], Any]) -> float:
    """Cycles a vector, from the least time of many turns."""
    x = torch.linspace(-4, 4, NUMBERS, dtype=functions.dtype)
    out = torch.empty_like(x)
    ours, cycle = in_turn(lambda: functions(op, x, out=out, times=TIMES), additions)
    return round(ours / cycle * ADDITIONS / (NUMBERS / functions.lanes * TIMES), 1)


def beside_torch(functions: Functions, op: str) -> float:
    """PyTorch's time over ours: above 1 we are faster."""
    x = torch.linspace(-4, 4, MANY, dtype=functions.dtype)
    out = torch.empty_like(x)
    ours, theirs = in_turn(lambda: functions(op, x, out=out), lambda: PEERS[op](x, out=out))
    return round(theirs / ours, 2)


def in_turn(one: Callable[[], Any], other: Callable[[], Any]) -> tuple[float, float]:
    """The least time of each, of many turns."""
    times = [(seconds(one), seconds(other)) for _ in range(ROUNDS)]
    first, second = (min(column) for column in zip(*times, strict=True))
    return first, second


def main() -> None:
    """Measure every build, print and write."""
    torch.set_num_threads(1)
    additions = chain()
    rows: list[dict[str, Any]] = []
    for name, flags in BUILDS.items():
        for dtype in (torch.float32, torch.float64):
            functions = Functions(dtype, flags)
            row: dict[str, Any] = {"build": name, "dtype": str(dtype).removeprefix("torch."), "lanes": functions.lanes}
            row["cycles_a_vector"] = {op: cycles(functions, op, additions) for op in OPS}
            if name == "native":
                row["torch_ratio"] = {op: beside_torch(functions, op) for op in PEERS}
            print(row, flush=True)
            rows.append(row)
    print(f"written: {write_result('functions', {'command': 'python benchmarks/functions.py', 'rows': rows})}")


if __name__ == "__main__":
    main()
