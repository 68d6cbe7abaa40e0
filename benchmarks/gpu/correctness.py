"""Correct first: networks on a device beside the reference path in float64 on the CPU, forward and every gradient."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

import loopcell
from benchmarks.drawn_cells import FACTOR, Form, drawn_cell, drawn_form
from benchmarks.gpu.networks import TOLERANCES
from benchmarks.gpu.session import Row, Session, relative_error
from loopcell.errors import UsageError
from loopcell.testing import Case
from loopcell.testing.case import Observed, observe, run
from tests.laws.table import OTHERS, REGISTERED, case

FIGURE = "correct"
SIZES = (5, 33, 128)
"""Hidden sizes: below a tile, no power of two, a tile whole."""
DRAWN = 200


def registered(session: Session, backend: str = "auto") -> Iterator[Row]:
    """Yield a row for each registered and modified cell: the largest error over sizes, with lengths and resets."""
    sizes = (5, 17) if session.dry else SIZES
    for name, small in {**REGISTERED, **OTHERS}.items():
        if session.left() <= 0:
            yield Row(FIGURE, name, note="not run: no time was left")
            return
        cases = [case(small.cell, hidden_size=size, steps=7, batch=5) for size in sizes]
        yield _row(f"{name}, {backend}", session, backend, cases)


def half(session: Session) -> Iterator[Row]:
    """Yield a row for each of the usual cells in half precision."""
    for name in ("lstm", "gru", "rnn", "lstm_layer_norm", "min_gru"):
        for dtype in (torch.bfloat16, torch.float16):
            cases = [case(loopcell.cells.get(name), hidden_size=session.small(64), steps=7, batch=5)]
            yield _row(f"{name}, {str(dtype).removeprefix('torch.')}", session, "auto", cases, dtype)


def _row(name: str, session: Session, backend: str, cases: list[Case], dtype: torch.dtype = torch.float32) -> Row:
    """Compare a cell's cases; the row has the largest error of all."""
    worst, where, allowed = 0.0, "", TOLERANCES[dtype]
    try:
        for tried in cases:
            for masked in (False, True):
                truth = _observed(tried, masked, torch.float64, torch.device("cpu"), "reference")
                found = _observed(tried, masked, dtype, session.device, backend)
                for key, expected in truth.items():
                    error = relative_error(found[key], expected)
                    if not error <= worst:
                        worst, where = error, f"{key}, H = {tried.hidden_size}{', lengths and resets' if masked else ''}"
    except UsageError as refusal:
        return Row(FIGURE, name, note=f"refused: {refusal}"[:300])
    bar = f"<= {allowed:g}"
    return Row(FIGURE, name, worst, bar=bar, holds=worst <= allowed, unit="largest error", note=where)


def _observed(tried: Case, masked: bool, dtype: torch.dtype, device: torch.device, backend: str) -> Observed:
    net = tried.net(dtype=dtype).to(device)
    x, state = tried.inputs().to(device, dtype), tried.state(net).map(lambda tensor: tensor.to(device, dtype))
    lengths, reset = (tried.lengths().to(device), tried.reset().to(device)) if masked else (None, None)
    with loopcell.backend(backend):
        return observe(net, run(net, lengths=lengths, reset=reset), x, state)


def drawn(session: Session) -> Iterator[Row]:
    """Yield one row for cells of drawn equations in drawn forms: how many differ, and the first that does."""
    differing, done = [], 0
    for seed in range(3 if session.dry else DRAWN):
        if session.left() <= 0:
            break
        difference = _difference(drawn_form(drawn_cell(seed), seed, 0), session)
        done += 1
        differing += [f"seed {seed}: {difference}"] if difference else []
    note = "; ".join(differing[:3])
    yield Row(FIGURE, f"{done} drawn cells", float(len(differing)), bar="0", holds=not differing, unit="differ", note=note)


def _difference(form: Form, session: Session) -> str:
    """Return what differs by more than float32 on the CPU lets expect; "" for nothing."""
    cpu = torch.device("cpu")
    truth, coarse = (_of_form(form, dtype, cpu, "reference") for dtype in (torch.float64, torch.float32))
    if not all(torch.isfinite(tensor).all() for tensor in (*truth.values(), *coarse.values())):
        return ""
    found = _of_form(form, torch.float32, session.device, "auto")
    for name, expected in truth.items():
        allowed = max(TOLERANCES[torch.float32], FACTOR * relative_error(coarse[name], expected))
        error = relative_error(found[name], expected)
        if not error <= allowed:
            return f"{name} is off by {error:.3g} ({allowed:.3g} is allowed)"
    return ""


def _of_form(form: Form, dtype: torch.dtype, device: torch.device, backend: str) -> dict[str, Tensor]:
    net = form.net(dtype).to(device)
    state = form.case.state(net).map(lambda tensor: tensor.to(device, dtype))
    lengths, reset = (None if tensor is None else tensor.to(device) for tensor in (form.lengths, form.reset))
    with loopcell.backend(backend):
        return observe(net, run(net, lengths=lengths, reset=reset), form.x(dtype, 0).to(device), state)


# -- the sanitizers ---------------------------------------------------------------------------------------------------

TOOLS = ("memcheck", "racecheck")
TOOL_SECONDS = 60


def sanitized(session: Session) -> Iterator[Row]:
    """Yield a row for each of NVIDIA's checks over some calls of every kind of kernel."""
    program = shutil.which("compute-sanitizer")
    for tool in TOOLS:
        if program is None or session.dry:
            yield Row(FIGURE, tool, note="absent: compute-sanitizer is not installed here, or nothing runs on a GPU")
            continue
        limit = max(1, min(TOOL_SECONDS, session.left()))
        words = [program, "--tool", tool, "--error-exitcode", "9", sys.executable, "-m", "benchmarks.gpu.correctness"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            yield Row(FIGURE, tool, note=f"not done within {limit:.0f} s")
            continue
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        yield Row(FIGURE, tool, bar="no error", holds=done.returncode == 0, unit="", note="".join(last)[:300])


def exercise(device: torch.device) -> None:
    """Call every kind of kernel once: what the sanitizers watch."""
    for name in ("lstm", "gru", "lstm_layer_norm", "min_gru"):
        for hidden_size in (33, 128, 300):
            _observed(case(loopcell.cells.get(name), hidden_size=hidden_size, steps=4, batch=3), True, torch.float32, device, "auto")


if __name__ == "__main__":
    exercise(torch.device("cuda"))
