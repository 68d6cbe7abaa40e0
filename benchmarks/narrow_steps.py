"""Measure steps on narrow weights: `python -m benchmarks.narrow_steps`, into narrow_steps.json.

One row, one thread, a step after the other, as control loops and live sound have it: weights in float32, bfloat16 and
int8 take turns in one process, beside the time that the core takes to read all weights in float32 once. Before anything
is timed the steps of float32 are held against `torch.nn`; what narrow weights change is reported beside their time, on
random input over 200 steps. `--quick` only shows that everything works, and writes nothing.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks import roof
from benchmarks.comparison import Entry
from benchmarks.measure import QUICK, Patience, alternate, ratios
from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell import GRU, LSTM
from loopcell.layers.stepper import Width

CELLS = {"lstm": (LSTM, nn.LSTM), "gru": (GRU, nn.GRU)}
SIZES = (128, 256, 512, 1024)
WIDTHS: tuple[Width, ...] = ("bf16", "int8")
STEPS, TOLERANCE = 200, 1e-4
FLOOR = "floor"


def measured(cell: str, size: int, patience: Patience) -> dict[str, Any]:
    """Check one network and time its steps; times in microseconds, ratios round by round."""
    torch.manual_seed(0)
    ours, theirs = CELLS[cell]
    net, x = ours(size, size), torch.randn(STEPS, 1, size)
    steppers: dict[str, Any] = {"fp32": net.stepper(), **{width: net.stepper(weights=width) for width in WIDTHS}}
    row: dict[str, Any] = {"cell": cell, "H": size, "unit": "us", "error": _error(net, theirs(size, size), x)}
    for width in WIDTHS:
        drift = steppers[width].compare(x)
        row |= {f"{width}_weight_error": drift.weight_error, f"{width}_drift": drift.relative}
        row[f"{width}_largest_drift"] = drift.largest
    calls: dict[str, Any] = {name: partial(stepper.step, x[0]) for name, stepper in steppers.items()}
    floor = roof.reading(list(net.parameters()))
    assert isinstance(floor, Entry)  # there is a compiler: steps on narrow weights have just been built
    samples = {name: sample.wall for name, sample in alternate({**calls, FLOOR: floor.run}, patience).items()}
    samples[FLOOR] = tuple(seconds / floor.jobs for seconds in samples[FLOOR])
    row["fp32_over_floor"] = ratios(samples["fp32"], samples[FLOOR]).median
    row |= {name: 1e6 * statistics.median(wall) for name, wall in samples.items()}
    return row | {f"fp32_over_{width}": ratios(samples["fp32"], samples[width]).median for width in WIDTHS}


def _error(net: Any, theirs: nn.Module, x: torch.Tensor) -> float:
    """Return how far steps are from `torch.nn` on the same weights; SystemExit where that is too far to be timed."""
    theirs.load_state_dict(net.state_dict())
    stepper = net.stepper()
    with torch.no_grad():
        found = torch.stack([stepper.step(now).clone() for now in x])
        error = float((found - theirs(x)[0]).abs().max())
    if not error < TOLERANCE:
        raise SystemExit(f"steps are {error:g} from torch.nn")
    return error


def main(words: Sequence[str] | None = None) -> None:
    """Measure every cell and size, print them, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--quick", action="store_true", help="show that everything works, and write nothing")
    quick = parser.parse_args(words).quick
    torch.set_num_threads(1)
    file = SuiteFile(RESULTS / "narrow_steps.json", heading())
    print("us a step       fp32    bf16    int8   floor   fp32/floor  fp32/bf16  fp32/int8   drift bf16    int8")
    for cell in CELLS:
        for size in SIZES[:1] if quick else SIZES:
            row = measured(cell, size, QUICK if quick else Patience())
            times = "".join(f"{row[name]:8.1f}" for name in ("fp32", *WIDTHS, FLOOR))
            shares = "".join(f"{row[f'fp32_over_{name}']:11.2f}" for name in (FLOOR, *WIDTHS))
            print(f"{cell:5s}{size:6d} {times} {shares}", end="  ")
            print(f"{row['bf16_drift']:11.2%}{row['int8_drift']:8.2%}", flush=True)
            if not quick:
                file.add(f"{cell} {size}", [row])


if __name__ == "__main__":
    main()
