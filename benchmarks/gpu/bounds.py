"""The bounds between the kinds of kernels, measured: which kind is fastest at which H and B, and what a graph saves."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

import loopcell
from benchmarks.gpu.figures import DTYPES, Sizes
from benchmarks.gpu.networks import EQUAL, JOBS, custom, sequence
from benchmarks.gpu.session import Absent, Call, Row, Session, attempt, relative_error
from loopcell.backends.triton import KINDS, KernelChoice, choose, forced, kernels_of, limits_of, possible
from loopcell.passes import build_program

SHAPES = (
    (Sizes(128, 64, 128), "forward"),
    (Sizes(128, 64, 256), "forward"),
    (Sizes(128, 1024, 256), "forward"),
    (Sizes(128, 64, 64), "training"),
    (Sizes(128, 64, 128), "training"),
    (Sizes(128, 4096, 128), "forward"),
    (Sizes(128, 16, 1024), "forward"),
    (Sizes(128, 1024, 512), "forward"),
    (Sizes(128, 4096, 512), "training"),
    (Sizes(128, 16, 2048), "forward"),
)
"""On both sides of every bound of the choice."""

CELLS = (("gru_keeps_before", "fp32"), ("gru_keeps_before", "bf16"), ("lstm_layer_norm", "fp32"))
"""One with few values in a step, and one with many."""

BOUNDS = {
    frozenset({"resident", "persistent"}): "_MOST_FORWARD, _MOST_REVERSE",
    frozenset({"resident", "streamed"}): "_MOST_FORWARD, _MOST_REVERSE",
    frozenset({"resident", "stepped"}): "_MOST_FORWARD, _MOST_REVERSE, _LONG_STEP",
    frozenset({"persistent", "streamed"}): "_WIDEST_HELD, and the number of programs in _persistent",
    frozenset({"persistent", "stepped"}): "_WIDEST_HELD, _LONG_STEP",
    frozenset({"streamed", "stepped"}): "_WIDEST_STREAMED, is_busy, _LONG_STEP",
}
"""The bounds in `backends/triton/launch/choose.py` that stand between two kinds."""

HELD = "persistent, held"
SLACK = 0.9
"""The chosen kind may take 1 / 0.9 of the fastest one's time."""


def kinds(session: Session) -> Iterator[Row]:
    """Yield a row for every kind that has room and was not chosen: it should be no faster."""
    for (sizes, job), (cell, dtype) in itertools.product(SHAPES[: 1 if session.dry else None], CELLS):
        T, B, H = sizes.fitted(session)
        net = custom(cell, H, session, DTYPES[dtype])
        x = sequence(session, T, B, H, DTYPES[dtype])
        chosen, tried = kinds_of(net, x, job)
        case = f"{cell} {dtype} T={T} B={B} H={H} {job}"
        ready = partial(JOBS[job], net, x)
        calls = {name: attempt(partial(_by_kind, choice, ready())) for name, choice in tried.items()}
        yield from rows(session, case, chosen, calls)


def kinds_of(net: Any, x: Tensor, job: str) -> tuple[str, dict[str, KernelChoice | str]]:
    """Return the kind that a job's last loop is run by, and all that have room, by name, that one first."""
    loops = kernels_of(build_program(net.cell.graph, training=job == "training"))
    loop = loops.reverse if job == "training" else loops.inference
    steps, batch, width = x.shape
    sizes = net.cell.resolve_sizes(input_size=width, hidden_size=width, sizes={})
    shape = (loop, sizes, batch)
    chosen = choose(*shape, steps, x.element_size(), limits_of(x.device)).kind
    found = possible(*shape, x.element_size(), limits_of(x.device))
    tried: dict[str, KernelChoice | str] = {chosen: chosen}
    tried.update((kind, kind) for kind in KINDS if kind in found)
    if job == "forward" and "persistent" in found:  # its one loop, with the weights as values
        tried[HELD] = replace(found["persistent"], held=True)
    return chosen, tried


def _by_kind(choice: KernelChoice | str, call: Call) -> Call:
    def run() -> object:
        with loopcell.backend("triton"), forced(choice):
            return call()

    run()
    return run


def bound_between(chosen: str, faster: str) -> str:
    """Return what to change in `choose.py` where a kind that was not chosen is the faster one."""
    return "held of _persistent" if faster == HELD else BOUNDS[frozenset({chosen, faster})]


def rows(session: Session, case: str, chosen: str, calls: dict[str, Call | Absent]) -> Iterator[Row]:
    """Time kinds in turns; yield a row for each but the chosen one, with the bound that is wrong where it is faster."""
    there = {kind: call for kind, call in calls.items() if not isinstance(call, Absent)}
    taken = session.alternate(there, 3) if chosen in there else {}
    for kind, call in calls.items():
        if isinstance(call, Absent):
            yield Row("kinds of kernels", case, peer=kind, note=f"absent: {call.reason}", holds=kind != chosen and None)
        elif kind != chosen and taken:
            ratio = statistics.median(other / own for other, own in zip(taken[kind], taken[chosen], strict=True))
            holds = None if session.dry else ratio >= SLACK
            note = f"chosen: {chosen}" + ("" if ratio >= SLACK else f"; wrong: {bound_between(chosen, kind)}")
            mine, theirs = (1000 * statistics.median(taken[name]) for name in (chosen, kind))
            yield Row("kinds of kernels", case, mine, kind, theirs, ratio, f">= {SLACK:g}x", holds, note=note)


# -- what a graph would save ------------------------------------------------------------------------------------------

STEPPED = (Sizes(256, 16, 2048), Sizes(256, 256, 1024), Sizes(64, 1, 2048), Sizes(512, 64, 1536))


def graphs(session: Session) -> Iterator[Row]:
    """Yield a stepped forward pass beside the same one captured once in a CUDA graph and launched as a whole."""
    for sizes, dtype in itertools.product(STEPPED[: 1 if session.dry else None], ("fp32", "bf16")):
        T, B, H = sizes.fitted(session)
        net, x = custom("gru_keeps_before", H, session, DTYPES[dtype]), sequence(session, T, B, H, DTYPES[dtype])
        plain = _by_kind("stepped", JOBS["forward"](net, x))
        case, figure = f"gru_keeps_before {dtype} T={T} B={B} H={H}", "a graph of steps"
        if session.dry:
            yield Row(figure, case, note="absent: graphs are CUDA's")
            continue
        begin = torch.cuda.memory_allocated(session.device)
        captured, output = captured_in_graph(plain)
        captured()
        error = relative_error(output, plain())  # type: ignore[arg-type]
        if not error <= EQUAL[DTYPES[dtype]]:
            yield Row(figure, case, error, unit="largest error", holds=False, note="not timed: the outputs differ")
            continue
        held = (torch.cuda.memory_allocated(session.device) - begin) / 1e6
        taken = session.alternate({"plain": plain, "graph": captured}, 5)
        ratio = statistics.median(p / g for p, g in zip(taken["plain"], taken["graph"], strict=True))
        mine, theirs = (1000 * statistics.median(taken[name]) for name in ("plain", "graph"))
        note = f"the graph holds {held:.0f} MB; above 1.2x it is worth having"
        yield Row(figure, case, mine, "captured", theirs, ratio, note=note)


def captured_in_graph(call: Call) -> tuple[Call, Tensor]:
    """Return what launches a captured call again, and the output that it writes to."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # a capture must neither compile nor choose an algorithm
        call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = call()
    assert isinstance(output, Tensor)
    return graph.replay, output
