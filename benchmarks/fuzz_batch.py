"""Some drawn cells in this process, a line of JSON each.

The command is `python -m benchmarks.fuzz_batch FIRST CELLS FORMS PRECISION FILE`.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

from benchmarks import drawn_products
from benchmarks.drawn_cells import compare, drawn_cell, drawn_form, is_fused
from loopcell.errors import EquationWarning


def try_cell(seed: int, forms: int, precision: str = "highest") -> dict[str, Any]:
    """Compare one cell in several forms; anything raised is a failure too."""
    found: dict[str, Any] = {"seed": seed, "cases": 0, "not_finite": 0, "borderline": [], "failures": []}
    for number in range(forms):
        try:
            result = _tried(seed, number, precision)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this case's failure
            result = f"{type(error).__name__}: {error}"
        if result == "not finite":
            found["not_finite"] += 1
            continue
        found["cases"] += 1
        if result:
            kind = "borderline" if result.startswith("borderline") else "failures"
            found[kind].append({"seed": seed, "form": number, "what": result[:500]})
    return found


def _tried(seed: int, number: int, precision: str) -> str:
    form = drawn_form(drawn_cell(seed), seed, number)
    if not is_fused(form):
        return f"no kernels: {form.case.net().plan()[0].reason}"
    return compare(form) if precision == "highest" else drawn_products.compare(form, precision)


def main(first: int, cells: int, forms: int, precision: str, file: Path) -> None:
    """Write a line when a cell begins and one when it is done, so that a crash names its cell."""
    warnings.simplefilter("error")  # a cell whose kernels cannot be built would warn, and run on the reference path
    warnings.simplefilter("ignore", EquationWarning)  # drawn equations compute what nobody reads
    with file.open("w", encoding="utf-8") as lines:
        for seed in range(first, first + cells):
            for content in ({"begins": seed}, None):
                print(json.dumps(content or try_cell(seed, forms, precision)), file=lines, flush=True)


if __name__ == "__main__":
    first_seed, number_of_cells, forms_of_each = map(int, sys.argv[1:4])
    main(first_seed, number_of_cells, forms_of_each, sys.argv[4], Path(sys.argv[5]))
