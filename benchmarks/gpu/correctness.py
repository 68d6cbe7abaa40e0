"""Correct first: networks on a device beside the reference path in float64 on the CPU, forward and every gradient."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import torch
from torch import Tensor

import loopcell
from benchmarks.drawn_cells import FACTOR, Form, drawn_cell, drawn_form
from benchmarks.gpu.networks import TOLERANCES
from benchmarks.gpu.session import Row, Session, relative_error
from loopcell.layers import Recurrent, State
from loopcell.testing import Case
from loopcell.testing.case import Observed, Run, run
from tests.laws.table import OTHERS, REGISTERED, case

FIGURE = "correct"
SIZES = (33, 300, 128, 5)
"""Hidden sizes: no power of two, more than one processor holds, a tile whole, below a tile."""
HALF = ("lstm", "gru", "rnn", "lstm_layer_norm", "min_gru")
DRAWN = 200
WORKERS = 12
"""Processes that check at the same time: nearly all of their time goes into compiling kernels."""


@dataclass(frozen=True)
class Check:
    """A cell to be checked, as it travels to a process.

    Attributes:
        name: of the table of the laws.
        sizes: hidden sizes.
        dtype: of the tensors.
        device: where it runs.
    """

    name: str
    sizes: tuple[int, ...]
    dtype: torch.dtype
    device: str

    def row(self) -> Row:
        """Compare everything with the reference path, with lengths and resets and without; the largest error of all."""
        cell = {**REGISTERED, **OTHERS}[self.name].cell
        worst, where, allowed = 0.0, "", TOLERANCES[self.dtype]
        title = f"{self.name}, {str(self.dtype).removeprefix('torch.')}, H = {', '.join(map(str, self.sizes))}"
        for size, masked in itertools.product(self.sizes, (True, False)):
            tried = case(cell, hidden_size=size, steps=7, batch=5)
            truth = _observed(tried, masked, self.dtype, torch.device("cpu"), "reference")
            found = _observed(tried, masked, self.dtype, torch.device(self.device), "auto")
            for key, expected in truth.items():
                error = relative_error(found[key], expected)
                if not error <= worst:
                    worst, where = error, f"{key}, H = {size}{', lengths and resets' if masked else ''}"
        return Row(
            FIGURE, title, worst, bar=f"<= {allowed:g}", holds=worst <= allowed, unit="largest error", note=where
        )


@dataclass(frozen=True)
class DrawnCheck:
    """A cell of drawn equations in a drawn form, as it travels to a process."""

    seed: int
    device: str

    def row(self) -> Row:
        """Compare everything with the reference path."""
        difference = _difference(drawn_form(drawn_cell(self.seed), self.seed, 0), torch.device(self.device))
        return Row(FIGURE, f"drawn cell {self.seed}", holds=not difference, unit="", note=difference)


AnyCheck = Check | DrawnCheck


def registered(session: Session) -> Iterator[Row]:
    """Yield a row for each registered, modified and unusual cell."""
    names = [*REGISTERED, *OTHERS]
    yield from checked([Check(name, SIZES[:1], torch.float32, session.device.type) for name in names], session)


def sizes(session: Session) -> Iterator[Row]:
    """Yield the same at other sizes."""
    names = [*REGISTERED, *OTHERS]
    yield from checked([Check(name, SIZES[1:], torch.float32, session.device.type) for name in names], session)


def half(session: Session) -> Iterator[Row]:
    """Yield a row for each of the usual cells in half precision."""
    dtypes = (torch.bfloat16, torch.float16)
    found = [Check(name, (64,), dtype, session.device.type) for name in HALF for dtype in dtypes]
    yield from checked(found, session)


def drawn(session: Session) -> Iterator[Row]:
    """Yield one row for cells of drawn equations in drawn forms, and one for each that differs."""
    rows = list(
        checked([DrawnCheck(seed, session.device.type) for seed in range(3 if session.dry else DRAWN)], session)
    )
    wrong = [row for row in rows if row.holds is False]
    done = sum(row.holds is not None for row in rows)
    yield Row(FIGURE, f"{done} drawn cells", float(len(wrong)), bar="0", holds=not wrong, unit="differ")
    yield from wrong


def checked(checks: Sequence[AnyCheck], session: Session) -> Iterator[Row]:
    """Yield the rows of checks: in processes side by side on a device, in this one where it is dry."""
    if session.dry:
        yield from (_row(check) for check in checks)
        return
    with ProcessPoolExecutor(min(WORKERS, os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_row, check) for check in checks]
        for check, future in zip(checks, waiting, strict=True):
            try:
                yield future.result(timeout=max(0.0, session.left()))
            except TimeoutError:
                yield Row(FIGURE, str(check), note="not run: no time was left")
        pool.shutdown(wait=False, cancel_futures=True)


def _row(check: AnyCheck) -> Row:
    try:
        return check.row()
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one cell is that cell's row
        words = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return Row(FIGURE, str(check), holds=False, note=words)


def _observed(tried: Case, masked: bool, dtype: torch.dtype, device: torch.device, backend: str) -> Observed:
    """Run a case on numbers that a dtype has: in this dtype, or for the truth of the reference path in float64."""
    where = (device, torch.float64 if backend == "reference" else dtype)
    net = tried.net(dtype=dtype).to(*where)
    x, state = tried.inputs().to(dtype).to(*where), tried.state(net).map(lambda tensor: tensor.to(dtype).to(*where))
    lengths, reset = (tried.lengths().to(device), tried.reset().to(device)) if masked else (None, None)
    with loopcell.backend(backend):
        return everything(net, run(net, lengths=lengths, reset=reset), x, state)


def everything(net: Recurrent, how: Run, x: Tensor, state: State) -> Observed:
    """Return the output, the final states, and the gradient of all that they depend on.

    Each entry of a result counts with a weight of its own, a multiple of 1/64: half precision has it as float64 does.
    """
    x = x.detach().clone().requires_grad_()
    state = state.map(lambda tensor: tensor.detach().clone().requires_grad_())
    y, final = how(x, state)
    results = {"the output": y} | {f"the final {name}": tensor for name, tensor in final.items()}
    named = {"the input": x} | {f"the initial {name}": tensor for name, tensor in state.items()}
    named |= dict(net.named_parameters())
    cotangents = [_weights(result, place) for place, result in enumerate(results.values())]
    differentiable = [(y, d) for y, d in zip(results.values(), cotangents, strict=True) if y.requires_grad]
    found = torch.autograd.grad(
        [y for y, _ in differentiable], list(named.values()), [d for _, d in differentiable],
        allow_unused=True, materialize_grads=True,
    )  # fmt: skip
    gradients = {f"the gradient of {name}": gradient for name, gradient in zip(named, found, strict=True)}
    return {name: result.detach() for name, result in results.items()} | gradients


def _weights(like: Tensor, place: int) -> Tensor:
    numbers = torch.arange(like.numel(), dtype=torch.float64, device=like.device)
    return (torch.cos(1.7 * numbers + place) * 64).round().div(64).view(like.shape).to(like.dtype)


def _difference(form: Form, device: torch.device) -> str:
    """Return what differs by more than float32 on the CPU lets expect; "" for nothing."""
    cpu = torch.device("cpu")
    truth, coarse = (_of_form(form, dtype, cpu, "reference") for dtype in (torch.float64, torch.float32))
    if not all(torch.isfinite(tensor).all() for tensor in (*truth.values(), *coarse.values())):
        return ""
    found = _of_form(form, torch.float32, device, "auto")
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
        return everything(net, run(net, lengths=lengths, reset=reset), form.x(dtype, 0).to(device), state)


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
        environment = {**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}  # else blocks of the cache hide an overrun
        words = [program, "--tool", tool, "--error-exitcode", "9", sys.executable, "-m", "benchmarks.gpu.correctness"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=limit, check=False, env=environment)
        except subprocess.TimeoutExpired:
            yield Row(FIGURE, tool, note=f"not done within {limit:.0f} s")
            continue
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        yield Row(FIGURE, tool, bar="no error", holds=done.returncode == 0, unit="", note="".join(last)[:300])


def exercise(device: torch.device) -> None:
    """Call every kind of kernel once: what the sanitizers watch."""
    for name in ("lstm", "gru", "lstm_layer_norm", "min_gru"):
        for hidden_size in (33, 128, 300):
            _observed(
                case(loopcell.cells.get(name), hidden_size=hidden_size, steps=4, batch=3),
                True,
                torch.float32,
                device,
                "auto",
            )


if __name__ == "__main__":
    exercise(torch.device("cuda"))
