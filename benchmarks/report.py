"""The report for readers: the verdict on every target, and tables and a plot in docs/."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from benchmarks.grid import CELLS, SHAPES, THREADS, Shape
from benchmarks.plot import draw
from benchmarks.results import read, rows_of, write
from benchmarks.suites.part import Row
from benchmarks.targets import TARGETS
from benchmarks.verdict import Measured, Verdict, judge
from loopcell.files import atomic_write

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "speed.md"
PLOT = ROOT / "docs" / "images" / "speed.png"
FRONT = {  # the front pages, with the words of their table
    ROOT / "README.md": ("their time over loopcell's", "over sequences", "one step", "forward", "training"),
    ROOT / "README.ko.md": ("loopcell의 시간에 대한 배수", "시퀀스", "한 스텝", "정방향", "학습"),
}
NAMED = 6
"""How many cases a verdict names."""


def report(folder: Path, *, is_published: bool) -> None:
    """Judge the results in a folder, print the verdicts, and write them to `targets.json` there.

    Args:
        folder: where the suites' result files are.
        is_published: these are the project's own figures: the page of the documentation shows them.
    """
    paths = sorted(path for path in folder.glob("*.json") if "parts" in read(path))
    machine: dict[str, Any] = next((read(path)["machine"] for path in paths), {})
    measured = Measured({path.stem: rows_of(path) for path in paths}, machine)
    verdicts = [judge(target, measured) for target in TARGETS]
    content = {"machine": machine, "code": _codes(paths), "targets": [*map(as_json, verdicts)]}
    write(folder / "targets.json", {**content, "disturbed": disturbed(measured)})
    print(*lines(verdicts), quiet_line(measured), sep="\n")
    if is_published:
        publish(measured, verdicts)


def publish(measured: Measured, verdicts: Sequence[Verdict]) -> None:
    """Put tables and the plot into the documentation."""
    grid = measured.rows.get("grid", ())
    draw(grid, PLOT)
    tables = [f"{threads} thread{'s' if threads > 1 else ''}:\n\n{table(grid, threads)}" for threads in THREADS]
    for page, words in FRONT.items():
        insert(page, "summary", summary(grid, words))
    insert(PAGE, "machine", f"{machine_line(measured.machine)} {quiet_line(measured)}")
    insert(PAGE, "targets", targets_table(verdicts))
    picture = f"![Times over loopcell's, by cell and size](images/{PLOT.name})"
    insert(PAGE, "grid", "\n\n".join([picture, *tables]))
    insert(PAGE, "steps", step_table(measured.rows.get("step", ())))


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict for the result file."""
    return {
        "target": verdict.target.what,
        "bar": verdict.target.bar,
        "bar_is": "at most" if verdict.target.at_most else "at least",
        "value": verdict.value,
        "verdict": verdict.word,
        "cases": verdict.count,
        "short_of_it": {figure.label: figure.value for figure in verdict.short},
        "missing": {figure.label: figure.why for figure in verdict.missing},
    }


def lines(verdicts: Iterable[Verdict]) -> Iterable[str]:
    """Return verdicts for a terminal."""
    for verdict in verdicts:
        yield f"{verdict.word:>12}  {value_of(verdict):>8}  {bar_of(verdict):>10}  {verdict.target.what}"


def targets_table(verdicts: Iterable[Verdict]) -> str:
    """Return verdicts as Markdown."""
    rows = [
        [verdict.target.what, bar_of(verdict), value_of(verdict), verdict.word, cases_of(verdict)]
        for verdict in verdicts
    ]
    return markdown(["figure", "bar", "measured", "", "cases that fall short"], rows)


def value_of(verdict: Verdict) -> str:
    """Return the measured number with its unit."""
    return "" if verdict.value is None else f"{number(verdict.value)}{verdict.target.unit}"


def bar_of(verdict: Verdict) -> str:
    """Return the bar with its unit, as a most or a least."""
    sign = "<=" if verdict.target.at_most else ">="
    return f"{sign} {number(verdict.target.bar)}{verdict.target.unit}"


def cases_of(verdict: Verdict) -> str:
    """Return the first cases that fall short or are missing, and how many there are."""
    named = [f"{figure.label}: {number(figure.value)}" for figure in verdict.short if figure.value is not None]
    reasons = dict.fromkeys(figure.why for figure in verdict.missing)
    parts = [_first(named, verdict.count)] if named else []
    parts += [f"{len(verdict.missing)} without a figure ({_first(list(reasons), len(reasons))})"] if reasons else []
    return "; ".join(parts)


def _first(texts: Sequence[str], of: int) -> str:
    more = len(texts) - NAMED
    return "; ".join(texts[:NAMED]) + (f"; and {more} more of {of}" if more > 0 else "")


def number(value: float) -> str:
    """Return three figures, or a whole number."""
    return f"{value:.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"


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
    head, over_sequences, one_step, *jobs = words
    body = []
    for cell in (*CELLS, None):
        for job, word in zip(("forward", "training"), jobs, strict=True):
            name, of = (f"{cell.upper()}, {over_sequences}", {cell}) if cell else (one_step, {*CELLS})
            rows = [row for row in grid if row["job"] == job and row["cell"] in of and (row["T"] == 1) == (not cell)]
            body.append([f"{name}, {word}", *(_mean_ratio(rows, peer) for peer in PEERS[:3])])
    return markdown([head, *PEERS[:3]], body)


def _mean_ratio(rows: Iterable[Row], peer: str) -> str:
    ratios = [row["ratios"][peer]["median"] for row in rows if peer in row["ratios"]]
    return f"{geometric_mean(ratios):.2f}" if ratios else ""


def cells_of(row: Row | None, names: Sequence[str]) -> list[str]:
    """Return one row's milliseconds and ratios; nothing where there is no figure."""
    if row is None or "loopcell" not in row["times"]:
        return [""] * (1 + len(names))
    ratios = row["ratios"]
    return [
        f"{row['times']['loopcell']['median']:.3g}",
        *(f"{ratios[name]['median']:.2f}" if name in ratios else "" for name in names),
    ]


STEPPERS = ("torch.nn", "torch.nn cell", "JAX", "ONNX Runtime", "ONNX Runtime, bound memory", "reading the weights")


def step_table(steps: Sequence[Row]) -> str:
    """Return single steps as Markdown: our microseconds, and everybody else's time over ours."""
    head = ["", "H", "us", *STEPPERS]
    body = []
    for row in steps:
        if "loopcell" in row["times"]:
            times = [f"{row['ratios'][name]['median']:.3g}" if name in row["ratios"] else "" for name in STEPPERS]
            body.append([row["cell"], str(row["H"]), f"{1e3 * row['times']['loopcell']['median']:.3g}", *times])
    return markdown(head, body) if body else "Not measured yet."


UNDISTURBED = 0.95
"""The least part of a core that a process with one thread has, where nobody else wants it."""


def disturbed(measured: Measured) -> list[str]:
    """Return the one-thread rows in which loopcell had less of its core than that: somebody else was at work."""
    found = []
    for suite, rows in measured.rows.items():
        for row in rows:
            cores = [time["cores"] for name, time in row.get("times", {}).items() if name.startswith("loopcell")]
            if row.get("threads") == 1 and cores and min(cores) < UNDISTURBED:
                found.append(f"{suite} {row['cell']} ({','.join(str(row[axis]) for axis in 'TBIH')}) {row['job']}")
    return found


def quiet_line(measured: Measured) -> str:
    """Return whether the machine was quiet, in a sentence."""
    rows = disturbed(measured)
    one = sum(row.get("threads") == 1 and "times" in row for rows in measured.rows.values() for row in rows)
    if not rows:
        return f"In all {one} rows with one thread the process had its core to itself."
    return f"In {len(rows)} of {one} rows with one thread others took part of the core: {_first(rows, len(rows))}."


def machine_line(machine: Mapping[str, Any]) -> str:
    """Return what it was measured on, in a sentence."""
    versions = ", ".join(f"{name} {machine[name]}" for name in ("torch", "jax", "onnxruntime") if machine.get(name))
    return (
        f"Measured on {machine.get('cores')} cores of {machine.get('processor')} ({machine.get('vectors')}), "
        f"{machine.get('system')}, Python {machine.get('python')}, {versions}, {machine.get('compiler')}."
    )


def markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def insert(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- figures: NAME -->` and `<!-- figures: end -->`."""
    before = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- figures: end -->)", re.DOTALL)
    after, count = pattern.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", before)
    if count != 1:
        raise SystemExit(f"{page} has {count} places for the figures of {name!r}, and should have one")
    with atomic_write(page) as temporary:
        temporary.write_text(after, encoding="utf-8")


def _codes(paths: Iterable[Path]) -> dict[str, str]:
    """Return the state of the code that each file was measured on."""
    return {path.stem: read(path)["code"] for path in paths}
