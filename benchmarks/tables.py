"""The tables of the documentation: rows of a suite as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean

from benchmarks.grid import CELLS, LARGE, LONG, SHAPES, Shape
from benchmarks.suites import bf16
from benchmarks.suites.part import Row
from benchmarks.suites.threads import ONE

NOT_YET = "Not measured on this machine yet."
PEERS = ("torch.nn", "JAX", "ONNX Runtime", "reference")


def table(grid: Sequence[Row], threads: int) -> str:
    """Return the grid as Markdown: our milliseconds, and everybody else's time over ours."""
    found = {
        (row["cell"], row["job"], Shape(*(row[axis] for axis in "TBIH"))): row
        for row in grid
        if row["threads"] == threads
    }
    head = ["", "T, B, I, H", *(f"{job}, {what}" for job in ("forward", "training") for what in ("ms", *PEERS))]
    del head[2 + 1 + len(PEERS) + 1 + PEERS.index("ONNX Runtime")]  # it trains none
    body = []
    for cell in CELLS:
        for sizes in SHAPES:
            forward, training = (found.get((cell, job, sizes)) for job in ("forward", "training"))
            cells = [*cells_of(forward, PEERS), *cells_of(training, [name for name in PEERS if name != "ONNX Runtime"])]
            body.append([cell, str(sizes).replace(",", ", "), *cells])
    return markdown(head, body)


def summary(grid: Sequence[Row], words: tuple[str, str, str, str, str]) -> str:
    """Geometric means of everybody's time over ours as Markdown: sequences cell by cell, and calls of a single step.

    Args:
        grid: the rows.
        words: the first heading, "over sequences", "one step", and the two jobs.
    """
    return markdown([words[0], *PEERS[:3]], [[name, *means] for name, means in _means(grid, words).items()])


def _means(grid: Sequence[Row], words: tuple[str, str, str, str, str]) -> dict[str, list[str]]:
    """Return the lines of a summary by their names: a mean for each peer."""
    _, over_sequences, one_step, *jobs = words
    found = {}
    for cell in (*CELLS, None):
        for job, word in zip(("forward", "training"), jobs, strict=True):
            name, of = (f"{cell.upper()}, {over_sequences}", {cell}) if cell else (one_step, {*CELLS})
            rows = [row for row in grid if row["job"] == job and row["cell"] in of and (row["T"] == 1) == (not cell)]
            found[f"{name}, {word}"] = [_mean_ratio(rows, peer) for peer in PEERS[:3]]
    return found


def side_by_side(grids: Mapping[str, Sequence[Row]], words: tuple[str, str, str, str, str]) -> str:
    """Return the geometric means of every machine as Markdown, a machine beside the other.

    Args:
        grids: the rows of each, by the machine's name.
        words: as of `summary`.
    """
    tables = {machine: _means(grid, words) for machine, grid in grids.items()}
    head = [words[0], *(f"{peer} on {machine}" for machine in grids for peer in PEERS[:3])]
    names = list(next(iter(tables.values()), {}))
    return markdown(head, [[name, *(mean for means in tables.values() for mean in means[name])] for name in names])


def _mean_ratio(rows: Iterable[Row], peer: str) -> str:
    ratios = [row["ratios"][peer]["median"] for row in rows if peer in row["ratios"]]
    return f"{geometric_mean(ratios):.2f}" if ratios else ""


def cells_of(row: Row | None, names: Sequence[str], ours: str = "loopcell") -> list[str]:
    """Return one row's milliseconds and ratios; nothing where there is no figure."""
    if row is None or ours not in row["times"]:
        return [""] * (1 + len(names))
    ratios = row["ratios"]
    return [
        f"{row['times'][ours]['median']:.3g}",
        *(f"{ratios[name]['median']:.2f}" if name in ratios else "" for name in names),
    ]


IN_HALF = (bf16.FP32, bf16.THEIRS, *bf16.OTHERS)


def half_table(rows: Sequence[Row]) -> str:
    """Return bf16 as Markdown: our milliseconds under autocast, and the times of others over them."""
    found = {
        (row["cell"], row["job"], Shape(*(row[axis] for axis in "TBIH")), row.get("form", "")): row for row in rows
    }
    columns = ("ms", *IN_HALF, *(f"fp32 over {form}" for form in (bf16.AT_HIGH, bf16.AT_MEDIUM)))
    head = ["", "T, B, I, H", *(f"{job}, {column}" for job in ("forward", "training") for column in columns)]
    body = []
    for cell in CELLS:
        for sizes in LONG if any(key[2] not in LARGE for key in found) else LARGE:  # older files have these alone
            cells = []
            for job in ("forward", "training"):
                cells += cells_of(found.get((cell, job, sizes, "")), IN_HALF, bf16.BF16)
                for form in (bf16.AT_HIGH, bf16.AT_MEDIUM):
                    cells += cells_of(found.get((cell, job, sizes, form)), (bf16.FP32,), bf16.at(form))[1:]
            body.append([cell, str(sizes).replace(",", ", "), *cells])
    return markdown(head, body) if rows else NOT_YET


def team_table(rows: Sequence[Row]) -> str:
    """Return batches of one as Markdown: one thread's time over that of several."""
    head = ["", "T, B, I, H", "threads", "forward", "training"]
    body: dict[tuple[str, str, int], dict[str, str]] = {}
    for row in rows:
        sizes = ", ".join(str(row[axis]) for axis in "TBIH")
        if ONE in row["ratios"]:
            case = body.setdefault((row["cell"], sizes, row["threads"]), {})
            case[row["job"]] = f"{row['ratios'][ONE]['median']:.2f}"
    lines = [[*map(str, key), jobs.get("forward", ""), jobs.get("training", "")] for key, jobs in body.items()]
    return markdown(head, lines) if rows else NOT_YET


def scaling_table(rows: Sequence[Row]) -> str:
    """Return as Markdown how many times faster than one thread more of them are: measured, and predicted."""
    if not rows:
        return NOT_YET
    numbers = list(rows[0]["predicted"])
    head = ["", "T, B, I, H", "2 threads, measured", *(f"{number}, predicted" for number in numbers)]
    body = []
    for row in rows:
        one = row["measured"]["1"]
        cells = [one / row["measured"]["2"], *(one / row["predicted"][number] for number in numbers)]
        body.append([row["cell"], ", ".join(str(row[axis]) for axis in "TBIH"), *(f"{cell:.1f}" for cell in cells)])
    core = rows[0]["core"]
    rates = " and ".join(f"{core[name] / 1e9:.0f}" for name in ("near", "far"))
    meeting = f"{core['meeting'] * 1e9:.0f} ns"
    return (
        f"{markdown(head, body)}\n\nOne core read {rates} GB/s from its own and the common cache; two met in {meeting}."
    )


STEPPERS = ("torch.nn", "torch.nn cell", "JAX", "ONNX Runtime", "ONNX Runtime, bound memory", "reading the weights")


def step_table(steps: Sequence[Row]) -> str:
    """Return single steps as Markdown: our microseconds, and everybody else's time over ours."""
    head = ["", "H", "us", *STEPPERS]
    body = []
    for row in steps:
        if "loopcell" in row["times"]:
            times = [f"{row['ratios'][name]['median']:.3g}" if name in row["ratios"] else "" for name in STEPPERS]
            body.append([row["cell"], str(row["H"]), f"{1e3 * row['times']['loopcell']['median']:.3g}", *times])
    return markdown(head, body) if body else NOT_YET


def number(value: float) -> str:
    """Return three figures, or a whole number."""
    return f"{value:.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"


def markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
