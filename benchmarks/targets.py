"""The table of targets: what the kernels are held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import geometric_mean

from benchmarks import roof, startup as first_result
from benchmarks.grid import CELLS, LARGE, LONG, NARROW, SHAPES, WIDE, Shape, threads_on
from benchmarks.peers import python_loop
from benchmarks.suites import bf16, custom, memory, ragged, stacked, startup, threads
from benchmarks.verdict import Cases, Figure, Measured, Number, Target, over, share_of, slower_than

FORWARD, TRAINING = ("forward",), ("training",)
BOTH = (*FORWARD, *TRAINING)
STEP = Shape(20, 1, 128, 128)
GATED = ("lstm", "gru")

Figures = Callable[[Measured], list[Figure]]


def grid(number: Number, jobs: Sequence[str], cells: Sequence[str] = CELLS, sizes: Sequence[Shape] = SHAPES) -> Figures:
    """Return figures of the grid, at every number of threads."""

    def found(measured: Measured) -> list[Figure]:
        return Cases("grid", cells, sizes, jobs, threads_of(measured)).figures(number)(measured)

    return found


def threads_of(measured: Measured) -> tuple[int, ...]:
    """Return the numbers of threads that a machine has cores for."""
    return threads_on(int(measured.machine.get("cores", 2)))


def on_amx(figures: Figures) -> Figures:
    """Return figures that a CPU without AMX is not asked for."""

    def asked(measured: Measured) -> list[Figure]:
        if "amx_bf16" not in str(measured.machine.get("vectors")):
            return [Figure("every case", None, "this CPU has no AMX")]
        return figures(measured)

    return asked


def against(peer: str, jobs: Sequence[str]) -> list[Target]:
    """Demand to be never slower, and twice as fast in the mean."""
    every = f"{' and '.join(jobs)} against {peer}"
    return [
        Target(f"{every}, every cell and size", 1.0, grid(over(peer), jobs)),
        Target(f"{every}, geometric mean", 2.0, grid(over(peer), jobs), geometric_mean),
    ]


def mean(cell: str, job: str, bar: float) -> Target:
    """Return the geometric mean of one cell against torch.nn."""
    return Target(
        f"{cell}, {job}, against torch.nn, geometric mean", bar, grid(over("torch.nn"), (job,), (cell,)), geometric_mean
    )


def of_roof(job: str, bar: float) -> Target:
    """Return the share of the products' roof."""
    figures = grid(share_of(roof.PRODUCT, roof.CUBE), (job,), CELLS, LARGE)
    return Target(f"{job}, share of the measured roof of products, H >= 256 and B >= 32", bar, figures, unit="")


def in_bf16(name: str, jobs: Sequence[str]) -> Figures:
    """Compare bf16 against something else in the same row, where products are most of the work."""
    return on_amx(Cases("bf16", CELLS, LARGE, jobs).figures(over(name)))


def half_everywhere(name: str, cells: Sequence[str] = CELLS) -> Figures:
    """Compare bf16 against something else at every size that has steps."""
    return on_amx(Cases("bf16", cells, LONG, BOTH).figures(over(name)))


def mean_in_bf16(cell: str, bar: float) -> Target:
    """Return the geometric mean of one cell in bf16 against torch.nn in bf16."""
    figures = half_everywhere(bf16.THEIRS, (cell,))
    return Target(f"{cell} in bf16 against torch.nn in bf16, geometric mean", bar, figures, geometric_mean)


def at_high(jobs: Sequence[str]) -> Figures:
    """Compare fp32 of which products are parts in bf16 with fp32."""
    return on_amx(Cases("bf16", CELLS, LARGE, jobs, forms=(bf16.AT_HIGH,)).figures(over(bf16.FP32)))


def custom_cells(sizes: Sequence[Shape], jobs: Sequence[str], number: Callable[[str], Number]) -> Figures:
    """Return figures of the custom cells; the number may depend on the cell of ours beside it."""

    def found(measured: Measured) -> list[Figure]:
        each = (Cases("custom", (cell,), sizes, jobs).figures(number(own)) for cell, own in custom.BESIDE.items())
        return [figure for figures in each for figure in figures(measured)]

    return found


def seconds(kind: str) -> Figures:
    """Return seconds from the equations to the first output."""
    return Cases("startup", tuple(first_result.CELLS), (first_result.SIZES,), FORWARD).figures(
        lambda row: float(row["seconds"][kind]["median"])
    )


def time_to_loss(cell: str) -> Figures:
    """Return torch.nn's seconds over ours."""

    def found(measured: Measured) -> list[Figure]:
        rows = [row for row in measured.rows.get("time_to_loss", ()) if row["cell"] == cell]
        return [Figure(cell, row["ratio"], row.get("why", "")) for row in rows] or [Figure(cell, None, "not measured")]

    return found


def drawn(key: str) -> Figures:
    """Return a count of the run over drawn cells."""

    def found(measured: Measured) -> list[Figure]:
        counts = [row[key] for row in measured.rows.get("fuzz", ())]
        return [Figure(key, float(sum(counts)) if counts else None, "not run")]

    return found


def one_step(peer: str, bar: float) -> Target:
    """Return a step of a stream."""
    figures = Cases("step", GATED, (STEP,), ("step",)).figures(over(peer))
    return Target(f"one step, B = 1, H = 128, against {peer}", bar, figures)


SEQUENCES = (
    Target("forward against torch.nn, every cell and size", 1.0, grid(over("torch.nn"), FORWARD)),
    Target("training against torch.nn, every cell and size", 1.0, grid(over("torch.nn"), TRAINING)),
    mean("lstm", "forward", 1.6),
    mean("lstm", "training", 1.8),
    mean("gru", "forward", 3.0),
    mean("gru", "training", 3.5),
    mean("rnn", "forward", 3.0),
    mean("rnn", "training", 3.0),
    of_roof("forward", 0.80),
    of_roof("training", 0.75),
    *against("JAX", BOTH),
    *against("ONNX Runtime", FORWARD),
)
FORMS = (
    one_step("torch.nn", 20.0),
    one_step("ONNX Runtime", 3.0),
    Target("forward in bf16 against our fp32, H >= 256 and B >= 32", 2.5, in_bf16(bf16.FP32, FORWARD)),
    Target("training in bf16 against our fp32, H >= 256 and B >= 32", 2.0, in_bf16(bf16.FP32, TRAINING)),
    Target("bf16 against our fp32, every size with T > 1", 1.0, half_everywhere(bf16.FP32)),
    Target("bf16 against torch.nn in bf16, every cell and size with T > 1", 1.0, half_everywhere(bf16.THEIRS)),
    mean_in_bf16("lstm", 1.3),
    mean_in_bf16("gru", 3.0),
    mean_in_bf16("rnn", 2.0),
    Target('forward at "high" against our fp32, H >= 256 and B >= 32', 1.5, at_high(FORWARD)),
    Target('training at "high" against our fp32, H >= 256 and B >= 32', 1.4, at_high(TRAINING)),
    Target(
        "rows of different lengths against PackedSequence, T = 1000, B = 32",
        10.0,
        Cases("ragged", CELLS, (ragged.SIZES,), BOTH).figures(over(ragged.PACKED)),
    ),
    Target(
        "rows of different lengths, forward: share of the limit that a model of the work sets",
        0.9,
        Cases("ragged", CELLS, (ragged.SIZES,), FORWARD).figures(lambda row: float(row["share_of_limit"])),
        unit="",
    ),
    Target(
        "several layers, both directions, against torch.nn",
        1.0,
        Cases("stacked", CELLS, (stacked.SIZES,), BOTH, forms=tuple(stacked.FORMS)).figures(over("torch.nn")),
    ),
    Target(
        "custom cells: time over our own LSTM or GRU",
        1.3,
        custom_cells(custom.SIZES, BOTH, lambda own: slower_than(f"{custom.OWN} {own}")),
        max,
        at_most=True,
    ),
    Target(
        "custom cells against a loop in Python, training, (100, 32, 64, 128)",
        15.0,
        custom_cells(custom.SIZES[:1], TRAINING, lambda _: over(python_loop.NAME)),
    ),
    Target("two threads over one, B >= 32", 1.7, Cases("threads", CELLS, WIDE, BOTH, (2,)).figures(over(threads.ONE))),
    Target(
        "two threads over one, B = 1, H >= 256",
        1.6,
        Cases("teams", CELLS, NARROW, BOTH, (2,)).figures(over(threads.ONE)),
    ),
)
COSTS = (
    Target("from a new cell to its first result", 3.0, seconds(startup.NEW), max, at_most=True, unit=" s"),
    Target("from the cache, in a new process", 0.05, seconds(startup.CACHED), max, at_most=True, unit=" s"),
    Target(
        "peak memory in training: torch.nn's over ours",
        1.0,
        Cases("memory", CELLS, memory.SIZES, TRAINING).figures(over("torch.nn")),
    ),
)
WHOLE = (
    Target("tinyshakespeare to a loss of 1.50, LSTM, against torch.nn", 1.6, time_to_loss("lstm")),
    Target("tinyshakespeare to a loss of 1.50, GRU, against torch.nn", 2.0, time_to_loss("gru")),
    Target("drawn cells: cases compared with the reference path", 20_000, drawn("cases"), unit=""),
    Target("drawn cells: cases that differ", 0, drawn("failed"), max, at_most=True, unit=""),
)
TARGETS: tuple[Target, ...] = (*SEQUENCES, *FORMS, *COSTS, *WHOLE)
