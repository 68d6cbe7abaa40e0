"""The report for readers: the verdict on every target, and tables and a plot in docs/."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.machine import title
from benchmarks.plot import draw
from benchmarks.results import read, rows_of, write
from benchmarks.tables import markdown, number
from benchmarks.targets import TARGETS
from benchmarks.verdict import Measured, Verdict, judge
from loopcell.files import atomic_write

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "speed.md"
PLOTS = ROOT / "docs" / "images"
FRONT = {  # the front pages, with the words of their table
    ROOT / "README.md": ("their time over loopcell's", "over sequences", "one step", "forward", "training"),
    ROOT / "README.ko.md": ("loopcell의 시간에 대한 배수", "시퀀스", "한 스텝", "정방향", "학습"),
}
NAMED = 6
"""How many cases a verdict names."""


@dataclass(frozen=True)
class Judged:
    """The results of one machine, and what they say of the targets.

    Attributes:
        measured: all rows.
        verdicts: on every target.
        codes: the state of the code that each suite was measured on.
        folder: where the files are.
    """

    measured: Measured
    verdicts: Sequence[Verdict]
    codes: Mapping[str, str]
    folder: Path

    @property
    def title(self) -> str:
        """The machine's name for readers."""
        return title(self.measured.machine)


def judged(folder: Path) -> Judged:
    """Read the result files of a machine, and judge them."""
    paths = sorted(path for path in folder.glob("*.json") if "parts" in read(path))
    machine: dict[str, Any] = next((read(path)["machine"] for path in paths), {})
    measured = Measured({path.stem: rows_of(path) for path in paths}, machine)
    codes = {path.stem: read(path)["code"] for path in paths}
    return Judged(measured, [judge(target, measured) for target in TARGETS], codes, folder)


def report(folder: Path, *, is_published: bool) -> None:
    """Judge the results in a folder, print the verdicts, and write them to `targets.json` there.

    Args:
        folder: where the suites' result files are.
        is_published: these are the project's own figures: the page of the documentation shows them, beside those of
            other machines.
    """
    found = judged(folder)
    content = {"machine": found.measured.machine, "code": found.codes, "targets": [*map(as_json, found.verdicts)]}
    write(folder / "targets.json", {**content, "disturbed": disturbed(found.measured)})
    print(*lines(found.verdicts), quiet_line(found.measured), sep="\n")
    if is_published:
        publish([judged(path) for path in sorted(folder.parent.iterdir()) if path.is_dir()])


def publish(machines: Sequence[Judged]) -> None:
    """Put tables and plots of all machines into the documentation; the front pages show the first one."""
    grids = {machine.title: machine.measured.rows.get("grid", ()) for machine in machines}
    for page, words in FRONT.items():
        insert(page, "summary", tables.summary(grids[machines[0].title], words))
    insert(PAGE, "means", tables.side_by_side(grids, FRONT[ROOT / "README.md"]))
    about = (f"{machine_line(machine.measured.machine)} {quiet_line(machine.measured)}" for machine in machines)
    insert(PAGE, "machine", "\n\n".join(about))
    blocks: dict[str, Callable[[Judged], str]] = {
        "targets": lambda machine: targets_table(machine.verdicts),
        "grid": grid_block,
        "half": lambda machine: tables.half_table(machine.measured.rows.get("bf16", ())),
        "teams": lambda machine: tables.team_table(machine.measured.rows.get("teams", ())),
        "scaling": lambda machine: tables.scaling_table(machine.measured.rows.get("scaling", ())),
        "steps": lambda machine: tables.step_table(machine.measured.rows.get("step", ())),
    }
    for name, block in blocks.items():
        insert(PAGE, name, "\n\n".join(f"**{machine.title}**\n\n{block(machine)}" for machine in machines))


def grid_block(machine: Judged) -> str:
    """Draw a machine's plot, and return it with a table for every number of threads."""
    grid = machine.measured.rows.get("grid", ())
    if not grid:
        return tables.NOT_YET
    picture = PLOTS / f"speed-{machine.folder.name}.png"
    draw(grid, picture)
    parts = [f"![Times over loopcell's, by cell and size, on {machine.title}](images/{picture.name})"]
    numbers = sorted({row["threads"] for row in grid})
    parts += [f"{number} thread{'s' if number > 1 else ''}:\n\n{tables.table(grid, number)}" for number in numbers]
    return "\n\n".join(parts)


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


def insert(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- figures: NAME -->` and `<!-- figures: end -->`."""
    before = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- figures: end -->)", re.DOTALL)
    after, count = pattern.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", before)
    if count != 1:
        raise SystemExit(f"{page} has {count} places for the figures of {name!r}, and should have one")
    with atomic_write(page) as temporary:
        temporary.write_text(after, encoding="utf-8")
