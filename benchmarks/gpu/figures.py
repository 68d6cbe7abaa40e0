"""The figures of the table: loopcell on a device beside cuDNN, loops in Python, torch.compile, TorchRL, published numbers."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch

import loopcell
from benchmarks.gpu import peers
from benchmarks.gpu.networks import JOBS, TOLERANCES, Loop, custom, flops, forward, pair, plan, sequence, training
from benchmarks.gpu.session import Call, Row, Session, attempt, beside, relative_error
from benchmarks.invented import invent

PYTHON, COMPILED = "Python loop", "torch.compile of it"
OWN_CELLS = ("lstm_peephole", "lstm_layer_norm", "gru_keeps_before", "invented")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Sizes(NamedTuple):
    """Steps, rows, and the size of input and hidden state."""

    T: int
    B: int
    H: int

    def fitted(self, session: Session) -> Sizes:
        """Return the sizes, small in a dry run."""
        return Sizes(*(session.small(size) for size in self))


def own_cell(name: str) -> Any:
    """Return a cell that torch has not: of the library, or one of no paper."""
    return invent() if name == "invented" else loopcell.cells.get(name)


# -- beside cuDNN -----------------------------------------------------------------------------------------------------

GRID = (
    Sizes(256, 32, 256),
    Sizes(64, 1, 128),
    Sizes(1024, 16, 512),
    Sizes(256, 128, 512),
    Sizes(64, 1024, 128),
    Sizes(256, 8, 1024),
    Sizes(1024, 64, 64),
    Sizes(64, 4096, 64),
    Sizes(128, 64, 2048),
    Sizes(1024, 1, 256),
    Sizes(64, 256, 1024),
    Sizes(256, 1, 2048),
)
"""T 64 to 1024, B 1 to 4096, H 64 to 2048, those first that people have."""


def grid(session: Session) -> Iterator[Row]:
    """Yield rows of the grid of sizes, beside torch.nn."""
    for sizes in GRID[:1] if session.dry else GRID:
        for cell in ("lstm", "gru", "rnn"):
            for dtype in ("fp32", "bf16"):
                yield from against_torch(session, "grid", cell, sizes, dtype, 0.98)


def soft_spots(session: Session) -> Iterator[Row]:
    """Yield rows where cuDNN has no persistent kernels: GRU, and LSTM in bf16, of 192 < H <= 1024."""
    for size in (256, 512, 768, 1024)[: 1 if session.dry else None]:
        for cell, dtype in (("gru", "fp32"), ("gru", "bf16"), ("lstm", "bf16")):
            yield from against_torch(session, "cuDNN's soft spot", cell, Sizes(512, 16, size), dtype, 1.5)


def against_torch(session: Session, figure: str, cell: str, sizes: Sizes, dtype: str, bar: float) -> Iterator[Row]:
    """Yield a row for forward and for training, once the outputs are equal."""
    T, B, H = sizes.fitted(session)
    ours, theirs = pair(cell, H, session, DTYPES[dtype])
    x = sequence(session, T, B, H, DTYPES[dtype])
    with torch.no_grad():
        error = relative_error(ours(x)[0], theirs(x)[0])
    case = f"{cell} {dtype} T={T} B={B} H={H}"
    if not error <= 2 * TOLERANCES[DTYPES[dtype]]:
        yield Row(figure, case, error, holds=False, unit="largest error", note="not timed: the outputs differ")
        return
    for job, ready in JOBS.items():
        if session.left() > 0:
            call, peer = ready(ours, x), ready(theirs, x)
            yield from beside(session, figure, f"{case} {job}", call, {"torch.nn": peer}, {"torch.nn": bar}, plan(ours))


def steps(session: Session) -> Iterator[Row]:
    """Yield microseconds a step: B = 16, H = 256 to 768, forward; on an H100 at most 5."""
    T = session.small(1024)
    for size in (256, 512, 768)[: 1 if session.dry else None]:
        for cell in ("lstm", "gru"):
            net, _ = pair(cell, session.small(size), session, torch.bfloat16)
            x = sequence(session, T, 16, session.small(size), torch.bfloat16)
            us = 1e6 * statistics.median(session.alternate({"": forward(net, x)})[""]) / T
            holds = None if session.dry else us <= 5
            yield Row("a step", f"{cell} bf16 B=16 H={size}", us, bar="<= 5", holds=holds, unit="us", note=plan(net))


FLASHRNN = {"forward": 4.87, "training": 13.61}
"""Milliseconds on an H100, B = 16, T = 1024, d = 768, bf16, input product aside: github.com/NX-AI/flashrnn, README."""


def flashrnn(session: Session) -> Iterator[Row]:
    """Yield the case that FlashRNN has published; ours has the product with the input besides."""
    T, B, H = Sizes(1024, 16, 768).fitted(session)
    net, _ = pair("lstm", H, session, torch.bfloat16)
    x = sequence(session, T, B, H, torch.bfloat16)
    for job, ready in JOBS.items():
        ms = 1000 * statistics.median(session.alternate({"": ready(net, x)})[""])
        holds = None if session.dry else ms < FLASHRNN[job]
        ratio = FLASHRNN[job] / ms
        case = f"lstm bf16 T={T} B={B} H={H} {job}"
        yield Row("FlashRNN's case", case, ms, "published, H100", FLASHRNN[job], ratio, "> 1x", holds, note=plan(net))


# -- a user's cells ---------------------------------------------------------------------------------------------------


def own_cells(session: Session) -> Iterator[Row]:
    """Yield a user's cells beside our LSTM at equal floating point operations, and beside a loop in Python."""
    T, B, H = Sizes(256, 32, 256).fitted(session)
    x = sequence(session, T, B, H, torch.float32)
    lstm = custom("lstm", H, session)
    for name in OWN_CELLS:
        cell = own_cell(name)
        net = custom(cell, H, session)
        work = flops(cell, H) / flops(loopcell.cells.get("lstm"), H)
        loop = Loop(name, net)
        with torch.no_grad():
            error = relative_error(net(x)[0], loop(x)[0])
        if not error <= 2 * TOLERANCES[torch.float32]:
            yield Row("a user's cell", name, error, holds=False, unit="largest error", note="not timed: the outputs differ")
            continue
        for job, ready in JOBS.items():
            case = f"{name} T={T} B={B} H={H} {job}"
            yield _beside_lstm(session, case, ready(net, x), ready(lstm, x), work, plan(net))
            yield from beside(session, "a user's cell", case, ready(net, x), {PYTHON: ready(loop, x)}, {PYTHON: 15}, plan(net))


def _beside_lstm(session: Session, case: str, ours: Call, lstm: Call, work: float, note: str) -> Row:
    taken = session.alternate({"ours": ours, "lstm": lstm})
    mine, theirs = (statistics.median(taken[name]) for name in ("ours", "lstm"))
    ratio = mine / (theirs * work)
    holds = None if session.dry else ratio <= 1.5
    return Row("a user's cell", case, 1000 * mine, "our LSTM of its FLOPs", 1000 * theirs * work, ratio, "<= 1.5x", holds, note=note)


COMPILE_SECONDS = 120


def compiled_loops(session: Session) -> Iterator[Row]:
    """Yield a user's cells beside torch.compile of the loop, in a process that ends when it takes too long."""
    for name in OWN_CELLS[: 1 if session.dry else None]:
        limit = max(1.0, min(COMPILE_SECONDS, session.left()))
        words = [sys.executable, "-m", "benchmarks.gpu.figures", name, session.device.type]
        bar = ">= 3x"
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            yield Row("a user's cell", name, peer=COMPILED, bar=bar, note=f"absent: did not compile within {limit:.0f} s")
            continue
        if done.returncode:
            last = "".join(done.stderr.strip().splitlines()[-1:])
            yield Row("a user's cell", name, peer=COMPILED, bar=bar, note=f"absent: {last}"[:300])
            continue
        for row in json.loads(done.stdout.splitlines()[-1]):
            yield Row(**row)


def _compiled_loop(name: str, device: str) -> list[Row]:
    """Measure one cell beside torch.compile of its loop, with fewer steps: compiling unrolls them."""
    session = Session(torch.device(device), COMPILE_SECONDS)
    T, B, H = Sizes(64, 32, 256).fitted(session)
    net, x = custom(own_cell(name), H, session), sequence(session, T, B, H, torch.float32)
    loop = torch.compile(Loop(name, net), backend="eager" if session.dry else "inductor")
    case, rows = f"{name} T={T} B={B} H={H}", []
    for job, ready in JOBS.items():
        rows += beside(session, "a user's cell", f"{case} {job}", ready(net, x), {COMPILED: ready(loop, x)}, {COMPILED: 3}, plan(net))
    return rows


# -- resets, scans, memory, compiling ---------------------------------------------------------------------------------


def resets(session: Session) -> Iterator[Row]:
    """Yield episodes within rows beside cuDNN on episodes split and padded, and beside TorchRL."""
    for sizes in (Sizes(256, 16, 128), Sizes(256, 64, 256), Sizes(256, 256, 256))[: 1 if session.dry else None]:
        T, B, H = sizes.fitted(session)
        starts = torch.rand(T, B, generator=torch.Generator().manual_seed(0)) < 1 / 32
        starts[0] = True
        for cell in ("lstm", "gru"):
            ours, theirs = pair(cell, H, session, torch.float32)
            x, reset = sequence(session, T, B, H, torch.float32), starts.to(session.device)
            bar = 5.0 if B <= 64 else 2.0
            for job, ready in JOBS.items():
                others = {
                    "cuDNN, split and padded": attempt(partial(peers.split_and_padded, theirs, x, reset, ready)),
                    "TorchRL": attempt(partial(peers.torchrl, cell, theirs, x, reset, job)),
                }
                case = f"{cell} T={T} B={B} H={H} {job}"
                yield from beside(session, "resets", case, ready(ours, x, reset=reset), others, dict.fromkeys(others, bar), plan(ours))


ACCELERATED_SCAN = {(8, 1536, 1024): 0.18}
"""Milliseconds of a forward scan, (B, n, T): github.com/proger/accelerated-scan, README, on its card; to be read so."""


def scans(session: Session) -> Iterator[Row]:
    """Yield the scan alone, and minGRU and minLSTM over long sequences."""
    runner = attempt(peers.scan_runner)
    for T in (1024, 16384, 65536)[: 1 if session.dry else None]:
        B, n, T = session.small(8), session.small(1536, 32), session.small(T, 64)
        if isinstance(runner, peers.Absent) or session.dry:
            yield Row("scan", f"B={B} n={n} T={T}", note="absent: the kernels run on a GPU")
            continue
        a, b = (torch.rand(T, B, n, device=session.device) for _ in range(2))
        first = torch.zeros(B, n, device=session.device)
        case, call = f"B={B} n={n} T={T} forward", partial(runner, a, b, first, None, False)
        others = {"accelerated-scan": attempt(partial(peers.accelerated_scan, a, b))}
        yield from beside(session, "scan", case, call, others, {"accelerated-scan": 1}, "")
        published = ACCELERATED_SCAN.get((B, n, T))
        ms = 1000 * statistics.median(session.alternate({"": call})[""])
        if published is not None:
            yield Row("scan", case, ms, "accelerated-scan, published", published, published / ms, ">= 1x", ms <= published)
        moved = 3 * a.numel() * a.element_size() / ms * 1e-6
        yield Row("scan", case, moved, unit="GB/s", note="of a, b and the states, each once")
    for name in ("min_gru", "min_lstm"):
        T, B, H = Sizes(16384, 8, 256).fitted(session)
        net, x = custom(name, H, session), sequence(session, T, B, H, torch.float32)
        for job, ready in JOBS.items():
            ms = 1000 * statistics.median(session.alternate({"": ready(net, x)}, 3)[""])
            yield Row("scan", f"{name} T={T} B={B} H={H} {job}", ms, note=plan(net))


def memory(session: Session) -> Iterator[Row]:
    """Yield by how much memory rises in training, beside torch.nn."""
    for cell in ("lstm", "gru", "rnn"):
        for dtype in ("fp32", "bf16"):
            T, B, H = Sizes(512, 64, 512).fitted(session)
            nets = pair(cell, H, session, DTYPES[dtype])
            x = sequence(session, T, B, H, DTYPES[dtype])
            ours, theirs = (session.peak_bytes(training(net, x)) for net in nets)
            case = f"{cell} {dtype} T={T} B={B} H={H} training"
            if ours is None or theirs is None:
                yield Row("memory", case, bar="<= 1x", unit="MB", note="absent: only a GPU counts its memory")
                continue
            ratio = ours / theirs
            yield Row("memory", case, ours / 1e6, "torch.nn", theirs / 1e6, ratio, "<= 1x", ratio <= 1.0, "MB", plan(nets[0]))


def compile_times(session: Session) -> Iterator[Row]:
    """Yield how long the first call of a cell that is new takes, forward and backward."""
    T, B, H = Sizes(64, 16, 200).fitted(session)
    cell = invent()  # read anew, so that nothing in this process knows it
    net, x = custom(cell, H, session), sequence(session, T, B, H, torch.float32)
    begin = time.perf_counter()
    training(net, x)()
    session.wait()
    seconds = time.perf_counter() - begin
    holds = None if session.dry else seconds <= 10
    yield Row("compiling", "an invented cell, forward and backward", seconds, bar="<= 10", holds=holds, unit="s", note=plan(net))


def rows_of(name: str, device: str) -> list[Mapping[str, Any]]:
    """Return what the process for torch.compile prints."""
    return [row.as_json() for row in _compiled_loop(name, device)]


if __name__ == "__main__":
    print(json.dumps(rows_of(*sys.argv[1:])))
