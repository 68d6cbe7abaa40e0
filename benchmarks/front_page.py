"""Measure the errors below the picture of the front page: `python -m benchmarks.front_page`, into front_page.json.

What is trained is `examples/memory.py`: a GRU and a plain RNN on the adding problem, a hundred steps.
"""

from __future__ import annotations

import runpy
import time

import torch

from benchmarks.results import RESULTS, SuiteFile, heading

EXAMPLE = RESULTS.parents[1] / "examples" / "memory.py"


def main() -> None:
    """Train both, print their errors and how long it took, and write them."""
    memory = runpy.run_path(str(EXAMPLE))
    torch.set_num_threads(1)
    rows = []
    for cell in ("gru", "rnn"):
        began = time.perf_counter()
        error = memory["squared_error"](memory["learned"](cell, memory["UPDATES"]))
        seconds = round(time.perf_counter() - began, 1)
        rows.append({"cell": cell, "mean squared error": error, "seconds": seconds})
        print(f"{cell}: mean squared error {error:.5f}, {seconds} s")
    SuiteFile(RESULTS / "front_page.json", heading()).add("adding problem", rows)


if __name__ == "__main__":
    main()
