"""Processes of their own, in which everybody has the same number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class ProcessError(RuntimeError):
    """A process failed; the message is the end of what it said."""


def thread_settings(threads: int) -> dict[str, str]:
    """Return the variables by which PyTorch, loopcell and JAX learn how many threads they have.

    ONNX Runtime is told through its session's options. XLA's flag takes its threads from single products too.
    """
    return {
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"), str(threads)),
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}",
        "JAX_PLATFORMS": "cpu",
    }


def pin(threads: int) -> None:
    """Keep this process, and what it starts, on as many cores as it has threads, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process' variables and further ones; Python finds this tree's packages first."""
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **variables}


def run_module(module: str, arguments: Sequence[str], variables: Mapping[str, str]) -> Any:
    """Run a module in a process of its own and read the JSON of its last line.

    Raises:
        ProcessError: it failed.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=environment(variables), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProcessError(f"{' '.join(command[1:])} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
