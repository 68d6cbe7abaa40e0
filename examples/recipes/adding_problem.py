"""The adding problem: of T pairs of a number and a mark, two are marked, far apart; what is the sum of the two numbers?

Hochreiter and Schmidhuber: Long Short-Term Memory, 1997, in the form of Le, Jaitly and Hinton (2015): numbers are drawn
evenly from 0 to 1, one mark stands in each half. Who always says 1 has a squared error of 1/6. Each cell gets the same
data, and the state after the last step says the sum. Gates begin with time scales up to T (`chrono`; Tallec and
Ollivier, 2018, have this very problem); an RNN has none.
"""

from __future__ import annotations

import time

from recipe import Known, Result, main

from loopcell import ScoreTable, SequenceRegressor
from loopcell.comparison import adding_problem

SETTINGS = {
    "random_state": 1,
    "pooling": "last",
    "hidden_size": 64,
    "epochs": 10,
    "patience": None,
    "batch_size": 50,
    "learning_rate": 4e-3,
    "validation_fraction": 0.05,
}
GATED, CELLS = ("gru", "lstm", "min_gru"), ("gru", "lstm", "min_gru", "rnn")
LENGTHS = (200, 600)
TRAINING, TEST = 10_000, 1_000
KNOWN = Known(
    "at T=600 LSTM 0.164, GRU 5.3e-5, RNN 0.177 (70,000 weights each)",
    "Bai, Kolter, Koltun, 2018 (arXiv 1803.01271), table 1",
)


def run(small: bool) -> Result:
    """Train each cell at each length, and score it on sums that it has not seen."""
    settings = {**SETTINGS, "hidden_size": 8, "epochs": 1} if small else SETTINGS
    rows: dict[str, dict[str, float]] = {cell: {} for cell in ("model", *CELLS[1:], "always the mean")}
    spent: dict[str, float] = {}
    for steps in (10, 20) if small else LENGTHS:
        name = f"MSE, T={steps}"
        learned = adding_problem(TRAINING // (50 if small else 1), steps, 1)
        test = adding_problem(TEST // (20 if small else 1), steps, 2)
        for cell in CELLS:
            began = time.process_time()
            chrono = steps if cell in GATED else None
            model = SequenceRegressor(cell=cell, **settings, chrono=chrono, progress=True).fit(*learned)
            table = model.evaluate(*test)
            spent[f"{cell}, T={steps}"] = round(time.process_time() - began, 1)
            rows["model" if cell == CELLS[0] else cell][name] = table.model["MSE"]
            rows["always the mean"][name] = table.rows["mean"]["MSE"]
            print(f"{cell}, T={steps}: {table.model['MSE']:.6f} in {spent[f'{cell}, T={steps}']} s of processor time")
    table = ScoreTable(f"sums of two of T numbers (the model is a {CELLS[0]})", rows)
    return Result(dict(table.model), table, {**settings, "cells": CELLS, "chrono": "T"}, {"processor seconds": spent})


if __name__ == "__main__":
    main(run, KNOWN)
