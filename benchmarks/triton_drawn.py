"""Drawn cells on Triton kernels, in the interpreter: `python -m benchmarks.triton_drawn`, into triton_drawn.json.

Each of 200 cells of drawn equations runs in a drawn form (sizes, rows, steps, directions, lengths, resets) on one of
the four kinds of kernels, in turn, with tiles so small that sizes are several blocks. It is compared with the reference
path in float64 and float32: output, final states, every gradient, and the pass without gradients. It ends with an error
where one differs. `--seeds FROM TO` chooses; `--check` writes nothing. A cell takes about a second of one core.
"""

from __future__ import annotations

import argparse
import os
import random
import warnings
from collections.abc import Sequence
from dataclasses import replace

os.environ.setdefault("TRITON_INTERPRET", "1")  # before Triton is imported

import loopcell
from benchmarks.drawn_cells import Form, compare, drawn_cell, drawn_form, is_fused
from benchmarks.machine import version
from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell.backends.triton import KINDS, KernelChoice, forced
from loopcell.errors import EquationWarning
from loopcell.testing import Case

FILE = RESULTS / "triton_drawn.json"
PART = 20
"""Cells in a part of the file: a run that was stopped goes on with the next part."""
_WIDTHS = (1, 3, 5, 16, 17, 20, 33)


def form_of(seed: int) -> Form:
    """Return a seed's cell in a form that the interpreter runs in about a second."""
    drawn = drawn_form(drawn_cell(seed), seed, 0)
    steps, batch = min(drawn.case.steps, 3), min(drawn.case.batch, 3)
    width = random.Random(seed).choice(_WIDTHS)
    return replace(
        drawn,
        case=Case(drawn.case.cell, drawn.case.input_size, width, steps=steps, batch=batch),
        num_layers=1,
        lengths=None if drawn.lengths is None else drawn.lengths[:batch].clamp(max=steps),
        reset=None if drawn.reset is None else drawn.reset[:steps, :batch],
        threads=1,
    )


def result_of(seed: int) -> dict[str, str | int]:
    """Run one cell; "result" is what `drawn_cells.compare` says."""
    kind = KINDS[seed % len(KINDS)]
    form = form_of(seed)
    with loopcell.backend("triton"), forced(KernelChoice(kind, units=16, depth=16)):
        assert is_fused(form)
        return {"seed": seed, "kind": kind, "hidden": form.case.hidden_size, "result": compare(form) or "equal"}


def main(words: Sequence[str] | None = None) -> None:
    """Compare, print, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 200), metavar=("FROM", "TO"))
    parser.add_argument("--check", action="store_true", help="write nothing")
    asked = parser.parse_args(words)
    warnings.simplefilter("ignore", EquationWarning)  # drawn cells have values that nobody uses
    table = SuiteFile(FILE, heading(triton=version("triton")))
    wrong = []
    first, last = asked.seeds
    for start in range(first, last, PART):
        part = f"{start}-"
        if part in table.parts and not asked.check:
            continue
        rows = [result_of(seed) for seed in range(start, min(start + PART, last))]
        for row in rows:
            print(*row.values(), sep="  ", flush=True)
        wrong += [str(row) for row in rows if not str(row["result"]).startswith(("equal", "borderline", "not finite"))]
        if not asked.check:
            table.add(part, rows)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
